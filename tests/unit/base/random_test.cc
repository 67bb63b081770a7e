#include "base/random.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace holdfast {
namespace {

TEST(Random, TheSameSeedGivesTheSameBytes) {
  SeededRandom a(42), b(42), c(43);
  const auto text = a.hex(64);
  EXPECT_EQ(text.size(), 128u);
  EXPECT_EQ(text, b.hex(64));
  EXPECT_NE(text, c.hex(64));
}

TEST(Random, BelowStaysBelowAndReachesEveryValue) {
  SeededRandom random(1);
  std::vector<int> seen(7);
  for (int i = 0; i < 7000; ++i) {
    const auto value = random.below(7);
    ASSERT_LT(value, 7u);
    ++seen[value];
  }
  for (const int count : seen) EXPECT_GT(count, 800);
  EXPECT_EQ(random.below(1), 0u);
  for (int i = 0; i < 100; ++i) EXPECT_LT(random.below(UINT64_MAX), UINT64_MAX);
}

TEST(Random, SystemBytesFillTheWholeSpanAndDoNotRepeat) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(seen.insert(random.hex(16)).second);
  std::vector<std::byte> large(1 << 20);  // more than one getrandom(2) gives
  random.fill(large);
  const std::vector<std::byte> zeros(64);
  EXPECT_FALSE(std::equal(zeros.begin(), zeros.end(), large.end() - 64));
  random.fill({});
}

}  // namespace
}  // namespace holdfast
