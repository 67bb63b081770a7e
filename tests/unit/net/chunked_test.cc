#include "net/chunked.h"

#include <gtest/gtest.h>

namespace holdfast::net {
namespace {

// The decoded body and what was left behind it; nullopt when refused or unfinished.
std::optional<std::string> decode(std::string_view coded, std::size_t step, std::string* rest) {
  ChunkDecoder decoder;
  std::string body;
  std::string pending;
  while (!decoder.done()) {
    if (coded.empty()) return std::nullopt;
    pending += coded.substr(0, step);
    coded.remove_prefix(std::min(step, coded.size()));
    for (;;) {
      auto got = decoder.next(pending, 7);
      if (!got) return std::nullopt;
      body += pending.substr(got->skip, got->data);
      pending.erase(0, got->skip + got->data);
      if (got->data == 0) break;
    }
  }
  if (rest) *rest = pending + std::string(coded);
  return body;
}

TEST(ChunkDecoder, DecodesHoweverTheBytesArrive) {
  const std::string coded = "5;a=\"b\"\r\nhello\r\n00C\r\n, wide world\r\n0\r\nX-T: v\r\n\r\nGET /";
  for (std::size_t step = 1; step <= coded.size(); ++step) {
    std::string rest;
    EXPECT_EQ(decode(coded, step, &rest), "hello, wide world") << step;
    EXPECT_EQ(rest, "GET /") << step;
  }
}

TEST(ChunkDecoder, RefusesWhatIsNotExactlyChunked) {
  for (const std::string_view coded :
       {"5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n", "\r\n0\r\n\r\n", "x\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n", "10000000000000000\r\n", "5;\x01\r\nhello\r\n0\r\n\r\n",
        "0\r\nno colon\r\n\r\n", "0\r\n fold: x\r\n\r\n", "0\r\nA: b\n\r\n"}) {
    EXPECT_FALSE(decode(coded, coded.size(), nullptr)) << coded;
    EXPECT_FALSE(decode(coded, 1, nullptr)) << coded;
  }
}

TEST(ChunkDecoder, BoundsLinesAndTrailers) {
  EXPECT_FALSE(decode("1;" + std::string(5000, 'a') + "\r\nx\r\n0\r\n\r\n", 100, nullptr));
  std::string many = "0\r\n";
  for (int i = 0; i < 20; ++i) many += "A: " + std::string(1000, 'a') + "\r\n";
  EXPECT_FALSE(decode(many + "\r\n", 100, nullptr));
}

}  // namespace
}  // namespace holdfast::net
