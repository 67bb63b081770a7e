#include "s3/payload.h"

#include <algorithm>

#include "base/encoding.h"

namespace holdfast::s3 {
namespace {

using boost::asio::awaitable;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A body that is sent as it is; its SHA-256 is compared at the end where it was signed.
class PlainPayload final : public PayloadReader {
 public:
  PlainPayload(BodyReader& wire, const VerifiedSignature& signature)
      : wire_(wire),
        hashed_(signature.payload == PayloadMode::hashed),
        expected_(from_hex(signature.payload_hash).value_or("")) {}

  awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (failure_) co_return std::unexpected(to_error(*failure_));
    const auto n = co_await wire_.read(out);
    if (!n || !hashed_) co_return n;
    if (*n != 0) {
      hash_.update(text_of(out.first(*n)));
      co_return n;
    }
    if (!ended_) {
      ended_ = true;
      const Sha256Digest digest = hash_.finish();
      if (!constant_time_equal(text_of(digest), expected_)) {
        failure_ = ApiFailure{ApiError::content_sha256_mismatch, ""};
        co_return std::unexpected(to_error(*failure_));
      }
    }
    co_return n;
  }

  std::optional<std::uint64_t> size() const override { return wire_.size(); }
  const std::optional<ApiFailure>& failure() const override { return failure_; }
  std::optional<std::pair<Algorithm, std::string>> trailing_checksum() const override {
    return std::nullopt;
  }

 private:
  BodyReader& wire_;
  bool hashed_;
  bool ended_ = false;
  std::string expected_;
  Sha256 hash_;
  std::optional<ApiFailure> failure_;
};

class ChunkedPayload final : public PayloadReader {
 public:
  ChunkedPayload(BodyReader& wire, const VerifiedSignature& signature, PayloadOptions options,
                 std::optional<Algorithm> trailing)
      : wire_(wire),
        decoded_length_(*options.decoded_length),
        decoder_(signature, {*options.decoded_length, std::move(options.trailers)}),
        algorithm_(trailing) {
    if (algorithm_) hasher_.emplace(*algorithm_);
  }

  awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (failure_) co_return std::unexpected(to_error(*failure_));
    while (!ended_) {
      // Decodes in place: what was read into `out` moves to its front.
      const auto n = co_await wire_.read(out);
      if (!n) co_return n;
      if (*n == 0) co_return end_of_wire();
      const auto made = take(out.first(*n), out);
      if (!made) co_return std::unexpected(to_error(made.error()));
      if (*made != 0) co_return *made;
    }
    co_return std::size_t{0};
  }

  std::optional<std::uint64_t> size() const override { return decoded_length_; }
  const std::optional<ApiFailure>& failure() const override { return failure_; }
  std::optional<std::pair<Algorithm, std::string>> trailing_checksum() const override {
    if (!ended_ || failure_ || !algorithm_) return std::nullopt;
    return std::pair(*algorithm_, decoder_.trailers().front().second);
  }

 private:
  // Payload bytes made at the front of `out`. `in` is consumed whole, since `out` is no smaller.
  ApiResult<std::size_t> take(std::span<const std::byte> in, std::span<std::byte> out) {
    const auto progress = decoder_.decode(in, out);
    if (!progress) return give_up(progress.error());
    if (progress->consumed != in.size()) {
      return give_up({ApiError::invalid_request, "there are bytes behind the aws-chunked body"});
    }
    if (hasher_) hasher_->update(std::span<const std::byte>(out.first(progress->produced)));
    return progress->produced;
  }

  Result<std::size_t> end_of_wire() {
    ended_ = true;
    auto whole = decoder_.finish();
    if (whole) whole = check_trailer();
    if (whole) return std::size_t{0};
    failure_ = whole.error();
    return std::unexpected(to_error(*failure_));
  }

  ApiResult<void> check_trailer() const {
    if (!algorithm_) return {};
    const auto expected = decode_checksum(*algorithm_, decoder_.trailers().front().second);
    if (!expected) {
      return refuse(ApiError::invalid_request,
                    "Value for the trailing checksum header is invalid.");
    }
    if (*expected != hasher_->digest()) return refuse(ApiError::checksum_mismatch);
    return {};
  }

  std::unexpected<ApiFailure> give_up(ApiFailure failure) {
    failure_ = failure;
    return std::unexpected(std::move(failure));
  }

  BodyReader& wire_;
  std::uint64_t decoded_length_;
  ChunkedDecoder decoder_;
  std::optional<Algorithm> algorithm_;
  std::optional<Hasher> hasher_;
  bool ended_ = false;
  std::optional<ApiFailure> failure_;
};

}  // namespace

ApiResult<std::unique_ptr<PayloadReader>> PayloadReader::open(BodyReader& wire,
                                                              const VerifiedSignature& signature,
                                                              PayloadOptions options) {
  switch (signature.payload) {
    case PayloadMode::hashed:
    case PayloadMode::unsigned_payload:
      if (!options.trailers.empty()) {
        return refuse(ApiError::invalid_request, "x-amz-trailer needs a STREAMING-…-TRAILER body");
      }
      return std::make_unique<PlainPayload>(wire, signature);
    case PayloadMode::streaming_signed:
    case PayloadMode::streaming_signed_trailer:
    case PayloadMode::streaming_unsigned_trailer:
      break;
  }
  if (!options.decoded_length) {
    return refuse(ApiError::missing_content_length,
                  "You must provide the x-amz-decoded-content-length HTTP header.");
  }
  if (signature.payload == PayloadMode::streaming_signed && !options.trailers.empty()) {
    return refuse(ApiError::invalid_request, "x-amz-trailer needs a STREAMING-…-TRAILER body");
  }
  std::optional<Algorithm> trailing;
  for (const std::string& name : options.trailers) {
    const auto algorithm = from_checksum_header(name);
    if (!algorithm || trailing) {
      return refuse(ApiError::invalid_request,
                    "The value specified in the x-amz-trailer header is "
                    "not supported");
    }
    trailing = algorithm;
  }
  return std::make_unique<ChunkedPayload>(wire, signature, std::move(options), trailing);
}

}  // namespace holdfast::s3
