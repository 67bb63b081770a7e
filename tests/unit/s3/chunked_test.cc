#include "s3/chunked.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "chunked_samples.h"

namespace holdfast::s3 {
namespace {

struct Outcome {
  std::string payload;
  std::optional<ApiError> error;
  std::vector<std::pair<std::string, std::string>> trailers;
};

// Feeds `wire` in pieces of at most `piece` bytes, with `room` bytes for the output.
Outcome run(const VerifiedSignature& seed, ChunkedOptions options, std::string_view wire,
            std::size_t piece = 1 << 20, std::size_t room = 1 << 20) {
  ChunkedDecoder decoder(seed, std::move(options));
  Outcome outcome;
  std::vector<std::byte> out(room);
  while (!wire.empty()) {
    const auto step = decoder.decode(as_bytes(wire.substr(0, piece)), out);
    if (!step) {
      outcome.error = step.error().error;
      return outcome;
    }
    outcome.payload.append(reinterpret_cast<const char*>(out.data()), step->produced);
    wire.remove_prefix(step->consumed);
    if (decoder.done()) break;
  }
  if (!wire.empty()) outcome.error = ApiError::invalid_request;
  if (const auto whole = decoder.finish(); !whole) outcome.error = whole.error().error;
  outcome.trailers = decoder.trailers();
  return outcome;
}

const ChunkedOptions documented{66560, {}};
const ChunkedOptions with_crc{66560, {"x-amz-checksum-crc32c"}};

TEST(Chunked, DecodesTheDocumentedUploadHoweverItIsCut) {
  const auto seed = sample::verified_seed(streaming_payload);
  for (const std::size_t piece : {1u, 7u, 1000u, 65536u, 1u << 20}) {
    for (const std::size_t room : {1u, 13u, 1u << 20}) {
      const auto outcome = run(seed, documented, sample::documented_body(), piece, room);
      EXPECT_FALSE(outcome.error);
      EXPECT_EQ(outcome.payload, std::string(66560, 'a'));
    }
  }
}

TEST(Chunked, DecodesTheDocumentedUploadWithSignedTrailer) {
  const auto seed = sample::verified_seed(streaming_payload_trailer);
  for (const char* line_end : {"\r\n", "\n", "\n\r\n"}) {
    const auto outcome = run(seed, with_crc, sample::documented_trailer_body(line_end), 100);
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.payload.size(), 66560u);
    ASSERT_EQ(outcome.trailers.size(), 1u);
    EXPECT_EQ(outcome.trailers[0].second, "sOO8/Q==");
  }
}

TEST(Chunked, DecodesInPlace) {
  const auto seed = sample::verified_seed(streaming_payload);
  std::string buffer = sample::documented_body();
  ChunkedDecoder decoder(seed, documented);
  const auto bytes = std::as_writable_bytes(std::span(buffer));
  const auto step = decoder.decode(bytes, bytes);
  ASSERT_TRUE(step);
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(buffer.substr(0, step->produced), std::string(66560, 'a'));
}

TEST(Chunked, EveryFlippedByteIsNoticed) {
  const auto seed = sample::verified_seed(streaming_payload_trailer);
  const std::string good = sample::documented_trailer_body("\r\n");
  SeededRandom random(3);
  for (std::size_t i = 0; i < good.size(); i += i < 200 || i > 65600 ? 3 : 5003) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1u << random.below(8)));
    // Case of hex sizes and of trailer names carries no meaning.
    if (ascii_lower(bad) == ascii_lower(good) && bad[i] != 'A') continue;
    EXPECT_TRUE(run(seed, with_crc, bad).error) << i;
  }
}

TEST(Chunked, EveryTruncationIsNoticed) {
  const auto seed = sample::verified_seed(streaming_payload);
  const std::string good = sample::documented_body();
  for (std::size_t size = 0; size < good.size(); size += size < 200 || size > 66500 ? 1 : 4999) {
    EXPECT_EQ(run(seed, documented, good.substr(0, size)).error, ApiError::incomplete_body) << size;
  }
}

TEST(Chunked, ChunksCannotBeDroppedSwappedOrRepeated) {
  const auto seed = sample::verified_seed(streaming_payload);
  const std::string good = sample::documented_body();
  const auto second = good.find("400;chunk-signature");
  const auto last = good.rfind("0;chunk-signature=b6c6");
  const std::string a = good.substr(0, second), b = good.substr(second, last - second),
                    end = good.substr(last);
  EXPECT_FALSE(run(seed, documented, a + b + end).error);
  EXPECT_TRUE(run(seed, {65536, {}}, a + end).error);
  EXPECT_TRUE(run(seed, documented, b + a + end).error);
  EXPECT_TRUE(run(seed, {67584, {}}, a + b + b + end).error);
  EXPECT_TRUE(run(seed, {0, {}}, end).error);
}

TEST(Chunked, ChunksMustBeSignedWithTheRequestsKeyAndSeed) {
  auto seed = sample::verified_seed(streaming_payload);
  seed.key[0] ^= std::byte{1};
  EXPECT_EQ(run(seed, documented, sample::documented_body()).error,
            ApiError::signature_does_not_match);
  seed = sample::verified_seed(streaming_payload);
  seed.seed_signature[0] ^= 1;
  EXPECT_EQ(run(seed, documented, sample::documented_body()).error,
            ApiError::signature_does_not_match);
  EXPECT_EQ(run(sample::verified_seed(streaming_payload), {3, {}}, "3\r\nabc\r\n0\r\n\r\n").error,
            ApiError::signature_does_not_match);
}

TEST(Chunked, TheDecodedLengthMustBeExact) {
  const auto seed = sample::unsigned_seed();
  const std::string wire = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  EXPECT_EQ(run(seed, {5, {}}, wire).payload, "abcde");
  EXPECT_EQ(run(seed, {4, {}}, wire).error, ApiError::incomplete_body);
  EXPECT_EQ(run(seed, {6, {}}, wire).error, ApiError::incomplete_body);
  EXPECT_EQ(run(seed, {5, {}}, "ffffffffffffffff\r\nabc").error, ApiError::incomplete_body);
}

TEST(Chunked, AChunkOverTheDeclaredLengthIsRefusedBeforeItsDataIsHandedOut) {
  ChunkedDecoder decoder(sample::unsigned_seed(), {4, {}});
  std::vector<std::byte> out(100);
  EXPECT_EQ(decoder.decode(as_bytes("5\r\nab"), out).error().error, ApiError::incomplete_body);
}

TEST(Chunked, DeclaredTrailersMustArriveAndOthersMustNot) {
  const auto seed = sample::unsigned_seed();
  const ChunkedOptions declared{3, {"x-amz-checksum-crc32"}};
  const std::string body = "3\r\nabc\r\n0\r\n";
  const auto good = run(seed, declared, body + "x-amz-checksum-crc32:NSRBwg==\r\n\r\n");
  EXPECT_FALSE(good.error);
  EXPECT_EQ(good.trailers[0].second, "NSRBwg==");
  EXPECT_TRUE(run(seed, declared, body + "\r\n").error);
  EXPECT_TRUE(run(seed, {3, {}}, body + "x-amz-checksum-crc32:NSRBwg==\r\n\r\n").error);
  EXPECT_TRUE(run(seed, declared, body + "x-amz-meta-a:b\r\n\r\n").error);
  EXPECT_TRUE(
      run(seed, declared, body + "x-amz-checksum-crc32:a\r\nx-amz-checksum-crc32:b\r\n\r\n").error);
}

TEST(Chunked, SignedTrailersCannotBeLeftUnsigned) {
  const auto seed = sample::verified_seed(streaming_payload_trailer);
  const std::string good = sample::documented_trailer_body("\r\n");
  const auto at = good.find("x-amz-trailer-signature");
  EXPECT_TRUE(run(seed, with_crc, good.substr(0, at) + "\r\n\r\n").error);
  const auto first = good.find("x-amz-checksum");
  EXPECT_TRUE(run(seed, documented, good.substr(0, first) + "\r\n").error);
  EXPECT_TRUE(run(seed, with_crc, good.substr(0, at) + std::string(4000, '\n')).error);
}

TEST(Chunked, MalformedFramesAreRefused) {
  const auto seed = sample::unsigned_seed();
  for (const std::string& wire :
       {"x\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n", "\r\n3\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n", "3;other=1\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nno colon\r\n\r\n", "00000000000000003\r\nabc\r\n0\r\n\r\n"}) {
    EXPECT_TRUE(run(seed, {3, {}}, wire).error) << wire;
  }
  EXPECT_EQ(run(seed, {3, {}}, std::string(1 << 20, '1')).error, ApiError::invalid_request);
}

TEST(Chunked, AFailedDecoderStaysFailed) {
  ChunkedDecoder decoder(sample::unsigned_seed(), {3, {}});
  std::vector<std::byte> out(100);
  EXPECT_FALSE(decoder.decode(as_bytes("zz\r\n"), out));
  EXPECT_FALSE(decoder.decode(as_bytes("3\r\nabc\r\n0\r\n\r\n"), out));
  EXPECT_FALSE(decoder.done());
}

TEST(Chunked, TheEncoderWritesWhatTheDecoderReadsAndCountsItRight) {
  const std::string data(10'000, 'q');
  const std::vector<std::pair<std::string, std::string>> trailers{
      {"x-amz-checksum-crc32", "AAAAAA=="}};
  for (const std::size_t chunk : {1u, 999u, 5000u, 20'000u}) {
    std::string wire;
    for (std::string_view rest = data; !rest.empty();) {
      const auto part = rest.substr(0, chunk);
      wire += chunk_head(part.size());
      wire += part;
      wire += "\r\n";
      rest.remove_prefix(part.size());
    }
    wire += chunked_end(trailers);
    const std::vector<std::pair<std::string, std::size_t>> sizes{{"x-amz-checksum-crc32", 8}};
    EXPECT_EQ(wire.size(), chunked_length(data.size(), chunk, sizes));
    const auto outcome =
        run(sample::unsigned_seed(), {data.size(), {"x-amz-checksum-crc32"}}, wire);
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.payload, data);
  }
}

TEST(Chunked, TrailerNamesAreBounded) {
  EXPECT_EQ(parse_trailer_names(" X-Amz-Checksum-CRC32 "),
            std::vector<std::string>{"x-amz-checksum-crc32"});
  EXPECT_TRUE(parse_trailer_names("")->empty());
  for (const std::string& bad : {std::string("a,,b"), std::string("a b"), std::string("a,A"),
                                 std::string(100, 'a'), std::string("a\r\nb")}) {
    EXPECT_FALSE(parse_trailer_names(bad)) << bad;
  }
}

}  // namespace
}  // namespace holdfast::s3
