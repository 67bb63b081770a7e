#include "store/s3_bodies.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "store/checksum_names.h"

namespace holdfast::store {
namespace {

class VerifyingReader final : public BodyReader {
 public:
  VerifyingReader(std::unique_ptr<BodyReader> source, std::string name, std::uint64_t length)
      : source_(std::move(source)), name_(std::move(name)), length_(length) {}

  void expect(s3::Algorithm algorithm, std::string digest) {
    hasher_.emplace(algorithm);
    expected_ = std::move(digest);
  }

  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    auto got = co_await source_->read(out);
    if (!got) co_return std::unexpected(got.error());
    done_ += *got;
    if (*got > 0) {
      if (hasher_) hasher_->update(std::span<const std::byte>(out.first(*got)));
      co_return *got;
    }
    if (done_ != length_) {
      co_return fail(ErrorCode::incomplete_body, "read of {}: {} of {} bytes came", name_, done_,
                     length_);
    }
    if (hasher_ && hasher_->digest() != expected_) {
      co_return fail(ErrorCode::corrupted, "read of {}: the bytes do not match the checksum",
                     name_);
    }
    co_return 0;
  }
  std::optional<std::uint64_t> size() const override { return length_; }

 private:
  std::unique_ptr<BodyReader> source_;
  std::string name_;
  std::uint64_t length_;
  std::uint64_t done_ = 0;
  std::optional<s3::Hasher> hasher_;
  std::string expected_;
};

}  // namespace

UploadReader::UploadReader(BodyReader& source, UploadRules rules)
    : source_(source), rules_(std::move(rules)), md5_(s3::Algorithm::md5) {
  for (const auto& expected : rules_.expected) hashers_.emplace_back(to_s3(expected.algorithm));
}

boost::asio::awaitable<Result<void>> UploadReader::check_end() {
  std::array<std::byte, 1> extra;
  auto more = co_await source_.read(extra);
  if (!more) co_return std::unexpected(more.error());
  if (*more != 0) {
    co_return fail(ErrorCode::incomplete_body, "the body is longer than the declared {} bytes",
                   rules_.size);
  }
  if (rules_.md5 && md5_.digest() != *rules_.md5) {
    co_return fail(ErrorCode::bad_digest, "the body has another MD5 than was declared");
  }
  for (std::size_t i = 0; i < hashers_.size(); ++i) {
    if (hashers_[i].base64() != rules_.expected[i].value) {
      co_return fail(ErrorCode::checksum_mismatch, "the body has another {} than was declared",
                     s3::api_name(hashers_[i].algorithm()));
    }
  }
  co_return Result<void>();
}

boost::asio::awaitable<Result<std::size_t>> UploadReader::read(std::span<std::byte> out) {
  if (failure_) co_return std::unexpected(*failure_);
  const std::uint64_t left = rules_.size - done_;
  if (left == 0) co_return 0;
  auto got = co_await source_.read(out.first(std::min<std::uint64_t>(out.size(), left)));
  if (got && *got == 0) {
    got = fail(ErrorCode::incomplete_body, "{} bytes were declared, {} came", rules_.size, done_);
  }
  if (!got) {
    failure_ = got.error();
    co_return std::unexpected(got.error());
  }
  const auto bytes = std::span<const std::byte>(out.first(*got));
  md5_.update(bytes);
  for (auto& hasher : hashers_) hasher.update(bytes);
  if (done_ + *got == rules_.size) {
    if (auto ended = co_await check_end(); !ended) {
      failure_ = ended.error();
      co_return std::unexpected(ended.error());
    }
  }
  done_ += *got;
  co_return *got;
}

bool is_md5_etag(std::string_view etag) {
  return etag.size() == 32 && std::ranges::all_of(etag, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::unique_ptr<BodyReader> make_verifying_reader(std::unique_ptr<BodyReader> source,
                                                  const ObjectInfo& info, std::uint64_t length,
                                                  bool whole) {
  auto reader =
      std::make_unique<VerifyingReader>(std::move(source), log_field(info.key.value), length);
  if (!whole) return reader;
  for (const auto& checksum : info.checksums) {
    if (checksum.type != ChecksumType::full_object) continue;
    auto digest = s3::decode_checksum(to_s3(checksum.algorithm), checksum.value);
    if (!digest) continue;
    reader->expect(to_s3(checksum.algorithm), std::move(*digest));
    return reader;
  }
  if (is_md5_etag(info.etag.value)) {
    reader->expect(s3::Algorithm::md5, from_hex(info.etag.value).value_or(""));
  }
  return reader;
}

}  // namespace holdfast::store
