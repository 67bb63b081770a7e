// Delegation cannot exceed the grantor.
#include "tests/unit/control/fixtures.h"

namespace holdfast::control {
namespace {

using testing::administrator;
using testing::as;
using testing::RegistryTest;
using namespace std::chrono_literals;

TEST_F(RegistryTest, AnAdminOfAPlaceGrantsThereAndNowhereElse) {
  user("alice");
  user("bob");
  ASSERT_TRUE(registry->add_grant(administrator(), wanted("alice", "team/", Level::admin)));
  EXPECT_TRUE(registry->add_grant(as("alice"), wanted("bob", "team/x/", Level::write)));
  EXPECT_TRUE(registry->add_grant(as("alice"), wanted("bob", "team", Level::read)));
  for (const auto* outside : {"", "team2/", "teams", "other/"}) {
    EXPECT_EQ(code(registry->add_grant(as("alice"), wanted("bob", outside, Level::read))),
              ErrorCode::access_denied)
        << outside;
  }
  auto other = wanted("bob", "team/", Level::read);
  other.bucket = BucketName("elsewhere");
  EXPECT_EQ(code(registry->add_grant(as("alice"), other)), ErrorCode::access_denied);
}

TEST_F(RegistryTest, WritersCannotGrantAtAll) {
  user("alice");
  user("bob");
  ASSERT_TRUE(registry->add_grant(administrator(), wanted("alice", "", Level::write)));
  EXPECT_EQ(code(registry->add_grant(as("alice"), wanted("bob", "", Level::read))),
            ErrorCode::access_denied);
}

TEST_F(RegistryTest, WhatIsDelegatedEndsWithTheGrantor) {
  user("alice");
  user("bob");
  auto own = wanted("alice", "", Level::admin);
  own.not_after = clock.now() + 2h;
  ASSERT_TRUE(registry->add_grant(administrator(), own));
  auto given = wanted("bob", "a/", Level::read);
  EXPECT_EQ(code(registry->add_grant(as("alice"), given)), ErrorCode::access_denied);
  given.not_after = clock.now() + 3h;
  EXPECT_EQ(code(registry->add_grant(as("alice"), given)), ErrorCode::access_denied);
  given.not_after = clock.now() + 1h;
  EXPECT_TRUE(registry->add_grant(as("alice"), given));
  clock.advance(2h);
  given.not_after = clock.now() + 1min;
  EXPECT_EQ(code(registry->add_grant(as("alice"), given)), ErrorCode::access_denied)
      << "the grantor's own has expired";
}

TEST_F(RegistryTest, AdminByGroupDelegatesUntilTheGroupIsDisabled) {
  user("alice");
  user("bob");
  user("team", PrincipalKind::group);
  ASSERT_TRUE(
      registry->add_member(administrator(), {PrincipalName("team"), PrincipalName("alice")}));
  ASSERT_TRUE(registry->add_grant(administrator(), wanted("team", "", Level::admin)));
  auto made = registry->add_grant(as("alice"), wanted("bob", "a/", Level::read));
  ASSERT_TRUE(made) << made.error().context;
  EXPECT_TRUE(registry->remove_grant(as("alice"), made->id));
  ASSERT_TRUE(registry->disable_principal(administrator(), PrincipalName("team")));
  EXPECT_EQ(code(registry->add_grant(as("alice"), wanted("bob", "a/", Level::read))),
            ErrorCode::access_denied);
}

TEST_F(RegistryTest, TheSameGrantTwiceIsSaidAndAnExpiredOneIsReplaced) {
  user("bob");
  auto grant = wanted("bob", "a/", Level::read);
  grant.not_after = clock.now() + 1h;
  ASSERT_TRUE(registry->add_grant(administrator(), grant));
  EXPECT_EQ(code(registry->add_grant(administrator(), grant)), ErrorCode::already_exists);
  clock.advance(2h);
  grant.not_after = clock.now() + 1h;
  EXPECT_TRUE(registry->add_grant(administrator(), grant));
  EXPECT_EQ(registry->grants({})->size(), 1u);
}

TEST_F(RegistryTest, ADisabledAdminOfAPlaceGrantsNothing) {
  user("alice");
  user("bob");
  ASSERT_TRUE(registry->add_grant(administrator(), wanted("alice", "", Level::admin)));
  ASSERT_TRUE(registry->disable_principal(administrator(), PrincipalName("alice")));
  EXPECT_EQ(code(registry->add_grant(as("alice"), wanted("bob", "", Level::read))),
            ErrorCode::access_denied);
}

}  // namespace
}  // namespace holdfast::control
