#include "s3/payload.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "chunked_samples.h"

namespace holdfast::s3 {
namespace {

template <class T>
T wait_for(boost::asio::awaitable<T> task) {
  boost::asio::io_context context;
  std::optional<T> answer;
  std::exception_ptr thrown;
  boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr error, T value) {
    thrown = error;
    answer = std::move(value);
  });
  context.run();
  if (thrown) std::rethrow_exception(thrown);
  return std::move(*answer);
}

struct Outcome {
  Result<std::string> body = std::string();
  std::optional<ApiError> failure;
  std::optional<std::pair<Algorithm, std::string>> checksum;
};

Outcome run(const VerifiedSignature& signature, PayloadOptions options, std::string wire_bytes) {
  const auto wire = make_string_reader(std::move(wire_bytes));
  auto payload = PayloadReader::open(*wire, signature, std::move(options));
  Outcome out;
  if (!payload) {
    out.failure = payload.error().error;
    return out;
  }
  out.body = wait_for(read_all(**payload, 1 << 20));
  if ((*payload)->failure()) out.failure = (*payload)->failure()->error;
  out.checksum = (*payload)->trailing_checksum();
  return out;
}

VerifiedSignature hashed(std::string_view body) {
  VerifiedSignature signature;
  signature.payload = PayloadMode::hashed;
  signature.payload_hash = sha256_hex(body);
  return signature;
}

TEST(Payload, TheSignedHashMustBeThatOfTheBody) {
  EXPECT_EQ(*run(hashed("body"), {}, "body").body, "body");
  const auto forged = run(hashed("body"), {}, "bodY");
  EXPECT_FALSE(forged.body);
  EXPECT_EQ(forged.failure, ApiError::content_sha256_mismatch);
  EXPECT_EQ(run(hashed("body"), {}, "").failure, ApiError::content_sha256_mismatch);
}

TEST(Payload, UnsignedBodiesPassAsTheyAre) {
  EXPECT_EQ(*run(VerifiedSignature{}, {}, "3\r\nabc").body, "3\r\nabc");
}

TEST(Payload, TheDocumentedUploadsAreDecoded) {
  const auto plain =
      run(sample::verified_seed(streaming_payload), {66560, {}}, sample::documented_body());
  EXPECT_EQ(plain.body.value(), std::string(66560, 'a'));
  const auto trailer =
      run(sample::verified_seed(streaming_payload_trailer), {66560, {"x-amz-checksum-crc32c"}},
          sample::documented_trailer_body("\r\n"));
  EXPECT_EQ(trailer.body.value().size(), 66560u);
  ASSERT_TRUE(trailer.checksum);
  EXPECT_EQ(trailer.checksum->first, Algorithm::crc32c);
  EXPECT_EQ(trailer.checksum->second, "sOO8/Q==");
}

TEST(Payload, TheTrailingChecksumMustBeThatOfTheBody) {
  const auto with = [](std::string_view value) {
    return run(sample::unsigned_seed(), {3, {"x-amz-checksum-crc32"}},
               "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:" + std::string(value) + "\r\n\r\n");
  };
  EXPECT_EQ(with("NSRBwg==").body.value(), "abc");
  EXPECT_EQ(with("NSRBwA==").failure, ApiError::checksum_mismatch);
  EXPECT_EQ(with("nonsense").failure, ApiError::invalid_request);
}

TEST(Payload, TamperingTruncationAndTailsNeverEndWell) {
  const auto seed = sample::verified_seed(streaming_payload);
  std::string wire = sample::documented_body();
  wire[70'000 - 5000] = 'b';
  EXPECT_EQ(run(seed, {66560, {}}, wire).failure, ApiError::signature_does_not_match);
  wire = sample::documented_body();
  EXPECT_EQ(run(seed, {66560, {}}, wire.substr(0, 66000)).failure, ApiError::incomplete_body);
  EXPECT_EQ(run(seed, {66560, {}}, wire + "x").failure, ApiError::invalid_request);
  EXPECT_EQ(run(seed, {66560, {}}, "").failure, ApiError::incomplete_body);
}

TEST(Payload, StreamingNeedsALengthAndKnownTrailers) {
  const auto seed = sample::unsigned_seed();
  EXPECT_EQ(run(seed, {std::nullopt, {}}, "").failure, ApiError::missing_content_length);
  EXPECT_EQ(run(seed, {3, {"x-amz-meta-a"}}, "").failure, ApiError::invalid_request);
  EXPECT_EQ(run(seed, {3, {"x-amz-checksum-crc32", "x-amz-checksum-sha1"}}, "").failure,
            ApiError::invalid_request);
  EXPECT_EQ(run(VerifiedSignature{}, {3, {"x-amz-checksum-crc32"}}, "abc").failure,
            ApiError::invalid_request);
  EXPECT_EQ(
      run(sample::verified_seed(streaming_payload), {3, {"x-amz-checksum-crc32"}}, "").failure,
      ApiError::invalid_request);
}

}  // namespace
}  // namespace holdfast::s3
