#include "control/policy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "control/scope.h"

namespace holdfast::control {
namespace {

constexpr std::array level_names{std::pair{Level::read, std::string_view("read")},
                                 std::pair{Level::write, std::string_view("write")},
                                 std::pair{Level::drop, std::string_view("drop")},
                                 std::pair{Level::admin, std::string_view("admin")}};

bool live(const std::optional<TimePoint>& not_after, TimePoint now) {
  return !not_after || now < *not_after;
}

// What a grant allows beyond its level: the bucket as a whole.
bool grant_allows(const Grant& grant, const AccessRequest& request) {
  switch (request.action) {
    case Action::head_bucket:
      return true;
    case Action::read_bucket_config:
      return grant.prefix.empty() && grant.level != Level::drop;
    case Action::write_bucket_config:
      return grant.prefix.empty() && grant.level == Level::admin;
    default:
      break;
  }
  if (!level_allows(grant.level, request.action)) return false;
  return is_listing(request.action) ? covers_listing(grant.prefix, request.path)
                                    : covers_path(grant.prefix, request.path);
}

bool home_allows(Action action) {
  return action == Action::head_bucket || level_allows(Level::write, action);
}

bool within_home(const PrincipalRecord& principal, std::string_view path) {
  const std::string& user = principal.name.value;
  return path.size() > user.size() && path.starts_with(user) && path[user.size()] == '/';
}

// One pass of candidates: a drop grant is kept only while nothing stronger is found, since it
// narrows listings to the caller's own uploads.
struct Best {
  const Grant* grant = nullptr;
  bool offer(const Grant& candidate) {  // true: no better one can come
    if (!grant || grant->level == Level::drop) grant = &candidate;
    return candidate.level != Level::drop;
  }
};

bool matches(const Grant& grant, const AccessRequest& request) {
  return grant.bucket == request.bucket && live(grant.not_after, request.now) &&
         grant_allows(grant, request);
}

Decision deny(std::string reason) { return {.allowed = false, .reason = std::move(reason)}; }

bool never_in_homes(Action action) {
  return action == Action::delete_version || action == Action::write_bucket_config ||
         action == Action::bypass_governance || action == Action::share_object;
}

bool scope_allows(const KeyScope& scope, const AccessRequest& request) {
  if (request.action == Action::list_buckets) return true;
  return std::ranges::any_of(scope.allow,
                             [&](const Grant& grant) { return matches(grant, request); });
}

}  // namespace

std::string_view to_string(Level level) {
  for (const auto& [value, name] : level_names) {
    if (value == level) return name;
  }
  return "unknown";
}

std::optional<Level> level_from(std::string_view text) {
  for (const auto& [value, name] : level_names) {
    if (name == text) return value;
  }
  return std::nullopt;
}

PolicySnapshot::PolicySnapshot(PolicyContent content) : content_(std::move(content)) {
  for (std::size_t i = 0; i < content_.principals.size(); ++i) {
    principal_index_.emplace(content_.principals[i].name, i);
  }
  for (std::size_t i = 0; i < content_.keys.size(); ++i) {
    key_index_.emplace(content_.keys[i].id, i);
    const auto& key = content_.keys[i];
    if (key.not_after) expiries_.push_back(*key.not_after);
    if (!key.scope) continue;
    for (const auto& grant : key.scope->allow) {
      if (grant.not_after) expiries_.push_back(*grant.not_after);
    }
  }
  for (std::size_t i = 0; i < content_.grants.size(); ++i) {
    grants_of_[content_.grants[i].principal].push_back(i);
    if (content_.grants[i].not_after) expiries_.push_back(*content_.grants[i].not_after);
  }
  std::ranges::sort(expiries_);
}

const KeyRecord* PolicySnapshot::find_key(const AccessKeyId& id) const {
  const auto found = key_index_.find(id);
  return found == key_index_.end() ? nullptr : &content_.keys[found->second];
}

const PrincipalRecord* PolicySnapshot::find_principal(const PrincipalName& name) const {
  const auto found = principal_index_.find(name);
  return found == principal_index_.end() ? nullptr : &content_.principals[found->second];
}

std::optional<TimePoint> PolicySnapshot::next_expiry(TimePoint now) const {
  const auto next = std::ranges::upper_bound(expiries_, now);
  return next == expiries_.end() ? std::nullopt : std::optional(*next);
}

Decision PolicySnapshot::decide(const AccessRequest& request) const {
  const auto* principal = find_principal(request.principal);
  if (!principal) return deny(fmt::format("unknown principal {}", request.principal.value));
  if (principal->disabled) return deny(fmt::format("{} is disabled", principal->name.value));
  if (request.key) {
    if (request.key->principal != request.principal) return deny("the key is another principal's");
    if (!live(request.key->not_after, request.now)) return deny("the key has expired");
    if (request.key->scope && !scope_allows(*request.key->scope, request)) {
      return deny("outside of the key's scope");
    }
  }
  if (principal->admin || request.action == Action::list_buckets) return {.allowed = true};
  const bool in_homes = request.bucket == content_.homes_bucket;
  if (in_homes && never_in_homes(request.action)) return deny("homes keep their versions");
  if (in_homes && principal->uid != 0 && home_allows(request.action) &&
      (request.action == Action::head_bucket || within_home(*principal, request.path))) {
    return {.allowed = true, .level = Level::write};
  }

  Best best;
  const auto look_up = [&](const PrincipalName& holder) {
    const auto found = grants_of_.find(holder);
    if (found == grants_of_.end()) return false;
    return std::ranges::any_of(found->second, [&](std::size_t index) {
      const Grant& grant = content_.grants[index];
      return matches(grant, request) && best.offer(grant);
    });
  };
  if (!look_up(principal->name)) {
    for (const auto& name : principal->groups) {
      const auto* group = find_principal(name);
      if (group && !group->disabled && look_up(name)) break;
    }
  }
  if (best.grant) return {.allowed = true, .grant = best.grant->id, .level = best.grant->level};
  Decision nothing = deny(fmt::format("no grant of {} covers this", principal->name.value));
  nothing.lacks_grant = true;
  return nothing;
}

std::vector<Visible> PolicySnapshot::visible(const PrincipalName& name, TimePoint now) const {
  const auto* principal = find_principal(name);
  if (!principal || principal->disabled) return {};
  std::vector<Visible> all;
  if (principal->uid != 0 && !content_.homes_bucket.empty()) {
    all.push_back({content_.homes_bucket, name.value + "/", Level::write, std::nullopt});
  }
  const auto collect = [&](const PrincipalName& holder) {
    const auto found = grants_of_.find(holder);
    if (found == grants_of_.end()) return;
    for (const auto index : found->second) {
      const Grant& grant = content_.grants[index];
      if (!live(grant.not_after, now)) continue;
      all.push_back({grant.bucket, grant.prefix, grant.level, grant.not_after});
    }
  };
  collect(name);
  for (const auto& group_name : principal->groups) {
    const auto* group = find_principal(group_name);
    if (group && !group->disabled) collect(group_name);
  }
  // Stronger and longer-lived first among equals, so that of two that cover each other one stays.
  constexpr auto forever = TimePoint::max();
  std::ranges::sort(all, [&](const Visible& a, const Visible& b) {
    if (a.bucket != b.bucket) return a.bucket < b.bucket;
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    if (a.level != b.level) return a.level > b.level;
    return a.not_after.value_or(forever) > b.not_after.value_or(forever);
  });
  std::vector<Visible> kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto hides = [&](const Visible& other) {
      const auto& mine = all[i];
      if (other.bucket != mine.bucket || !covers_scope(other.prefix, mine.prefix)) return false;
      if (!level_includes(other.level, mine.level)) return false;
      const bool same = covers_scope(mine.prefix, other.prefix) && other.level == mine.level;
      return !same || &other < &mine;
    };
    if (std::ranges::none_of(all, hides)) kept.push_back(all[i]);
  }
  return kept;
}

}  // namespace holdfast::control
