#include "control/registry.h"

#include <algorithm>
#include <set>

#include "tests/unit/control/fixtures.h"

namespace holdfast::control {
namespace {

using testing::administrator;
using testing::as;
using testing::jupyter_of;
using testing::RegistryTest;
using namespace std::chrono_literals;

TEST_F(RegistryTest, UsersGetUidsFrom20000UpwardsThatAreNeverGivenTwice) {
  const auto alice = user("alice");
  const auto bob = user("bob");
  EXPECT_GE(alice.uid, 20000u);
  EXPECT_GT(bob.uid, alice.uid);
  ASSERT_TRUE(registry->remove_principal(administrator(), bob.name));
  EXPECT_GT(user("bob").uid, bob.uid);
  EXPECT_EQ(user("team", PrincipalKind::group).uid, 0u);
}

TEST_F(RegistryTest, NobodyHasAKeyUntilOneIsMade) {
  ASSERT_TRUE(
      registry->create_principal(administrator(), {.name = PrincipalName("admin"), .admin = true}));
  user("alice");
  EXPECT_TRUE(registry->policy_content()->keys.empty());
  ASSERT_TRUE(registry->create_key(as("alice"), {.principal = PrincipalName("alice")}));
  EXPECT_EQ(registry->policy_content()->keys.size(), 1u);
}

TEST_F(RegistryTest, WhatWasWrittenIsThereAfterAReopen) {
  user("alice");
  auto key = registry->create_key(as("alice"), {.principal = PrincipalName("alice")});
  ASSERT_TRUE(key) << key.error().context;
  ASSERT_TRUE(registry->add_grant(administrator(), wanted("alice", "a/", Level::write)));
  const auto id = registry->instance_id();
  const auto epoch = registry->policy_content()->epoch;
  reopen();
  EXPECT_EQ(registry->instance_id(), id);
  auto content = registry->policy_content();
  ASSERT_TRUE(content);
  EXPECT_EQ(content->epoch, epoch);
  ASSERT_EQ(content->keys.size(), 1u);
  EXPECT_EQ(content->keys[0].secret, key->secret);
  ASSERT_EQ(content->grants.size(), 1u);
  EXPECT_EQ(content->grants[0].prefix, "a/");
  EXPECT_EQ(content->grants[0].granted_by.value, "root");
}

TEST_F(RegistryTest, KeysHaveTheShapeThatClientsKnowAndListWithoutSecrets) {
  user("alice");
  auto key = registry->create_key(as("alice"), {.principal = PrincipalName("alice"),
                                                .purpose = "session",
                                                .token = NewKey::Token::session,
                                                .not_after = clock.now() + 1h});
  ASSERT_TRUE(key);
  EXPECT_EQ(key->id.value.size(), 20u);
  EXPECT_TRUE(key->id.value.starts_with("AK"));
  EXPECT_EQ(key->secret.size(), 40u);
  EXPECT_FALSE(key->session_token.empty());
  auto listed = registry->keys(PrincipalName("alice"));
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_TRUE(listed->front().secret.empty());
  EXPECT_TRUE(listed->front().session_token.empty());
}

TEST_F(RegistryTest, AKeysScopeSurvivesStorageWithAnyBytes) {
  user("alice");
  Grant narrow{.bucket = BucketName("research"), .prefix = "a\xff\"/", .level = Level::drop};
  auto key = registry->create_key(
      as("alice"), {.principal = PrincipalName("alice"), .scope = KeyScope{{narrow}}});
  ASSERT_TRUE(key) << key.error().context;
  reopen();
  auto content = registry->policy_content();
  ASSERT_TRUE(content) << content.error().context;
  ASSERT_TRUE(content->keys.at(0).scope);
  EXPECT_EQ(content->keys[0].scope->allow.at(0).prefix, narrow.prefix);
  EXPECT_EQ(content->keys[0].scope->allow.at(0).level, Level::drop);
}

TEST_F(RegistryTest, OnlyTheOwnerOrAnAdministratorMakesAndRevokesKeys) {
  user("alice");
  user("bob");
  EXPECT_EQ(code(registry->create_key(as("bob"), {.principal = PrincipalName("alice")})),
            ErrorCode::access_denied);
  auto key = registry->create_key(as("alice"), {.principal = PrincipalName("alice")});
  EXPECT_EQ(code(registry->revoke_key(as("bob"), key->id)), ErrorCode::access_denied);
  EXPECT_TRUE(registry->revoke_key(as("alice"), key->id));
  EXPECT_EQ(code(registry->revoke_key(as("alice"), key->id)), ErrorCode::not_found);
}

TEST_F(RegistryTest, RefusalsAreSentencesAndChangeNothing) {
  user("alice");
  const auto before = registry->policy_content()->epoch;
  EXPECT_EQ(code(registry->create_principal(administrator(), {PrincipalName("Alice")})),
            ErrorCode::invalid_name);
  EXPECT_EQ(code(registry->create_principal(administrator(), {PrincipalName("alice")})),
            ErrorCode::already_exists);
  EXPECT_EQ(code(registry->create_principal(as("alice"), {PrincipalName("eve")})),
            ErrorCode::access_denied);
  EXPECT_EQ(code(registry->remove_principal(administrator(), PrincipalName("eve"))),
            ErrorCode::not_found);
  EXPECT_EQ(code(registry->add_grant(administrator(), wanted("eve", "", Level::read))),
            ErrorCode::not_found);
  EXPECT_EQ(code(registry->add_grant(administrator(), wanted("alice", "/x", Level::read))),
            ErrorCode::invalid_argument);
  auto past = wanted("alice", "", Level::read);
  past.not_after = clock.now() - 1s;
  EXPECT_EQ(code(registry->add_grant(administrator(), past)), ErrorCode::invalid_argument);
  EXPECT_EQ(registry->policy_content()->epoch, before);
}

TEST_F(RegistryTest, RemovingAUserTakesKeysGrantsAndToolsAlong) {
  user("alice");
  ASSERT_TRUE(registry->create_key(as("alice"), {.principal = PrincipalName("alice")}));
  ASSERT_TRUE(registry->add_grant(administrator(), wanted("alice", "", Level::read)));
  ASSERT_TRUE(registry->start_tool(as("alice"), jupyter_of("alice")));
  ASSERT_TRUE(registry->remove_principal(administrator(), PrincipalName("alice")));
  auto content = registry->policy_content();
  EXPECT_TRUE(content->keys.empty());
  EXPECT_TRUE(content->grants.empty());
  EXPECT_TRUE(registry->tools()->empty());
}

TEST_F(RegistryTest, ANewBucketOfAnOldNameInheritsNoGrants) {
  user("alice");
  ASSERT_TRUE(registry->add_grant(administrator(), wanted("alice", "", Level::read)));
  ASSERT_TRUE(registry->remove_grants_of_bucket(administrator(), BucketName("research")));
  EXPECT_TRUE(registry->grants({})->empty());
}

TEST_F(RegistryTest, MembersShowUpAsGroupsInThePolicy) {
  user("alice");
  user("team", PrincipalKind::group);
  const Membership membership{PrincipalName("team"), PrincipalName("alice")};
  ASSERT_TRUE(registry->add_member(administrator(), membership));
  const PolicySnapshot policy(*registry->policy_content());
  ASSERT_EQ(policy.find_principal(PrincipalName("alice"))->groups.size(), 1u);
  ASSERT_TRUE(registry->remove_member(administrator(), membership));
  EXPECT_EQ(code(registry->remove_member(administrator(), membership)), ErrorCode::not_found);
  EXPECT_EQ(
      code(registry->add_member(administrator(), {PrincipalName("alice"), PrincipalName("team")})),
      ErrorCode::invalid_argument);
}

TEST_F(RegistryTest, EveryDataDirectoryBeginsWithJupyterAndTemplatesGetVersions) {
  auto templates = registry->templates();
  ASSERT_EQ(templates->size(), 1u);
  auto changed = templates->front();
  EXPECT_EQ(changed.version, 1u);
  changed.memory_bytes = 2ull << 30;
  ASSERT_TRUE(registry->add_template(administrator(), changed));
  reopen();
  templates = registry->templates();
  ASSERT_EQ(templates->size(), 1u) << "a reopen does not add the built-in one again";
  EXPECT_EQ(templates->front().version, 2u);
  EXPECT_EQ(templates->front().memory_bytes, 2ull << 30);
  EXPECT_EQ(templates->front().command, changed.command);
  EXPECT_EQ(registry->find_template("jupyter", 1)->memory_bytes, 1u << 30);
  changed.port = 0;
  EXPECT_EQ(code(registry->add_template(administrator(), changed)), ErrorCode::invalid_argument);
}

TEST_F(RegistryTest, ToolsKeepDesiredStateAndGenerations) {
  user("alice");
  const auto id = jupyter_of("alice");
  auto started = registry->start_tool(as("alice"), id);
  ASSERT_TRUE(started) << started.error().context;
  EXPECT_EQ(started->generation, 1u);
  EXPECT_EQ(registry->start_tool(as("alice"), id)->generation, 1u) << "it runs already";
  EXPECT_EQ(registry->restart_tool(as("alice"), id)->generation, 2u);
  EXPECT_EQ(code(registry->record_tool_failure(*started, "late news", "")), ErrorCode::conflict);
  auto stopped = registry->stop_tool(as("alice"), id);
  EXPECT_EQ(stopped->desired, Desired::stopped);
  EXPECT_EQ(registry->start_tool(as("alice"), id)->generation, 3u);
}

TEST_F(RegistryTest, AFailedToolStartsAgainOnlyWhenItIsAsked) {
  user("alice");
  const auto id = jupyter_of("alice");
  auto record = registry->start_tool(as("alice"), id);
  ASSERT_TRUE(registry->record_tool_failure(*record, "out of memory", std::string(70'000, 'x')));
  auto tools = registry->tools();
  EXPECT_EQ(tools->front().failed_generation, 1u);
  EXPECT_LE(tools->front().failure_log.size(), 16u << 10);
  auto again = registry->start_tool(as("alice"), id);
  EXPECT_EQ(again->generation, 2u);
  EXPECT_TRUE(again->failure.empty());
}

TEST_F(RegistryTest, AToolHasOneKeyPairAtATime) {
  user("alice");
  auto record = registry->start_tool(as("alice"), jupyter_of("alice"));
  auto first = registry->renew_tool_key(*record);
  auto second = registry->renew_tool_key(*record);
  ASSERT_TRUE(second) << second.error().context;
  auto keys = registry->keys(PrincipalName("alice"));
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ(keys->front().id, second->id);
  EXPECT_EQ(keys->front().purpose, "tool");
  ASSERT_TRUE(registry->revoke_tool_key(registry->tools()->front()));
  EXPECT_TRUE(registry->keys(PrincipalName("alice"))->empty());
}

TEST_F(RegistryTest, ToolsOfOthersGroupsAndUnknownTemplatesAreRefused) {
  user("alice");
  user("bob");
  user("team", PrincipalKind::group);
  EXPECT_EQ(code(registry->start_tool(as("bob"), jupyter_of("alice"))), ErrorCode::access_denied);
  EXPECT_EQ(code(registry->start_tool(administrator(), jupyter_of("team"))),
            ErrorCode::invalid_argument);
  EXPECT_EQ(code(registry->start_tool(as("alice"), {PrincipalName("alice"), "quake"})),
            ErrorCode::not_found);
  EXPECT_EQ(code(registry->start_tool(administrator(), jupyter_of("eve"))), ErrorCode::not_found);
}

TEST_F(RegistryTest, DisablingAUserStopsItsTools) {
  user("alice");
  ASSERT_TRUE(registry->start_tool(as("alice"), jupyter_of("alice")));
  ASSERT_TRUE(registry->disable_principal(administrator(), PrincipalName("alice")));
  EXPECT_EQ(registry->tools()->front().desired, Desired::stopped);
  EXPECT_EQ(code(registry->start_tool(administrator(), jupyter_of("alice"))), ErrorCode::conflict);
}

TEST_F(RegistryTest, EveryChangeLeavesItsEventAndARefusalADenial) {
  user("alice");
  (void)registry->create_principal(as("alice"), {PrincipalName("eve")});
  auto grant = registry->add_grant(administrator(), wanted("alice", "p/", Level::read));
  ASSERT_TRUE(registry->remove_grant(administrator(), grant->id));
  auto events = registry->audit().tail(100, {});
  ASSERT_TRUE(events);
  const auto find = [&](std::string_view action, std::string_view outcome) {
    return std::ranges::find_if(*events, [&](const AuditEvent& event) {
      return event.action == action && event.outcome == outcome;
    });
  };
  EXPECT_NE(find("principal.create", "denied"), events->end());
  const auto added = find("grant.add", "ok");
  ASSERT_NE(added, events->end());
  EXPECT_EQ(added->actor.value, "root");
  EXPECT_EQ(added->request_id, "r-1");
  EXPECT_EQ(added->source, "admin-socket");
  EXPECT_EQ(added->target, "research/p/");
  EXPECT_EQ(added->grant, grant->id);
  EXPECT_NE(find("grant.remove", "ok"), events->end());
}

TEST_F(RegistryTest, ADamagedFileIsRefusedWithASentence) {
  registry.reset();
  std::filesystem::resize_file(directory.path + "/registry.db", 50);
  auto opened = Registry::open({.path = directory.path + "/registry.db"}, clock, random);
  ASSERT_FALSE(opened);
  EXPECT_FALSE(opened.error().context.empty());
}

}  // namespace
}  // namespace holdfast::control
