#include "s3/md5.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include "base/encoding.h"
#include "base/random.h"

namespace holdfast::s3 {
namespace {

using Kernel = Md5Lanes::Kernel;

std::string reference(std::string_view text) {
  std::string out(16, '\0');
  EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr,
             EVP_md5(), nullptr);
  return out;
}

std::string random_text(SeededRandom& random, std::size_t size) {
  std::string out(size, '\0');
  random.fill(std::as_writable_bytes(std::span(out)));
  return out;
}

TEST(Md5, GivesTheAnswersOfTheRfc) {
  const auto hex_of = [](std::string_view text) {
    Md5 stream;
    stream.update(text);
    return to_hex(as_bytes(stream.digest()));
  };
  EXPECT_EQ(hex_of(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hex_of("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(
      hex_of("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
      "57edf4a22be3c955ac49da2e2107b67a");
}

TEST(Md5, ADigestOnTheWayDoesNotEndTheStream) {
  Md5 stream;
  stream.update("mess");
  EXPECT_EQ(stream.digest(), reference("mess"));
  stream.update("age digest");
  EXPECT_EQ(stream.digest(), reference("message digest"));
}

class Md5Lane : public ::testing::TestWithParam<Kernel> {
 protected:
  void SetUp() override {
    if (!Md5Lanes::can_run(GetParam())) GTEST_SKIP() << "reason: the processor lacks it";
  }
};

// Streams of any length, fed by pieces of any length, beside any number of others.
TEST_P(Md5Lane, StreamsThatAdvanceTogetherGiveWhatEachGivesAlone) {
  SeededRandom random(11);
  const Md5Lanes lanes(GetParam());
  for (int round = 0; round < 300; ++round) {
    struct Body {
      std::string text;
      std::string_view left;
      Md5 stream;
    };
    std::vector<Body> bodies(1 + random.below(lanes.width()));
    for (auto& body : bodies) {
      body.text = random_text(random, random.below(round % 10 == 0 ? 300'000 : 1000));
      body.left = body.text;
    }
    std::vector<Md5Lanes::Piece> pieces;
    for (;;) {
      std::erase_if(pieces, [](const auto& piece) { return piece.bytes.empty(); });
      for (auto& body : bodies) {
        const auto has = [&](const auto& piece) { return piece.stream == &body.stream; };
        if (body.left.empty() || std::ranges::any_of(pieces, has) || random.below(4) == 0) continue;
        const auto size = 1 + random.below(body.left.size());
        pieces.push_back({&body.stream, body.left.substr(0, size)});
        body.left.remove_prefix(size);
      }
      if (!pieces.empty()) lanes.advance(pieces);
      const auto done = [](const auto& body) { return body.left.empty(); };
      if (pieces.empty() && std::ranges::all_of(bodies, done)) break;
    }
    for (const auto& body : bodies) {
      ASSERT_EQ(body.stream.digest(), reference(body.text)) << body.text.size();
    }
  }
}

TEST_P(Md5Lane, AnAdvanceTakesTheShortestWholeAndNoMoreThanAStepOfTheOthers) {
  const Md5Lanes lanes(GetParam());
  if (lanes.width() == 1) GTEST_SKIP() << "reason: one stream at a time";
  const std::string text(3 * Md5Lanes::step_bytes, 'x');
  Md5 first, second;
  first.update("begun");
  std::vector<Md5Lanes::Piece> pieces = {{&first, text}, {&second, std::string_view("short")}};
  lanes.advance(pieces);
  EXPECT_TRUE(pieces[1].bytes.empty());
  EXPECT_LT(pieces[0].bytes.size(), text.size());
  EXPECT_GE(pieces[0].bytes.size(), text.size() - Md5Lanes::step_bytes - 64);
}

// Past 2^32 bits the count of a stream goes on in a second word.
TEST_P(Md5Lane, CountsPastHalfAGibibyte) {
  const Md5Lanes lanes(GetParam());
  const std::string text(1u << 20, 'q');
  Md5 alone;
  for (int times = 0; times < 511; ++times) alone.update(text);
  std::vector<Md5> streams(std::min<std::size_t>(2, lanes.width()), alone);
  for (int times = 0; times < 2; ++times) {
    std::vector<Md5Lanes::Piece> pieces;
    for (auto& stream : streams) pieces.push_back({&stream, text});
    while (!pieces.front().bytes.empty()) lanes.advance(pieces);
    alone.update(text);
  }
  for (const auto& stream : streams) EXPECT_EQ(stream.digest(), alone.digest());
}

INSTANTIATE_TEST_SUITE_P(Kernels, Md5Lane,
                         ::testing::Values(Kernel::one_by_one, Kernel::avx2, Kernel::avx512));

}  // namespace
}  // namespace holdfast::s3
