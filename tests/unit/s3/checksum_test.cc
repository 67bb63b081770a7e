#include "s3/checksum.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/random.h"
#include "s3/crc.h"

namespace holdfast::s3 {
namespace {

constexpr Algorithm all[] = {Algorithm::crc32,   Algorithm::crc32c, Algorithm::crc64nvme,
                             Algorithm::sha1,    Algorithm::sha256, Algorithm::md5,
                             Algorithm::xxh3_128};

std::string hex_of(Algorithm algorithm, std::string_view text) {
  return to_hex(as_bytes(digest_of(algorithm, text)));
}

std::string random_text(SeededRandom& random, std::size_t size) {
  std::string out(size, '\0');
  random.fill(std::as_writable_bytes(std::span(out)));
  return out;
}

TEST(Checksum, GivesTheKnownAnswers) {
  EXPECT_EQ(hex_of(Algorithm::crc32, "123456789"), "cbf43926");
  EXPECT_EQ(hex_of(Algorithm::crc32c, "123456789"), "e3069283");
  EXPECT_EQ(hex_of(Algorithm::crc64nvme, "123456789"), "ae8b14860a799888");
  EXPECT_EQ(hex_of(Algorithm::sha1, "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex_of(Algorithm::sha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of(Algorithm::md5, "abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hex_of(Algorithm::xxh3_128, ""), "99aa06d3014798d86001c324468d497f");
}

TEST(Checksum, OfNothingIsWhatClientsSendForEmptyBodies) {
  EXPECT_EQ(Hasher(Algorithm::crc32).base64(), "AAAAAA==");
  EXPECT_EQ(Hasher(Algorithm::crc64nvme).base64(), "AAAAAAAAAAA=");
  EXPECT_EQ(Hasher(Algorithm::md5).base64(), "1B2M2Y8AsgTpgAmY7PhCfg==");
}

TEST(Checksum, DoesNotDependOnHowTheBytesArrive) {
  SeededRandom random(7);
  for (int round = 0; round < 200; ++round) {
    const std::string text = random_text(random, random.below(3000));
    for (const Algorithm algorithm : all) {
      Hasher hasher(algorithm);
      for (std::string_view rest = text; !rest.empty();) {
        const auto n = 1 + random.below(rest.size());
        hasher.update(rest.substr(0, n));
        rest.remove_prefix(n);
      }
      EXPECT_EQ(hasher.digest(), digest_of(algorithm, text));
      EXPECT_EQ(hasher.digest().size(), digest_bytes(algorithm));
    }
  }
}

TEST(Checksum, TheFastCrcAgreesWithTheTables) {
  SeededRandom random(11);
  for (std::size_t size = 0; size < 1200; ++size) {
    const std::string text = random_text(random, size);
    for (const CrcKind kind : {CrcKind::crc32, CrcKind::crc32c, CrcKind::crc64nvme}) {
      const std::uint64_t start = crc_update(kind, 0, as_bytes("before"));
      EXPECT_EQ(crc_update(kind, start, as_bytes(text)),
                crc_update_portable(kind, start, as_bytes(text)))
          << size;
    }
  }
}

TEST(Checksum, CombinesCrcsOfParts) {
  SeededRandom random(13);
  for (int round = 0; round < 300; ++round) {
    const std::string a = random_text(random, random.below(500));
    const std::string b = random_text(random, random.below(500));
    for (const Algorithm algorithm : {Algorithm::crc32, Algorithm::crc32c, Algorithm::crc64nvme}) {
      EXPECT_EQ(combine(algorithm, digest_of(algorithm, a), digest_of(algorithm, b), b.size()),
                digest_of(algorithm, a + b));
    }
  }
}

TEST(Checksum, CombinesOverPartsLargerThanFourGibibytes) {
  // Three zero runs of 3 GiB, joined in either order, are the same 9 GiB.
  const auto run = digest_of(Algorithm::crc64nvme, std::string(1 << 20, '\0'));
  auto doubled = run;
  std::uint64_t bytes = 1 << 20;
  while (bytes < (9ull << 30)) {
    doubled = combine(Algorithm::crc64nvme, doubled, doubled, bytes);
    bytes *= 2;
  }
  const auto left = combine(Algorithm::crc64nvme,
                            combine(Algorithm::crc64nvme, run, doubled, bytes), run, 1 << 20);
  const auto right =
      combine(Algorithm::crc64nvme, run, combine(Algorithm::crc64nvme, doubled, run, 1 << 20),
              bytes + (1 << 20));
  EXPECT_EQ(left, right);
}

TEST(Checksum, NamesRoundTripAndInternalOnesAreNotOfferedOnTheWire) {
  for (const Algorithm algorithm : all) {
    if (algorithm == Algorithm::md5 || algorithm == Algorithm::xxh3_128) {
      EXPECT_FALSE(from_api_name(api_name(algorithm)));
      continue;
    }
    EXPECT_EQ(from_checksum_header(checksum_header(algorithm)), algorithm);
    EXPECT_EQ(from_api_name(api_name(algorithm)), algorithm);
  }
  EXPECT_EQ(from_api_name("crc64nvme"), Algorithm::crc64nvme);
  EXPECT_FALSE(from_checksum_header(""));
  EXPECT_FALSE(from_checksum_header("x-amz-checksum-md5"));
}

TEST(Checksum, DecodingIsStrict) {
  EXPECT_EQ(decode_checksum(Algorithm::crc32, "AAAAAA=="), std::string(4, '\0'));
  for (const char* bad : {"", "AAAA", "AAAAAA", "AAAAAA==-2", "AAAAAAAAAAA=", "!!!!!!=="}) {
    EXPECT_FALSE(decode_checksum(Algorithm::crc32, bad)) << bad;
  }
}

}  // namespace
}  // namespace holdfast::s3
