#include "syncd/content.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>

#include "base/encoding.h"

namespace holdfast::syncd {
namespace {

constexpr std::size_t chunk_bytes = 256u << 10;

class FencedReader final : public BodyReader {
 public:
  FencedReader(const HomeTree& tree, std::shared_ptr<Fd> file, Stamp expected, std::uint64_t offset,
               std::uint64_t length, Offload offload)
      : tree_(tree),
        file_(std::move(file)),
        expected_(expected),
        at_(offset),
        end_(offset + length),
        length_(length),
        offload_(std::move(offload)) {}

  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (at_ == end_) co_return 0;
    const auto wanted = std::min<std::uint64_t>({out.size(), chunk_bytes, end_ - at_});
    std::function<Result<void>()> work = [this, part = out.first(wanted)] { return fill(part); };
    auto done = co_await offload_(std::move(work));
    if (!done) co_return std::unexpected(done.error());
    at_ += wanted;
    co_return wanted;
  }
  std::optional<std::uint64_t> size() const override { return length_; }

 private:
  Result<void> fill(std::span<std::byte> part) const {
    auto got = read_at(file_->get(), part, at_);
    if (!got) return std::unexpected(got.error());
    if (*got != part.size()) return fail(ErrorCode::conflict, "the file became shorter");
    if (at_ + part.size() < end_) return {};
    auto now = tree_.stamp_of(file_->get());
    if (!now) return std::unexpected(now.error());
    if (*now != expected_) return fail(ErrorCode::conflict, "the file changed while it was read");
    return {};
  }

  const HomeTree& tree_;
  std::shared_ptr<Fd> file_;
  Stamp expected_;
  std::uint64_t at_, end_, length_;
  Offload offload_;
};

std::string hex_of(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return to_hex(std::as_bytes(std::span(canonical.digest)));
}

}  // namespace

struct ContentDigest::State {
  XXH3_state_t* xxh = XXH3_createState();
  EVP_MD_CTX* md5 = nullptr;
  ~State() {
    XXH3_freeState(xxh);
    EVP_MD_CTX_free(md5);
  }
};

ContentDigest::ContentDigest(Md5 md5) : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(state_->xxh);
  if (md5 == Md5::compute) {
    state_->md5 = EVP_MD_CTX_new();
    EVP_DigestInit_ex(state_->md5, EVP_md5(), nullptr);
  }
}

ContentDigest::~ContentDigest() = default;

void ContentDigest::update(std::span<const std::byte> data) {
  XXH3_128bits_update(state_->xxh, data.data(), data.size());
  if (state_->md5) EVP_DigestUpdate(state_->md5, data.data(), data.size());
}

std::string ContentDigest::hash() const { return hex_of(XXH3_128bits_digest(state_->xxh)); }

std::string ContentDigest::md5() {
  if (!state_->md5) return {};
  std::byte digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(state_->md5, reinterpret_cast<unsigned char*>(digest), &size);
  return to_hex(std::span(digest, size));
}

Content identify_text(const std::string& text, Md5 md5) {
  ContentDigest digest(md5);
  digest.update(as_bytes(text));
  return Content{.stamp = {}, .hash = digest.hash(), .md5 = digest.md5(), .bytes = text};
}

Result<Content> identify(const HomeTree& tree, const std::string& path, Md5 md5) {
  auto fd = tree.open_read(path);
  if (!fd) return std::unexpected(fd.error());
  auto before = tree.stamp_of(fd->get());
  if (!before) return std::unexpected(before.error());
  Content content{.stamp = *before};
  ContentDigest digest(md5);
  const bool small = before->size <= small_file_bytes;
  std::string buffer(std::min<std::uint64_t>(before->size, chunk_bytes), '\0');
  if (small) content.bytes.reserve(before->size);
  for (std::uint64_t at = 0; at < before->size;) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), before->size - at);
    auto part = std::as_writable_bytes(std::span(buffer)).first(wanted);
    auto got = read_at(fd->get(), part, at);
    if (!got) return std::unexpected(got.error());
    if (*got != wanted) return fail(ErrorCode::conflict, "read {}: it became shorter", path);
    digest.update(part);
    if (small) content.bytes.append(buffer, 0, wanted);
    at += wanted;
  }
  auto after = tree.stamp_of(fd->get());
  if (!after) return std::unexpected(after.error());
  if (*after != *before) return fail(ErrorCode::conflict, "read {}: it changed meanwhile", path);
  content.hash = digest.hash();
  content.md5 = digest.md5();
  return content;
}

std::unique_ptr<BodyReader> make_fenced_reader(const HomeTree& tree, std::shared_ptr<Fd> file,
                                               Stamp expected, std::uint64_t offset,
                                               std::uint64_t length, Offload offload) {
  return std::make_unique<FencedReader>(tree, std::move(file), expected, offset, length,
                                        std::move(offload));
}

std::string xattrs_digest(const std::map<std::string, std::string>& xattrs) {
  if (xattrs.empty()) return {};
  ContentDigest digest(Md5::skip);
  for (const auto& [name, value] : xattrs) {
    const std::string lengths = fmt::format("{} {} ", name.size(), value.size());
    digest.update(as_bytes(lengths));
    digest.update(as_bytes(name));
    digest.update(as_bytes(value));
  }
  return digest.hash();
}

std::string short_digest(std::string_view text) {
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

}  // namespace holdfast::syncd
