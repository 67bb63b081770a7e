#include "store/root_keys.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/encoding.h"
#include "base/fd.h"
#include "store/seal.h"

namespace holdfast::store {
namespace {

constexpr char seal_version = 1;
constexpr std::size_t id_bytes = 8;
constexpr std::size_t wrapped_bytes = SecretKey::bytes + 8;
constexpr std::size_t seal_bytes = 1 + id_bytes + wrapped_bytes;
constexpr std::string_view id_label = "holdfast root key 1\n";
// More than any way to write a key takes.
constexpr std::size_t longest_file = 128;

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool is_id(std::string_view id) {
  return id.size() == 2 * id_bytes && std::ranges::all_of(id, is_hex);
}

std::string id_of(const SecretKey& key) {
  std::array<unsigned char, id_label.size() + SecretKey::bytes> text{};
  std::ranges::copy(id_label, text.begin());
  std::copy_n(key.data(), SecretKey::bytes, text.begin() + id_label.size());
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(text.data(), text.size(), digest.data());
  OPENSSL_cleanse(text.data(), text.size());
  return to_hex(std::as_bytes(std::span(digest).first<id_bytes>()));
}

// A text that is wiped when it goes; never grown, so that no copy stays behind.
struct Wiped {
  std::string text;
  ~Wiped() { OPENSSL_cleanse(text.data(), text.size()); }
};

// nullopt: it is no key.
std::optional<SecretKey> parse_key(std::string_view text) {
  Wiped raw;
  if (text.size() == SecretKey::bytes) {
    raw.text = text;
    // 32 hex digits are a key of half the size, written by mistake.
    if (std::ranges::all_of(text, is_hex)) return std::nullopt;
  } else {
    while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
    auto decoded = text.size() == 2 * SecretKey::bytes ? from_hex(text) : from_base64(text);
    if (!decoded) return std::nullopt;
    raw.text = std::move(*decoded);
  }
  if (raw.text.size() != SecretKey::bytes) return std::nullopt;
  // A file that was never filled.
  if (raw.text.find_first_not_of(raw.text.front()) == std::string::npos) return std::nullopt;
  SecretKey key;
  std::ranges::copy(raw.text, key.data());
  return key;
}

template <class... Args>
std::unexpected<Error> refuse(const std::string& path, fmt::format_string<Args...> format,
                              Args&&... args) {
  return fail(ErrorCode::invalid_argument, "root key {}: {}", path,
              fmt::format(format, std::forward<Args>(args)...));
}

// Whoever gets the data directory, or a backup of it, is not to get the key with it.
Result<void> check_place(const std::string& path, const std::string& data) {
  std::error_code error;
  const auto file = std::filesystem::weakly_canonical(path, error);
  if (error) return refuse(path, "{}", error.message());
  const auto directory = std::filesystem::weakly_canonical(data, error);
  if (error) return refuse(data, "{}", error.message());
  const auto [end, ignored] = std::ranges::mismatch(directory, file);
  if (end != directory.end()) return {};
  return refuse(path, "it lies in the data directory {}, which it is to protect: keep it elsewhere",
                data);
}

Result<SecretKey> read_key(const std::string& path) {
  auto file = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file) return fail_within("root key", file.error());
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return fail_errno(errno, "stat of " + path);
  if (!S_ISREG(status.st_mode)) return refuse(path, "it is no file");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return refuse(path, "others may read or change it (mode {:03o}): chmod 600 {}",
                  status.st_mode & 0777, path);
  }
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return refuse(path, "it belongs to another user (uid {}), who can read it", status.st_uid);
  }
  Wiped text{std::string(longest_file, '\0')};
  auto got = read_at(file->get(), std::as_writable_bytes(std::span(text.text)), 0);
  if (!got) return std::unexpected(got.error());
  auto key = parse_key(std::string_view(text.text).substr(0, *got));
  if (key) return std::move(*key);
  return refuse(path,
                "it holds no key: 32 random bytes, as they are, as 64 hex digits or as base64 "
                "(openssl rand -hex 32)");
}

Cipher wrap_cipher() {
  Cipher cipher(EVP_CIPHER_CTX_new());
  HOLDFAST_CHECK(cipher != nullptr);
  EVP_CIPHER_CTX_set_flags(cipher.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  return cipher;
}

}  // namespace

std::optional<std::string> root_key_id_of(std::string_view seal) {
  if (seal.size() != seal_bytes || seal[0] != seal_version) return std::nullopt;
  return to_hex(as_bytes(seal.substr(1, id_bytes)));
}

Result<void> RootKeys::add(const std::string& path, const std::string& data) {
  if (auto apart = check_place(path, data); !apart) return apart;
  auto key = read_key(path);
  if (!key) return std::unexpected(key.error());
  std::string id = id_of(*key);
  if (!knows(id)) keys_.push_back({std::move(id), std::move(*key)});
  return {};
}

Result<std::shared_ptr<const RootKeys>> RootKeys::load(const RootKeyFiles& files,
                                                       const std::string& data) {
  if (files.current.empty() && files.old.empty() && files.lost.empty()) return nullptr;
  auto keys = std::make_shared<RootKeys>();
  keys->seals_ = !files.current.empty();
  if (keys->seals_) {
    if (auto added = keys->add(files.current, data); !added) return std::unexpected(added.error());
  }
  for (const auto& path : files.old) {
    if (auto added = keys->add(path, data); !added) return std::unexpected(added.error());
  }
  for (const auto& id : files.lost) {
    if (is_id(id) && !keys->knows(id)) continue;
    return fail(ErrorCode::invalid_argument, "lost root key {}: {}", id,
                is_id(id) ? "its file is given, too" : "an id is 16 hex digits, as errors name it");
  }
  keys->lost_ = files.lost;
  return keys;
}

std::shared_ptr<const RootKeys> RootKeys::unneeded() {
  auto keys = std::make_shared<RootKeys>();
  keys->unneeded_ = true;
  return keys;
}

bool RootKeys::may_lack(std::string_view id) const {
  return unneeded_ || std::ranges::find(lost_, id) != lost_.end();
}

const RootKeys::RootKey* RootKeys::find(std::string_view id) const {
  const auto found = std::ranges::find(keys_, id, &RootKey::id);
  return found == keys_.end() ? nullptr : &*found;
}

RootKeys::BodyKey RootKeys::make_body_key(Random& random) const {
  HOLDFAST_CHECK(seals_);
  const RootKey& root = keys_.front();
  BodyKey made{SecretKey::make(random), std::string(1, seal_version)};
  made.seal += from_hex(root.id).value_or(std::string());
  made.seal.resize(seal_bytes);
  auto* const out = reinterpret_cast<unsigned char*>(made.seal.data()) + 1 + id_bytes;
  auto cipher = wrap_cipher();
  int bytes = 0;
  // With sizes that are right it fails only for want of memory.
  HOLDFAST_CHECK(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_wrap(), nullptr, root.key.data(),
                                    nullptr) == 1 &&
                 EVP_EncryptUpdate(cipher.get(), out, &bytes, made.key.data(),
                                   static_cast<int>(SecretKey::bytes)) == 1 &&
                 bytes == static_cast<int>(wrapped_bytes));
  return made;
}

Result<SecretKey> RootKeys::open(std::string_view seal) const {
  const auto id = root_key_id_of(seal);
  if (!id) return fail(ErrorCode::corrupted, "the seal of an encrypted body is malformed");
  const RootKey* const root = find(*id);
  if (root == nullptr) {
    return fail(ErrorCode::corrupted,
                "the body is encrypted under root key {}, which is not here: give its file in "
                "store.old_root_key_files",
                *id);
  }
  const auto* const wrapped = reinterpret_cast<const unsigned char*>(seal.data()) + 1 + id_bytes;
  // The unwrapping may write 8 bytes more than it answers.
  std::array<unsigned char, wrapped_bytes> plain{};
  auto cipher = wrap_cipher();
  int bytes = 0;
  const bool good = EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_wrap(), nullptr, root->key.data(),
                                       nullptr) == 1 &&
                    EVP_DecryptUpdate(cipher.get(), plain.data(), &bytes, wrapped,
                                      static_cast<int>(wrapped_bytes)) == 1 &&
                    bytes == static_cast<int>(SecretKey::bytes);
  SecretKey key;
  std::copy_n(plain.begin(), SecretKey::bytes, key.data());
  OPENSSL_cleanse(plain.data(), plain.size());
  if (!good) return fail(ErrorCode::corrupted, "the seal of an encrypted body is damaged");
  return key;
}

}  // namespace holdfast::store
