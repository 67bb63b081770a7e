#include "store/seal.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace holdfast::store {
namespace {

using Nonce = std::array<unsigned char, 12>;

Nonce nonce_of(std::uint64_t number, bool last) {
  Nonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[i] = static_cast<unsigned char>(number >> (8 * i));
  nonce[8] = last ? 1 : 0;
  return nonce;
}

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* raw(char* text) { return reinterpret_cast<unsigned char*>(text); }

std::uint64_t chunks_of(std::uint64_t plain) {
  return plain / plain_chunk_bytes + (plain % plain_chunk_bytes != 0 ? 1 : 0);
}

}  // namespace

void CipherFree::operator()(evp_cipher_ctx_st* cipher) const { EVP_CIPHER_CTX_free(cipher); }

std::uint64_t sealed_size(std::uint64_t plain) { return plain + chunks_of(plain) * seal_tag_bytes; }

std::optional<std::uint64_t> plain_size(std::uint64_t sealed) {
  const std::uint64_t rest = sealed % sealed_chunk_bytes;
  if (rest != 0 && rest <= seal_tag_bytes) return std::nullopt;
  return sealed / sealed_chunk_bytes * plain_chunk_bytes + (rest == 0 ? 0 : rest - seal_tag_bytes);
}

// With a key and nonces of the right size these calls fail only for want of memory.
Sealer::Sealer(const SecretKey& key) : cipher_(EVP_CIPHER_CTX_new()) {
  HOLDFAST_CHECK(cipher_ != nullptr && EVP_EncryptInit_ex(cipher_.get(), EVP_aes_256_gcm(), nullptr,
                                                          key.data(), nullptr) == 1);
}

void Sealer::update(std::string_view plain, std::string& out) {
  out.reserve(out.size() + sealed_size(waiting_.size() + plain.size()));
  while (!plain.empty()) {
    if (waiting_.size() == plain_chunk_bytes) {
      seal(waiting_, false, out);
      waiting_.clear();
    }
    if (waiting_.empty() && plain.size() > plain_chunk_bytes) {
      seal(plain.substr(0, plain_chunk_bytes), false, out);
      plain.remove_prefix(plain_chunk_bytes);
      continue;
    }
    const auto taken = plain.substr(0, plain_chunk_bytes - waiting_.size());
    waiting_.append(taken);
    plain.remove_prefix(taken.size());
  }
}

void Sealer::finish(std::string& out) {
  if (!waiting_.empty()) seal(waiting_, true, out);
  waiting_.clear();
  cipher_.reset();
}

void Sealer::seal(std::string_view plain, bool last, std::string& out) {
  const auto nonce = nonce_of(number_++, last);
  const std::size_t start = out.size();
  out.resize(start + plain.size() + seal_tag_bytes);
  unsigned char* const to = raw(out.data() + start);
  int bytes = 0;
  HOLDFAST_CHECK(EVP_EncryptInit_ex(cipher_.get(), nullptr, nullptr, nullptr, nonce.data()) == 1 &&
                 EVP_EncryptUpdate(cipher_.get(), to, &bytes, raw(plain),
                                   static_cast<int>(plain.size())) == 1 &&
                 EVP_EncryptFinal_ex(cipher_.get(), to + bytes, &bytes) == 1 &&
                 EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_GCM_GET_TAG, seal_tag_bytes,
                                     to + plain.size()) == 1);
}

Result<Unsealer> Unsealer::make(const SecretKey& key, std::uint64_t stored) {
  const auto plain = plain_size(stored);
  if (!plain) return fail(ErrorCode::corrupted, "no encrypted body has {} bytes", stored);
  Unsealer unsealer;
  unsealer.plain_bytes_ = *plain;
  unsealer.chunks_ = chunks_of(*plain);
  unsealer.cipher_.reset(EVP_CIPHER_CTX_new());
  HOLDFAST_CHECK(unsealer.cipher_ != nullptr &&
                 EVP_DecryptInit_ex(unsealer.cipher_.get(), EVP_aes_256_gcm(), nullptr, key.data(),
                                    nullptr) == 1);
  return unsealer;
}

Result<void> Unsealer::open(std::uint64_t first, std::string_view chunks, std::string& out) {
  const std::size_t start = out.size();
  std::size_t done = start;
  out.resize(start + chunks.size());
  for (std::uint64_t number = first; !chunks.empty(); ++number) {
    const auto sealed = chunks.substr(0, sealed_chunk_bytes);
    if (!open_chunk(number, sealed, out.data() + done)) {
      out.resize(start);
      return fail(ErrorCode::corrupted, "chunk {} of an encrypted body is not what was written",
                  number);
    }
    done += sealed.size() - seal_tag_bytes;
    chunks.remove_prefix(sealed.size());
  }
  out.resize(done);
  return {};
}

bool Unsealer::open_chunk(std::uint64_t number, std::string_view sealed, char* out) {
  if (number >= chunks_ || sealed.size() <= seal_tag_bytes) return false;
  const bool last = number + 1 == chunks_;
  const auto nonce = nonce_of(number, last);
  const auto text = sealed.substr(0, sealed.size() - seal_tag_bytes);
  std::array<unsigned char, seal_tag_bytes> tag{};
  std::ranges::copy(sealed.substr(text.size()), tag.begin());
  int bytes = 0;
  return EVP_DecryptInit_ex(cipher_.get(), nullptr, nullptr, nullptr, nonce.data()) == 1 &&
         EVP_DecryptUpdate(cipher_.get(), raw(out), &bytes, raw(text),
                           static_cast<int>(text.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_GCM_SET_TAG, seal_tag_bytes, tag.data()) ==
             1 &&
         EVP_DecryptFinal_ex(cipher_.get(), raw(out) + bytes, &bytes) == 1;
}

}  // namespace holdfast::store
