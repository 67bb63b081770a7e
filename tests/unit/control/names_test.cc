#include "control/names.h"

#include <gtest/gtest.h>

namespace holdfast::control {

TEST(Names, PrincipalsAreShortLowerCaseWordsAndNoReservedOnes) {
  for (const auto* good : {"alice", "_x", "a", "a-b_c9", "admin"}) {
    EXPECT_TRUE(check_principal_name(good)) << good;
  }
  for (const auto* bad : {"", "Alice", "9a", "-a", "a/b", "a b", "\xc3\xa9", "root", "..",
                          "abcdefghijklmnopqrstuvwxyz012345"}) {
    auto refused = check_principal_name(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_name);
    EXPECT_GT(refused.error().context.size(), 20u) << "a sentence that says what is allowed";
  }
}

TEST(Names, PrefixesAreKeysNotPaths) {
  EXPECT_TRUE(check_prefix(""));
  EXPECT_TRUE(check_prefix("a//b"));
  EXPECT_TRUE(check_prefix(std::string(1024, 'x')));
  EXPECT_FALSE(check_prefix(std::string(1025, 'x')));
  EXPECT_FALSE(check_prefix("/a"));
  EXPECT_FALSE(check_prefix(std::string_view("a\0b", 3)));
}

TEST(Names, BucketsAreNamedAsInS3) {
  EXPECT_TRUE(check_bucket_name("research"));
  EXPECT_TRUE(check_bucket_name("a.b-c"));
  for (const auto* bad : {"ab", "Research", "-ab", "ab-", "a..b", "a_b", ""}) {
    EXPECT_FALSE(check_bucket_name(bad)) << bad;
  }
}

TEST(Names, AnExpiryLiesInTheFuture) {
  const TimePoint now(std::chrono::seconds(1000));
  EXPECT_TRUE(check_not_after(std::nullopt, now));
  EXPECT_TRUE(check_not_after(now + std::chrono::seconds(1), now));
  EXPECT_FALSE(check_not_after(now, now));
}

}  // namespace holdfast::control
