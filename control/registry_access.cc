// The registry's keys and grants, with the rule of delegation.
#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/encoding.h"
#include "base/log.h"
#include "control/names.h"
#include "control/registry.h"
#include "control/registry_parts.h"
#include "control/scope.h"

namespace holdfast::control {
namespace {

using Touches = Registry::Parts::Touches;

constexpr std::string_view id_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr std::string_view secret_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::string draw(Random& random, std::string_view alphabet, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += alphabet[random.below(alphabet.size())];
  return out;
}

std::string place(const BucketName& bucket, std::string_view prefix) {
  return fmt::format("{}/{}", bucket.value, log_field(prefix, 300));
}

// A client's text as a JSON string: bounded and printable first.
std::string quoted(std::string_view untrusted) {
  return boost::json::serialize(boost::json::value(log_field(untrusted, 64)));
}

std::string expiry_text(const std::optional<TimePoint>& not_after) {
  return not_after ? '"' + to_rfc3339(*not_after) + '"' : "null";
}

// The actor's live admin grants on a bucket, own and by group.
Result<std::vector<Grant>> admin_grants(Registry::Parts& parts, const Actor& actor,
                                        const BucketName& bucket) {
  std::vector<std::string> holders{actor.principal.value};
  auto members = parts.database->members();
  if (!members) return std::unexpected(members.error());
  for (const auto& row : *members) {
    if (row.member != actor.principal.value) continue;
    auto group = parts.database->principal(row.group);
    if (!group) return std::unexpected(group.error());
    if (*group && !(*group)->disabled) holders.push_back(row.group);
  }
  auto rows = parts.database->grants();
  if (!rows) return std::unexpected(rows.error());
  std::vector<Grant> held;
  for (const auto& row : *rows) {
    auto grant = to_grant(row);
    if (!grant) return std::unexpected(grant.error());
    if (grant->bucket != bucket || grant->level != Level::admin) continue;
    if (grant->not_after && *grant->not_after <= parts.clock.now()) continue;
    if (std::ranges::find(holders, row.principal) != holders.end()) held.push_back(*grant);
  }
  return held;
}

struct Scope {
  BucketName bucket;
  std::string prefix;
};

// Administrators, or a live admin grant over the whole scope. Answers the grantor's own expiry, the
// latest of the grants that suffice; nullopt inside: without end.
Result<std::optional<TimePoint>> require_grantor(Registry::Parts& parts, const Actor& actor,
                                                 const Scope& scope) {
  auto admin = parts.is_admin(actor);
  if (!admin) return std::unexpected(admin.error());
  if (*admin) return std::optional<TimePoint>();
  auto self = parts.require_self_or_admin(actor, actor.principal, "grant access");
  if (!self) return std::unexpected(self.error());
  auto held = admin_grants(parts, actor, scope.bucket);
  if (!held) return std::unexpected(held.error());
  std::optional<TimePoint> latest;
  for (const auto& grant : *held) {
    if (!covers_scope(grant.prefix, scope.prefix)) continue;
    if (!grant.not_after) return std::optional<TimePoint>();
    latest = std::max(latest.value_or(*grant.not_after), *grant.not_after);
  }
  if (latest) return latest;
  return fail(ErrorCode::access_denied,
              "{} holds no admin grant on {}: only an administrator or an admin of that place may "
              "grant there",
              actor.principal.value, place(scope.bucket, scope.prefix));
}

}  // namespace

Result<KeyRecord> Registry::Parts::store_key(const NewKey& wanted) {
  auto owner = require_principal(wanted.principal);
  if (!owner) return std::unexpected(owner.error());
  if (owner->kind == "group") {
    return fail(ErrorCode::invalid_argument, "a group has no keys: make one for a member");
  }
  if (owner->disabled) {
    return fail(ErrorCode::conflict, "\"{}\" is disabled: enable it first", owner->name);
  }
  KeyRecord key{.id = AccessKeyId("AK" + draw(random, id_alphabet, 18)),
                .secret = draw(random, secret_alphabet, 40),
                .principal = wanted.principal,
                .purpose = wanted.purpose,
                .session_token = wanted.token == NewKey::Token::session
                                     ? draw(random, secret_alphabet, 64)
                                     : std::string(),
                .not_after = wanted.not_after,
                .scope = wanted.scope};
  auto done = database->put(index::KeyRow{.id = key.id.value,
                                          .secret = key.secret,
                                          .principal = key.principal.value,
                                          .purpose = key.purpose,
                                          .session_token = key.session_token,
                                          .not_after = to_stored(key.not_after),
                                          .scope = key.scope ? scope_to_json(*key.scope) : ""});
  if (!done) return std::unexpected(done.error());
  return key;
}

Result<KeyRecord> Registry::create_key(const Actor& actor, const NewKey& wanted) {
  if (auto fits = check_not_after(wanted.not_after, parts_->clock.now()); !fits) {
    return std::unexpected(fits.error());
  }
  constexpr std::array<std::string_view, 4> purposes{"user", "session", "mount", "tool"};
  if (std::ranges::find(purposes, wanted.purpose) == purposes.end()) {
    return fail(ErrorCode::invalid_argument,
                "a key's purpose is user, session, mount or tool, not \"{}\"",
                log_field(wanted.purpose, 40));
  }
  KeyRecord key;
  auto done = parts_->change(
      actor, {.action = "key.create", .target = wanted.principal.value}, Touches::access,
      [&](AuditEvent& event) -> Result<void> {
        auto may = parts_->require_self_or_admin(actor, wanted.principal, "make another's keys");
        if (!may) return may;
        auto stored = parts_->store_key(wanted);
        if (!stored) return std::unexpected(stored.error());
        key = std::move(*stored);
        event.detail =
            fmt::format(R"({{"key":"{}","purpose":"{}","not_after":{},"scoped":{}}})", key.id.value,
                        key.purpose, expiry_text(key.not_after), key.scope.has_value());
        return {};
      });
  if (!done) return std::unexpected(done.error());
  return key;
}

Result<std::vector<KeyRecord>> Registry::keys(const PrincipalName& principal) {
  std::lock_guard guard(parts_->database->mutex());
  auto rows = parts_->database->keys();
  if (!rows) return std::unexpected(rows.error());
  std::vector<KeyRecord> found;
  for (const auto& row : *rows) {
    if (row.principal != principal.value) continue;
    auto key = to_key(row);
    if (!key) return std::unexpected(key.error());
    key->secret.clear();
    key->session_token.clear();
    found.push_back(std::move(*key));
  }
  return found;
}

Result<void> Registry::revoke_key(const Actor& actor, const AccessKeyId& id) {
  return parts_->change(
      actor, {.action = "key.revoke", .target = id.value}, Touches::access,
      [&](AuditEvent& event) -> Result<void> {
        auto key = parts_->database->key(id.value);
        if (!key) return std::unexpected(key.error());
        const auto none = [&] {
          return fail(ErrorCode::not_found, "there is no key {}", log_field(id.value, 40));
        };
        if (!*key) return none();
        const PrincipalName owner((*key)->principal);
        auto may = parts_->require_self_or_admin(actor, owner, "revoke another's keys");
        if (!may) return may;
        event.detail = fmt::format(R"({{"principal":"{}"}})", owner.value);
        auto removed = parts_->database->remove_key(id.value);
        if (!removed) return std::unexpected(removed.error());
        return {};
      });
}

Result<Grant> Registry::Parts::store_grant(const Actor& actor, const NewGrant& wanted) {
  auto may = require_grantor(*this, actor, {wanted.bucket, wanted.prefix});
  if (!may) return std::unexpected(may.error());
  if (*may && (!wanted.not_after || *wanted.not_after > **may)) {
    return fail(ErrorCode::access_denied,
                "{}'s own grant ends at {}: what it grants cannot last longer",
                actor.principal.value, to_rfc3339(**may));
  }
  auto holder = require_principal(wanted.principal);
  if (!holder) return std::unexpected(holder.error());
  auto rows = database->grants();
  if (!rows) return std::unexpected(rows.error());
  for (const auto& row : *rows) {
    if (row.principal != wanted.principal.value || row.bucket != wanted.bucket.value ||
        row.prefix != wanted.prefix || row.level != to_string(wanted.level)) {
      continue;
    }
    const auto ends = maybe_time_from(row.not_after);
    if (!ends || *ends > clock.now()) {
      return fail(ErrorCode::already_exists,
                  "{} has {} on {} already (grant {}): remove that one to change its expiry",
                  row.principal, row.level, place(wanted.bucket, wanted.prefix), row.id);
    }
    if (auto removed = database->remove_grant(row.id); !removed) {
      return std::unexpected(removed.error());
    }
  }
  auto id = database->add(index::GrantRow{.principal = wanted.principal.value,
                                          .bucket = wanted.bucket.value,
                                          .prefix = wanted.prefix,
                                          .level = std::string(to_string(wanted.level)),
                                          .not_after = to_stored(wanted.not_after),
                                          .granted_by = actor.principal.value});
  if (!id) return std::unexpected(id.error());
  return Grant{.id = *id,
               .principal = wanted.principal,
               .bucket = wanted.bucket,
               .prefix = wanted.prefix,
               .level = wanted.level,
               .not_after = wanted.not_after,
               .granted_by = actor.principal};
}

Result<Grant> Registry::add_grant(const Actor& actor, const NewGrant& wanted) {
  const auto now = parts_->clock.now();
  for (const auto& fits : {check_bucket_name(wanted.bucket.value), check_prefix(wanted.prefix),
                           check_not_after(wanted.not_after, now)}) {
    if (!fits) return std::unexpected(fits.error());
  }
  Grant grant;
  auto done = parts_->change(
      actor, {.action = "grant.add", .target = place(wanted.bucket, wanted.prefix)},
      Touches::access, [&](AuditEvent& event) -> Result<void> {
        event.detail = fmt::format(R"({{"principal":{},"level":"{}","not_after":{}}})",
                                   quoted(wanted.principal.value), to_string(wanted.level),
                                   expiry_text(wanted.not_after));
        auto stored = parts_->store_grant(actor, wanted);
        if (!stored) return std::unexpected(stored.error());
        grant = std::move(*stored);
        event.grant = grant.id;
        return {};
      });
  if (!done) return std::unexpected(done.error());
  return grant;
}

Result<void> Registry::remove_grant(const Actor& actor, std::int64_t id) {
  return parts_->change(
      actor, {.action = "grant.remove", .grant = id}, Touches::access,
      [&](AuditEvent& event) -> Result<void> {
        auto row = parts_->database->grant(id);
        if (!row) return std::unexpected(row.error());
        if (!*row) return fail(ErrorCode::not_found, "there is no grant {}", id);
        auto grant = to_grant(**row);
        if (!grant) return std::unexpected(grant.error());
        event.target = place(grant->bucket, grant->prefix);
        event.detail = fmt::format(R"({{"principal":"{}","level":"{}"}})", grant->principal.value,
                                   to_string(grant->level));
        auto may = require_grantor(*parts_, actor, {grant->bucket, grant->prefix});
        if (!may) return std::unexpected(may.error());
        auto removed = parts_->database->remove_grant(id);
        if (!removed) return std::unexpected(removed.error());
        return {};
      });
}

Result<std::vector<Grant>> Registry::grants(const GrantFilter& filter) {
  std::lock_guard guard(parts_->database->mutex());
  auto rows = parts_->database->grants();
  if (!rows) return std::unexpected(rows.error());
  std::vector<Grant> found;
  for (const auto& row : *rows) {
    if (!filter.principal.empty() && row.principal != filter.principal.value) continue;
    if (!filter.bucket.empty() && row.bucket != filter.bucket.value) continue;
    auto grant = to_grant(row);
    if (!grant) return std::unexpected(grant.error());
    found.push_back(std::move(*grant));
  }
  return found;
}

Result<void> Registry::remove_grants_of_bucket(const Actor& actor, const BucketName& bucket) {
  return parts_->change(actor, {.action = "grant.remove_bucket", .target = bucket.value},
                        Touches::access, [&](AuditEvent& event) -> Result<void> {
                          auto may = parts_->require_admin(actor, "remove all grants of a bucket");
                          if (!may) return may;
                          auto removed = parts_->database->remove_grants_of_bucket(bucket.value);
                          if (!removed) return std::unexpected(removed.error());
                          event.detail = fmt::format(R"({{"grants":{}}})", *removed);
                          return {};
                        });
}

}  // namespace holdfast::control
