#include "control/policy.h"

#include <gtest/gtest.h>

namespace holdfast::control {
namespace {

using namespace std::chrono_literals;

const TimePoint noon(std::chrono::hours(500'000));

Grant grant(std::int64_t id, std::string who, std::string prefix, Level level,
            std::optional<TimePoint> not_after = std::nullopt) {
  return {.id = id,
          .principal = PrincipalName(std::move(who)),
          .bucket = BucketName("research"),
          .prefix = std::move(prefix),
          .level = level,
          .not_after = not_after};
}

PolicyContent content(std::vector<Grant> grants) {
  PolicyContent made{.epoch = 3, .homes_bucket = BucketName("homes")};
  made.principals = {
      {.name = PrincipalName("alice"), .uid = 20000, .groups = {PrincipalName("analysts")}},
      {.name = PrincipalName("bob"), .uid = 20001},
      {.name = PrincipalName("carol"), .disabled = true, .uid = 20002},
      {.name = PrincipalName("dora"), .admin = true, .uid = 20003},
      {.name = PrincipalName("robot")},
      {.name = PrincipalName("analysts")}};
  made.grants = std::move(grants);
  return made;
}

struct Ask {
  std::string who = "bob";
  Action action = Action::read_object;
  std::string path;
  std::string bucket = "research";
  TimePoint now = noon;
  const KeyRecord* key = nullptr;
};

Decision ask(const PolicySnapshot& policy, const Ask& request) {
  return policy.decide({.key = request.key,
                        .principal = PrincipalName(request.who),
                        .action = request.action,
                        .bucket = BucketName(request.bucket),
                        .path = request.path,
                        .now = request.now});
}

bool may(const PolicySnapshot& policy, const Ask& request) { return ask(policy, request).allowed; }

}  // namespace

TEST(Policy, NothingIsAllowedWithoutAGrantAndTheReasonIsSaid) {
  const PolicySnapshot policy(content({}));
  const auto decision = ask(policy, {.path = "x"});
  EXPECT_FALSE(decision.allowed);
  EXPECT_FALSE(decision.reason.empty());
  EXPECT_FALSE(may(policy, {.who = "nobody-known", .action = Action::list_buckets}));
  EXPECT_TRUE(may(policy, {.action = Action::list_buckets}));
}

TEST(Policy, AReadGrantOnAPrefixCoversItAndNotItsNeighbours) {
  const PolicySnapshot policy(content({grant(1, "bob", "data/", Level::read)}));
  EXPECT_TRUE(may(policy, {.path = "data/x"}));
  EXPECT_EQ(ask(policy, {.path = "data/x"}).grant, 1);
  EXPECT_FALSE(may(policy, {.path = "database"}));
  EXPECT_FALSE(may(policy, {.path = "other"}));
  EXPECT_FALSE(may(policy, {.path = "data/x", .bucket = "other"}));
  EXPECT_TRUE(may(policy, {.action = Action::head_bucket}));
  EXPECT_TRUE(may(policy, {.action = Action::list_objects, .path = "data/"}));
  EXPECT_FALSE(may(policy, {.action = Action::list_objects, .path = ""}));
  EXPECT_FALSE(may(policy, {.action = Action::list_objects, .path = "data"}));
  EXPECT_TRUE(may(policy, {.action = Action::list_versions, .path = "data/x"}));
  EXPECT_TRUE(may(policy, {.action = Action::watch_changes, .path = "data/"}));
  EXPECT_FALSE(may(policy, {.action = Action::watch_changes, .path = ""}));
  for (const auto action :
       {Action::write_object, Action::delete_object, Action::delete_version, Action::write_tags,
        Action::read_bucket_config, Action::write_bucket_config, Action::create_bucket,
        Action::delete_bucket, Action::write_retention}) {
    EXPECT_FALSE(may(policy, {.action = action, .path = "data/x"})) << int(action);
  }
}

TEST(Policy, WritersPutAndDeleteButOnlyAdminsRemoveVersions) {
  const PolicySnapshot policy(
      content({grant(1, "bob", "", Level::write), grant(2, "robot", "", Level::admin)}));
  for (const auto action :
       {Action::read_object, Action::write_object, Action::delete_object, Action::write_tags,
        Action::list_uploads, Action::abort_upload, Action::read_bucket_config}) {
    EXPECT_TRUE(may(policy, {.action = action, .path = "k"})) << int(action);
  }
  for (const auto action : {Action::delete_version, Action::write_bucket_config,
                            Action::bypass_governance, Action::write_retention}) {
    EXPECT_FALSE(may(policy, {.action = action, .path = "k"})) << int(action);
    EXPECT_TRUE(may(policy, {.who = "robot", .action = action, .path = "k"})) << int(action);
  }
  EXPECT_FALSE(may(policy, {.who = "robot", .action = Action::delete_bucket}));
}

TEST(Policy, ADropGrantWritesAndNeverReads) {
  const PolicySnapshot policy(content({grant(1, "bob", "in/", Level::drop)}));
  EXPECT_TRUE(may(policy, {.action = Action::write_object, .path = "in/x"}));
  for (const auto action : {Action::list_uploads, Action::list_objects}) {
    const auto listing = ask(policy, {.action = action, .path = "in/"});
    EXPECT_TRUE(listing.allowed);
    EXPECT_EQ(listing.level, Level::drop) << "so the gateway lists only the caller's own";
  }
  for (const auto action :
       {Action::read_object, Action::list_versions, Action::read_version, Action::delete_object,
        Action::read_tags, Action::watch_changes, Action::read_bucket_config}) {
    EXPECT_FALSE(may(policy, {.action = action, .path = "in/x"})) << int(action);
  }
}

TEST(Policy, AWriteGrantBesideADropGrantIsTheOneThatCounts) {
  const PolicySnapshot policy(
      content({grant(1, "bob", "in/", Level::drop), grant(2, "bob", "", Level::write)}));
  EXPECT_EQ(ask(policy, {.action = Action::list_uploads, .path = "in/"}).level, Level::write);
}

TEST(Policy, GrantsEndAtTheirExpiryByTheTimeOfTheRequest) {
  const PolicySnapshot policy(content({grant(1, "bob", "", Level::read, noon)}));
  EXPECT_TRUE(may(policy, {.path = "x", .now = noon - 1ns}));
  EXPECT_FALSE(may(policy, {.path = "x", .now = noon}));
  EXPECT_EQ(policy.next_expiry(noon - 1s), noon);
  EXPECT_EQ(policy.next_expiry(noon), std::nullopt);
}

TEST(Policy, GroupsGiveTheirGrantsToMembersUnlessDisabled) {
  auto made = content({grant(1, "analysts", "", Level::read)});
  EXPECT_TRUE(may(PolicySnapshot(made), {.who = "alice", .path = "x"}));
  EXPECT_FALSE(may(PolicySnapshot(made), {.who = "bob", .path = "x"}));
  made.principals[5].disabled = true;
  EXPECT_FALSE(may(PolicySnapshot(made), {.who = "alice", .path = "x"}));
}

TEST(Policy, EachUserHasTheOwnHomeWithoutRemovalOfVersions) {
  const PolicySnapshot policy(content({}));
  for (const auto action :
       {Action::read_object, Action::write_object, Action::delete_object, Action::list_objects,
        Action::list_versions, Action::read_version, Action::watch_changes, Action::abort_upload}) {
    EXPECT_TRUE(may(policy, {"alice", action, "alice/x", "homes"})) << int(action);
    EXPECT_FALSE(may(policy, {"alice", action, "bob/x", "homes"})) << int(action);
    EXPECT_FALSE(may(policy, {"alice", action, "alice2/x", "homes"})) << int(action);
    EXPECT_FALSE(may(policy, {"robot", action, "robot/x", "homes"})) << int(action);
  }
  EXPECT_FALSE(may(policy, {"alice", Action::list_objects, "", "homes"}));
  EXPECT_FALSE(may(policy, {"alice", Action::list_objects, "alice", "homes"}));
  for (const auto action : {Action::delete_version, Action::read_bucket_config,
                            Action::write_bucket_config, Action::bypass_governance}) {
    EXPECT_FALSE(may(policy, {"alice", action, "alice/x", "homes"})) << int(action);
  }
}

TEST(Policy, NotEvenAnAdminGrantRemovesVersionsOfHomes) {
  auto all = grant(1, "bob", "", Level::admin);
  all.bucket = BucketName("homes");
  const PolicySnapshot policy(content({all}));
  EXPECT_TRUE(may(policy, {"bob", Action::read_object, "alice/x", "homes"}));
  EXPECT_FALSE(may(policy, {"bob", Action::delete_version, "alice/x", "homes"}));
  EXPECT_TRUE(may(policy, {"dora", Action::delete_version, "alice/x", "homes"}));
}

TEST(Policy, AdministratorsMayAllAndTheDisabledNothing) {
  const PolicySnapshot policy(content({grant(1, "carol", "", Level::admin)}));
  EXPECT_TRUE(may(policy, {.who = "dora", .action = Action::create_bucket}));
  EXPECT_FALSE(may(policy, {.who = "carol", .path = "x"}));
  EXPECT_FALSE(may(policy, {.who = "carol", .action = Action::list_buckets}));
}

TEST(Policy, AKeysScopeOnlyNarrows) {
  const PolicySnapshot policy(content({grant(1, "bob", "", Level::read)}));
  KeyRecord key{.id = AccessKeyId("AK1"), .principal = PrincipalName("bob")};
  EXPECT_TRUE(may(policy, {.path = "x", .key = &key}));
  key.scope = KeyScope{{grant(0, "", "data/", Level::write)}};
  EXPECT_TRUE(may(policy, {.path = "data/x", .key = &key}));
  EXPECT_FALSE(may(policy, {.path = "x", .key = &key}));
  EXPECT_FALSE(may(policy, {.action = Action::write_object, .path = "data/x", .key = &key}))
      << "the principal cannot write, so the key cannot";
  key.scope = KeyScope{};
  EXPECT_FALSE(may(policy, {.path = "data/x", .key = &key}));
  EXPECT_TRUE(may(policy, {.action = Action::list_buckets, .key = &key}));
  key.principal = PrincipalName("dora");
  EXPECT_FALSE(may(policy, {.who = "dora", .path = "x", .key = &key}))
      << "an administrator's scoped key is as narrow";
}

TEST(Policy, AnExpiredOrForeignKeyIsDenied) {
  const PolicySnapshot policy(content({grant(1, "bob", "", Level::read)}));
  KeyRecord key{.id = AccessKeyId("AK1"), .principal = PrincipalName("bob"), .not_after = noon};
  EXPECT_FALSE(may(policy, {.path = "x", .key = &key}));
  EXPECT_TRUE(may(policy, {.path = "x", .now = noon - 1s, .key = &key}));
  EXPECT_FALSE(
      may(policy,
          {.who = "alice", .path = "alice/x", .bucket = "homes", .now = noon - 1s, .key = &key}));
}

TEST(Policy, VisiblePlacesAreSortedAndWithoutWhatAWiderOneCovers) {
  const PolicySnapshot policy(
      content({grant(1, "bob", "public/", Level::read), grant(2, "bob", "public/x/", Level::read),
               grant(3, "bob", "public/in/", Level::drop), grant(4, "bob", "a", Level::write),
               grant(5, "bob", "a/", Level::write), grant(6, "bob", "old/", Level::read, noon)}));
  const auto seen = policy.visible(PrincipalName("bob"), noon);
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[0].bucket.value, "homes");
  EXPECT_EQ(seen[0].prefix, "bob/");
  EXPECT_EQ(seen[1].prefix, "a");
  EXPECT_EQ(seen[2].prefix, "public/");
  EXPECT_EQ(seen[3].prefix, "public/in/") << "a drop is nothing that read includes";
}

}  // namespace holdfast::control
