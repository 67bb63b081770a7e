#include "control/registry.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "base/encoding.h"
#include "base/log.h"
#include "control/names.h"
#include "control/registry_parts.h"
#include "control/templates.h"

namespace holdfast::control {

// --- Parts -----------------------------------------------------------------------------------

Result<void> Registry::Parts::change(const Actor& actor, AuditEvent event, Touches touches,
                                     const std::function<Result<void>(AuditEvent&)>& work) {
  event.actor = actor.principal;
  event.on_behalf_of = actor.on_behalf_of;
  event.request_id = actor.request_id;
  event.source = actor.source;
  std::lock_guard guard(database->mutex());
  auto transaction = database->begin();
  if (!transaction) return std::unexpected(transaction.error());
  auto done = work(event);
  if (!done) {
    if (done.error().code == ErrorCode::access_denied) {
      event.outcome = "denied";
      audit->record(std::move(event));
    }
    return done;
  }
  if (!event.action.empty()) {
    if (auto told = audit->append_within_transaction({std::move(event)}); !told) return told;
  }
  if (touches == Touches::access) {
    if (auto bumped = bump_epoch(); !bumped) return bumped;
  }
  if (auto committed = transaction->commit(); !committed) return committed;
  if (touches == Touches::other || !listener) return {};
  auto content = load_policy();
  if (!content) return fail_within("publish the new policy", content.error());
  listener(std::move(*content));
  return {};
}

namespace {

Result<std::uint64_t> read_epoch(index::RegistryDatabase& database) {
  auto text = database.setting("epoch");
  if (!text) return std::unexpected(text.error());
  std::uint64_t epoch = 0;
  if (*text) std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), epoch);
  return epoch;
}

// Numbers that the host's own accounts use would give a tool somebody else's files.
bool used_by_host(std::uint32_t id) {
  char buffer[4096];
  passwd user{};
  passwd* found_user = nullptr;
  getpwuid_r(id, &user, buffer, sizeof buffer, &found_user);
  group team{};
  group* found_group = nullptr;
  getgrgid_r(id, &team, buffer, sizeof buffer, &found_group);
  return found_user || found_group;
}

// A setting that is made once, at the first start.
Result<std::string> lasting_setting(index::RegistryDatabase& database, std::string_view name,
                                    const std::function<std::string()>& make) {
  auto present = database.setting(name);
  if (!present) return std::unexpected(present.error());
  if (*present) return **present;
  auto value = make();
  if (auto kept = database.set_setting(name, value); !kept) return std::unexpected(kept.error());
  return value;
}

}  // namespace

Result<void> Registry::Parts::bump_epoch() {
  auto epoch = read_epoch(*database);
  if (!epoch) return std::unexpected(epoch.error());
  return database->set_setting("epoch", std::to_string(*epoch + 1));
}

Result<PolicyContent> Registry::Parts::load_policy() {
  PolicyContent content;
  content.homes_bucket = options.homes_bucket;
  auto epoch = read_epoch(*database);
  if (!epoch) return std::unexpected(epoch.error());
  content.epoch = *epoch;
  auto principals = database->principals();
  if (!principals) return std::unexpected(principals.error());
  std::unordered_map<std::string, std::size_t> place;
  for (const auto& row : *principals) {
    place[row.name] = content.principals.size();
    content.principals.push_back({.name = PrincipalName(row.name),
                                  .admin = row.admin,
                                  .disabled = row.disabled,
                                  .uid = static_cast<std::uint32_t>(row.uid)});
  }
  auto members = database->members();
  if (!members) return std::unexpected(members.error());
  for (const auto& row : *members) {
    content.principals[place.at(row.member)].groups.emplace_back(row.group);
  }
  auto keys = database->keys();
  if (!keys) return std::unexpected(keys.error());
  for (const auto& row : *keys) {
    auto key = to_key(row);
    if (!key) return std::unexpected(key.error());
    content.keys.push_back(std::move(*key));
  }
  auto grants = database->grants();
  if (!grants) return std::unexpected(grants.error());
  for (const auto& row : *grants) {
    auto grant = to_grant(row);
    if (!grant) return std::unexpected(grant.error());
    content.grants.push_back(std::move(*grant));
  }
  return content;
}

Result<bool> Registry::Parts::is_admin(const Actor& actor) {
  if (actor.kind != Actor::Kind::principal) return true;
  auto row = database->principal(actor.principal.value);
  if (!row) return std::unexpected(row.error());
  return *row && (*row)->admin && !(*row)->disabled;
}

Result<void> Registry::Parts::require_admin(const Actor& actor, std::string_view what) {
  auto admin = is_admin(actor);
  if (!admin) return std::unexpected(admin.error());
  if (*admin) return {};
  return fail(ErrorCode::access_denied, "only an administrator may {}", what);
}

Result<void> Registry::Parts::require_self_or_admin(const Actor& actor, const PrincipalName& owner,
                                                    std::string_view what) {
  if (actor.kind == Actor::Kind::principal && actor.principal == owner) {
    auto row = require_principal(owner);
    if (!row) return std::unexpected(row.error());
    if (!row->disabled) return {};
    return fail(ErrorCode::access_denied, "{} is disabled: ask an administrator", owner.value);
  }
  return require_admin(actor, what);
}

Result<index::PrincipalRow> Registry::Parts::require_principal(const PrincipalName& name) {
  auto row = database->principal(name.value);
  if (!row) return std::unexpected(row.error());
  if (*row) return std::move(**row);
  return fail(ErrorCode::not_found, "there is no user, group, app or service named \"{}\"",
              log_field(name.value, 64));
}

Result<std::uint32_t> Registry::Parts::next_uid() {
  auto text = database->setting("next_uid");
  if (!text) return std::unexpected(text.error());
  std::uint32_t uid = options.first_uid;
  if (*text) std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), uid);
  while (used_by_host(uid)) ++uid;
  if (auto kept = database->set_setting("next_uid", std::to_string(uid + 1)); !kept) {
    return std::unexpected(kept.error());
  }
  return uid;
}

// --- Registry: opening -----------------------------------------------------------------------

Registry::Registry(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Registry::~Registry() = default;

Result<std::unique_ptr<Registry>> Registry::open(RegistryOptions options, const Clock& clock,
                                                 Random& random) {
  auto parts = std::make_unique<Parts>(std::move(options), clock, random);
  auto database = index::RegistryDatabase::open(parts->options.path);
  if (!database) return std::unexpected(database.error());
  parts->database = std::move(*database);
  {
    std::lock_guard guard(parts->database->mutex());
    auto transaction = parts->database->begin();
    if (!transaction) return std::unexpected(transaction.error());
    auto id = lasting_setting(*parts->database, "instance_id", [&] { return random.hex(5); });
    if (!id) return std::unexpected(id.error());
    auto secret =
        lasting_setting(*parts->database, "instance_secret", [&] { return random.hex(32); });
    if (!secret) return std::unexpected(secret.error());
    if (auto done = transaction->commit(); !done) return std::unexpected(done.error());
    parts->instance_id = std::move(*id);
    parts->instance_secret = from_hex(*secret).value_or("");
  }
  parts->audit = std::make_unique<AuditLog>(*parts->database, clock);
  std::unique_ptr<Registry> registry(new Registry(std::move(parts)));
  const Actor actor{.kind = Actor::Kind::system, .principal = PrincipalName("holdfast")};
  auto present = registry->templates();
  if (!present) return std::unexpected(present.error());
  for (auto& built_in : built_in_templates()) {
    const bool known = std::ranges::any_of(
        *present, [&](const ToolTemplate& other) { return other.name == built_in.name; });
    if (known) continue;  // an administrator's later version stays
    auto added = registry->add_template(actor, std::move(built_in));
    if (!added) return std::unexpected(added.error());
  }
  return registry;
}

const std::string& Registry::instance_id() const { return parts_->instance_id; }
const std::string& Registry::instance_secret() const { return parts_->instance_secret; }
const BucketName& Registry::homes_bucket() const { return parts_->options.homes_bucket; }
AuditLog& Registry::audit() { return *parts_->audit; }

Result<PolicyContent> Registry::policy_content() {
  std::lock_guard guard(parts_->database->mutex());
  return parts_->load_policy();
}

void Registry::on_access_change(std::function<void(PolicyContent)> listener) {
  std::lock_guard guard(parts_->database->mutex());
  parts_->listener = std::move(listener);
}

}  // namespace holdfast::control
