#include "base/body.h"

#include <algorithm>
#include <cstring>

namespace holdfast {
namespace {

namespace asio = boost::asio;

template <class Owner>
class TextReader final : public BodyReader {
 public:
  explicit TextReader(Owner owner) : owner_(std::move(owner)) {}

  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    const std::size_t n = std::min(out.size(), text().size() - at_);
    std::memcpy(out.data(), text().data() + at_, n);
    at_ += n;
    co_return n;
  }
  std::optional<std::uint64_t> size() const override { return text().size(); }

 private:
  std::string_view text() const {
    if constexpr (std::is_same_v<Owner, SharedText>)
      return owner_.text;
    else
      return owner_;
  }

  Owner owner_;
  std::size_t at_ = 0;
};

class ExtentReader final : public BodyReader {
 public:
  explicit ExtentReader(std::vector<FileExtent> extents) : extents_(std::move(extents)) {
    for (const auto& extent : extents_) total_ += extent.length;
  }

  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    while (current_ < extents_.size() && done_ == extents_[current_].length) {
      ++current_;
      done_ = 0;
    }
    if (current_ == extents_.size()) co_return 0;
    const FileExtent& extent = extents_[current_];
    const auto n = std::min<std::uint64_t>(out.size(), extent.length - done_);
    auto got = read_at(extent.file->get(), out.first(n), extent.offset + done_);
    if (!got) co_return std::unexpected(got.error());
    if (*got != n) {
      co_return fail(ErrorCode::corrupted, "read of a stored body: the file ends {} bytes early",
                     n - *got);
    }
    done_ += n;
    co_return n;
  }
  std::optional<std::uint64_t> size() const override { return total_; }

 private:
  std::vector<FileExtent> extents_;
  std::size_t current_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace

std::unique_ptr<BodyReader> make_string_reader(std::string bytes) {
  return std::make_unique<TextReader<std::string>>(std::move(bytes));
}

std::unique_ptr<BodyReader> make_extent_reader(std::vector<FileExtent> extents) {
  return std::make_unique<ExtentReader>(std::move(extents));
}

std::optional<std::string_view> bytes_of(const Body& body) {
  if (const auto* text = std::get_if<std::string>(&body)) return *text;
  if (const auto* shared = std::get_if<SharedText>(&body)) return shared->text;
  return std::nullopt;
}

std::unique_ptr<BodyReader> make_reader(Body body) {
  if (auto* text = std::get_if<std::string>(&body)) return make_string_reader(std::move(*text));
  if (auto* extents = std::get_if<std::vector<FileExtent>>(&body)) {
    return make_extent_reader(std::move(*extents));
  }
  if (auto* shared = std::get_if<SharedText>(&body)) {
    return std::make_unique<TextReader<SharedText>>(std::move(*shared));
  }
  return std::get<std::unique_ptr<BodyReader>>(std::move(body));
}

asio::awaitable<Result<std::string>> read_all(BodyReader& reader, std::uint64_t limit) {
  std::string all;
  constexpr std::size_t step = 64u << 10;
  for (;;) {
    const std::size_t before = all.size();
    all.resize(before + step);
    auto got = co_await reader.read(std::as_writable_bytes(std::span(all)).subspan(before));
    if (!got) co_return std::unexpected(got.error());
    all.resize(before + *got);
    if (all.size() > limit) {
      co_return fail(ErrorCode::entity_too_large, "the body is over {} bytes", limit);
    }
    if (*got == 0) co_return all;
  }
}

}  // namespace holdfast
