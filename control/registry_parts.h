// What the registry's source files share: the database, and change(), the one way to write.
// For control/registry*.cc and control/sessions.cc only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/audit.h"
#include "control/registry.h"
#include "index/registry.h"

namespace holdfast::control {

struct Registry::Parts {
  RegistryOptions options;
  const Clock& clock;
  Random& random;
  std::unique_ptr<index::RegistryDatabase> database;
  std::unique_ptr<AuditLog> audit;
  std::string instance_id, instance_secret;
  std::function<void(PolicyContent)> listener;  // guarded by the database's mutex
  // Told when a principal was disabled or removed: Sessions forgets its sessions. Set before use.
  std::function<void(const PrincipalName&)> principal_ended;

  Parts(RegistryOptions opts, const Clock& time, Random& dice)
      : options(std::move(opts)), clock(time), random(dice) {}

  enum class Touches { access, other };
  // Runs `work` in a transaction under the lock. It checks, writes, and may fill in the event;
  // then event and change commit together, and, where access is touched, the new policy is
  // published before the lock is let go. A refusal (access_denied) is audited as a denial; an
  // event whose action was cleared is not written.
  Result<void> change(const Actor& actor, AuditEvent event, Touches touches,
                      const std::function<Result<void>(AuditEvent&)>& work);

  // The following need the lock.
  Result<PolicyContent> load_policy();
  Result<void> bump_epoch();
  Result<bool> is_admin(const Actor& actor);
  Result<void> require_admin(const Actor& actor, std::string_view what);
  Result<void> require_self_or_admin(const Actor& actor, const PrincipalName& owner,
                                     std::string_view what);
  Result<index::PrincipalRow> require_principal(const PrincipalName& name);
  Result<std::uint32_t> next_uid();
  Result<Grant> store_grant(const Actor& actor, const NewGrant& wanted);
  Result<KeyRecord> store_key(const NewKey& wanted);
};

// Rows to records. A row that does not parse is `corrupted`.
std::int64_t to_stored(const std::optional<TimePoint>& time);
std::int64_t to_stored(TimePoint time);
TimePoint time_from(std::int64_t stored);
std::optional<TimePoint> maybe_time_from(std::int64_t stored);
Principal to_principal(const index::PrincipalRow& row);
Result<Grant> to_grant(const index::GrantRow& row);
Result<KeyRecord> to_key(const index::KeyRow& row);
ToolRecord to_tool(const index::ToolRow& row);
index::ToolRow to_row(const ToolRecord& record);
std::string scope_to_json(const KeyScope& scope);
Result<KeyScope> scope_from_json(std::string_view text);
std::string template_to_json(const ToolTemplate& tool_template);
Result<ToolTemplate> template_from_row(const index::TemplateRow& row);

}  // namespace holdfast::control
