// The snapshot against a naive evaluator that works on lists of components, over random worlds.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/policy.h"

namespace holdfast::control {
namespace {

const std::vector<std::string> names{"a", "b", "c", "team", "crew"};
const std::vector<std::string> paths{"",     "a",  "a/",  "ab",  "ab/x", "a/b", "a/b/",
                                     "a/bc", "b/", "b/x", "c//", "c//x", "c/",  "team/x"};

TimePoint at(int tick) { return TimePoint(std::chrono::seconds(1000 + tick)); }

std::vector<std::string> components(const std::string& path) {
  std::vector<std::string> out{""};
  for (const char c : path) {
    if (c == '/')
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

// "data/" and "data" name the same place: a final empty component is dropped.
std::vector<std::string> place(const std::string& prefix) {
  if (prefix.empty()) return {};
  auto out = components(prefix);
  if (out.back().empty()) out.pop_back();
  return out;
}

bool inside(const std::string& prefix, const std::string& path, bool strictly) {
  const auto outer = place(prefix);
  const auto inner = components(path);
  if (outer.empty()) return true;
  if (inner.size() < outer.size() + (strictly ? 1 : 0)) return false;
  return std::equal(outer.begin(), outer.end(), inner.begin());
}

const std::map<Level, std::set<Action>>& powers() {
  static const auto table = [] {
    const std::set<Action> read{Action::head_bucket,  Action::list_objects, Action::list_versions,
                                Action::read_object,  Action::read_version, Action::read_tags,
                                Action::watch_changes};
    const std::set<Action> drop{Action::head_bucket,  Action::write_object, Action::list_objects,
                                Action::list_uploads, Action::list_parts,   Action::abort_upload};
    auto write = read;
    write.insert(drop.begin(), drop.end());
    write.insert({Action::delete_object, Action::write_tags});
    auto admin = write;
    admin.insert({Action::delete_version, Action::write_retention, Action::bypass_governance});
    return std::map<Level, std::set<Action>>{
        {Level::read, read}, {Level::write, write}, {Level::drop, drop}, {Level::admin, admin}};
  }();
  return table;
}

bool one_grant(const Grant& grant, const AccessRequest& request) {
  if (grant.bucket != request.bucket) return false;
  if (grant.not_after && request.now >= *grant.not_after) return false;
  const auto action = request.action;
  if (action == Action::head_bucket) return true;
  if (action == Action::read_bucket_config) {
    return grant.prefix.empty() && grant.level != Level::drop;
  }
  if (action == Action::write_bucket_config) {
    return grant.prefix.empty() && grant.level == Level::admin;
  }
  if (!powers().at(grant.level).contains(action)) return false;
  const bool listing = action == Action::list_objects || action == Action::list_versions ||
                       action == Action::list_uploads || action == Action::watch_changes;
  return inside(grant.prefix, std::string(request.path), listing);
}

bool naive(const PolicyContent& world, const AccessRequest& request) {
  const auto record = [&](const PrincipalName& name) -> const PrincipalRecord* {
    for (const auto& principal : world.principals) {
      if (principal.name == name) return &principal;
    }
    return nullptr;
  };
  const auto* who = record(request.principal);
  if (!who || who->disabled) return false;
  if (request.key) {
    const auto& key = *request.key;
    if (key.principal != request.principal) return false;
    if (key.not_after && request.now >= *key.not_after) return false;
    if (key.scope && request.action != Action::list_buckets) {
      bool any = false;
      for (const auto& grant : key.scope->allow) any = any || one_grant(grant, request);
      if (!any) return false;
    }
  }
  if (who->admin || request.action == Action::list_buckets) return true;
  if (request.bucket == world.homes_bucket) {
    if (request.action == Action::delete_version || request.action == Action::bypass_governance ||
        request.action == Action::write_bucket_config) {
      return false;
    }
    Grant home{.bucket = request.bucket, .prefix = who->name.value + "/", .level = Level::write};
    const bool below = inside(home.prefix, std::string(request.path), true) ||
                       request.action == Action::head_bucket;
    if (who->uid != 0 && below && one_grant(home, request)) return true;
  }
  for (const auto& grant : world.grants) {
    bool mine = grant.principal == who->name;
    for (const auto& group : who->groups) {
      const auto* team = record(group);
      mine = mine || (grant.principal == group && team && !team->disabled);
    }
    if (mine && one_grant(grant, request)) return true;
  }
  return false;
}

rc::Gen<std::optional<TimePoint>> expiry() {
  return rc::gen::map(rc::gen::inRange(0, 8), [](int tick) {
    return tick >= 5 ? std::optional<TimePoint>() : std::optional(at(tick));
  });
}

Grant draw_grant() {
  return {.id = *rc::gen::inRange(1, 1000),
          .principal = PrincipalName(*rc::gen::elementOf(names)),
          .bucket = BucketName(*rc::gen::elementOf(std::vector<std::string>{"data", "homes"})),
          .prefix = *rc::gen::elementOf(paths),
          .level = static_cast<Level>(*rc::gen::inRange(0, 4)),
          .not_after = *expiry()};
}

PolicyContent draw_world() {
  PolicyContent world{.epoch = 1, .homes_bucket = BucketName("homes")};
  for (const auto& name : names) {
    PrincipalRecord principal{.name = PrincipalName(name),
                              .admin = *rc::gen::inRange(0, 12) == 0,
                              .disabled = *rc::gen::inRange(0, 8) == 0,
                              .uid = *rc::gen::element(0u, 20000u)};
    for (const auto* group : {"team", "crew"}) {
      if (name != group && *rc::gen::arbitrary<bool>()) principal.groups.emplace_back(group);
    }
    world.principals.push_back(std::move(principal));
  }
  const auto count = *rc::gen::inRange(0, 8);
  for (int i = 0; i < count; ++i) world.grants.push_back(draw_grant());
  return world;
}

TEST(PolicyModel, TheSnapshotDecidesAsTheNaiveEvaluatorDoes) {
  const bool held = rc::check([] {
    const auto world = draw_world();
    const PolicySnapshot snapshot(world);
    KeyRecord key{.id = AccessKeyId("AK"), .not_after = *expiry()};
    if (*rc::gen::arbitrary<bool>()) {
      KeyScope scope;
      const auto count = *rc::gen::inRange(0, 3);
      for (int i = 0; i < count; ++i) scope.allow.push_back(draw_grant());
      key.scope = std::move(scope);
    }
    for (int round = 0; round < 50; ++round) {
      const std::string path = *rc::gen::elementOf(paths);
      key.principal = PrincipalName(*rc::gen::elementOf(names));
      const AccessRequest request{
          .key = *rc::gen::arbitrary<bool>() ? &key : nullptr,
          .principal = PrincipalName(*rc::gen::elementOf(names)),
          .action = static_cast<Action>(*rc::gen::inRange(0, int(Action::watch_changes) + 1)),
          .bucket = BucketName(*rc::gen::elementOf(std::vector<std::string>{"data", "homes"})),
          .path = path,
          .now = at(*rc::gen::inRange(0, 6))};
      RC_ASSERT(snapshot.decide(request).allowed == naive(world, request));
    }
  });
  EXPECT_TRUE(held);
}

TEST(PolicyModel, WhatIsVisibleIsReachableAndWhatIsReachableIsVisible) {
  const bool held = rc::check([] {
    auto world = draw_world();
    const PolicySnapshot snapshot(world);
    const PrincipalName who(*rc::gen::elementOf(names));
    const auto* record = snapshot.find_principal(who);
    RC_PRE(!record->admin);
    const auto now = at(*rc::gen::inRange(0, 6));
    const auto seen = snapshot.visible(who, now);
    for (const auto& path : paths) {
      for (const auto* bucket : {"data", "homes"}) {
        for (const auto action : {Action::read_object, Action::write_object}) {
          const bool allowed =
              snapshot.decide({nullptr, who, action, BucketName(bucket), path, now}).allowed;
          bool shown = false;
          for (const auto& place_seen : seen) {
            if (place_seen.bucket.value != bucket) continue;
            if (!powers().at(place_seen.level).contains(action)) continue;
            const bool home = record->uid != 0 && place_seen.bucket == world.homes_bucket &&
                              place_seen.prefix == who.value + "/";
            shown = shown || inside(place_seen.prefix, path, home && path == who.value);
          }
          RC_ASSERT(allowed == shown || path == who.value);
        }
      }
    }
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace holdfast::control
