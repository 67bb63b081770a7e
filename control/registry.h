// Registry: the one narrow interface to who exists and what they may do (principals, keys, grants,
// templates, tools). Checks names and rights, commits each change together with its audit event
// (SQLite, WAL, synchronous=FULL), then publishes the new policy before it returns: a revoked grant
// is gone for the next request. Thread-safe; every call blocks on the disk, so coroutines run it on
// a BlockingPool. Errors: invalid_name, invalid_argument, not_found, already_exists, access_denied,
// conflict; the context is a sentence for the caller.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "control/audit.h"
#include "control/records.h"

namespace holdfast::control {

struct RegistryOptions {
  std::string path;  // of the SQLite file; made if missing, mode 0600
  BucketName homes_bucket{"homes"};
  std::uint32_t first_uid = 20'000;
};

class Registry {
 public:
  static Result<std::unique_ptr<Registry>> open(RegistryOptions options, const Clock& clock,
                                                Random& random);
  ~Registry();

  // Principals. Only administrators. Removing one removes its keys, sessions, grants, tools.
  Result<Principal> create_principal(const Actor& actor, const NewPrincipal& principal);
  Result<void> remove_principal(const Actor& actor, const PrincipalName& name);
  Result<void> disable_principal(const Actor& actor, const PrincipalName& name);
  Result<void> enable_principal(const Actor& actor, const PrincipalName& name);
  Result<void> make_admin(const Actor& actor, const PrincipalName& name);
  Result<void> take_admin(const Actor& actor, const PrincipalName& name);
  Result<Principal> principal(const PrincipalName& name);
  Result<std::vector<Principal>> principals();
  Result<void> add_member(const Actor& actor, const Membership& membership);
  Result<void> remove_member(const Actor& actor, const Membership& membership);
  Result<std::vector<PrincipalName>> members(const PrincipalName& group);

  // Keys. The principal itself or an administrator. Listed keys carry no secret.
  Result<KeyRecord> create_key(const Actor& actor, const NewKey& key);
  Result<std::vector<KeyRecord>> keys(const PrincipalName& principal);
  Result<void> revoke_key(const Actor& actor, const AccessKeyId& id);

  // Grants. Administrators, and whoever holds level admin on the whole scope: never beyond their
  // own scope or expiry.
  Result<Grant> add_grant(const Actor& actor, const NewGrant& grant);
  Result<void> remove_grant(const Actor& actor, std::int64_t id);
  Result<std::vector<Grant>> grants(const GrantFilter& filter);
  // When a bucket is deleted, so that a later one of that name inherits nothing.
  Result<void> remove_grants_of_bucket(const Actor& actor, const BucketName& bucket);

  // Templates. add: administrators; a known name makes its next version. list: newest of each.
  Result<ToolTemplate> add_template(const Actor& actor, ToolTemplate tool_template);
  Result<std::vector<ToolTemplate>> templates();
  Result<ToolTemplate> find_template(const std::string& name, std::uint32_t version = 0);

  // Tools: desired state. The user or an administrator. start of a running tool changes nothing
  // unless it failed; restart always begins a new generation.
  Result<ToolRecord> start_tool(const Actor& actor, const ToolId& id);
  Result<ToolRecord> stop_tool(const Actor& actor, const ToolId& id);
  Result<ToolRecord> restart_tool(const Actor& actor, const ToolId& id);
  Result<std::vector<ToolRecord>> tools();
  // For the launcher: what happened within one generation; ignored (conflict) for an older one.
  Result<void> record_tool_failure(const ToolRecord& record, std::string failure, std::string log);
  Result<void> record_tool_attempt(const ToolRecord& record);
  // The instance's key pair: renew revokes the last one and makes the next in one commit.
  Result<KeyRecord> renew_tool_key(const ToolRecord& record);
  Result<void> revoke_tool_key(const ToolRecord& record);

  // A random id of this data directory, made once: part of every container's name.
  const std::string& instance_id() const;
  const BucketName& homes_bucket() const;
  // 32 secret bytes kept across restarts, for signing web tickets and the like.
  const std::string& instance_secret() const;

  AuditLog& audit();

  // Everything a snapshot needs, as of the last commit.
  Result<PolicyContent> policy_content();
  // Called after every commit that touches access, in commit order, before the call returns to its
  // maker. One listener: the publisher (control/publisher.h).
  void on_access_change(std::function<void(PolicyContent)> listener);

  // For Sessions (control/sessions.h), which shares the file and the transactions.
  struct Parts;
  Parts& parts() { return *parts_; }

 private:
  explicit Registry(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace holdfast::control
