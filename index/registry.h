// RegistryDatabase: the tables of the registry (principals, keys, grants, sessions, tools, audit)
// and their queries; no rules. One connection, guarded by mutex(): hold it around every call and
// around a whole transaction. Times are nanoseconds since 1970; -1 stands for none.
// synchronous=FULL: what committed survives power loss.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "index/database.h"

namespace holdfast::index {

inline constexpr std::int64_t no_time = -1;

struct PrincipalRow {
  std::string name;
  std::string kind;
  bool admin = false, disabled = false;
  std::int64_t uid = 0, created = 0;
};
struct MemberRow {
  std::string group, member;
};
struct KeyRow {
  std::string id, secret, principal, purpose, session_token;
  std::int64_t not_after = no_time;
  std::string scope;  // JSON; empty: none
};
struct GrantRow {
  std::int64_t id = 0;
  std::string principal, bucket, prefix, level;
  std::int64_t not_after = no_time;
  std::string granted_by;
};
struct SessionRow {
  std::string id, principal;  // id: hex SHA-256 of the token
  std::int64_t created = 0, expires = 0, last_used = 0;
};
struct LinkRow {
  std::string id, principal;
  std::int64_t expires = 0;
};
struct TemplateRow {
  std::string name;
  std::int64_t version = 0;
  std::string body;  // JSON
};
struct ToolRow {
  std::string user, tool;
  bool running = false;
  std::int64_t generation = 0, template_version = 0, attempts = 0, changed = 0;
  std::int64_t failed_generation = 0;
  std::string failure, failure_log, key;
};
struct AuditRow {
  std::int64_t sequence = 0, time = 0;
  std::string actor, on_behalf_of, action, target, outcome;
  std::int64_t grant = 0;
  std::string request_id, source, detail;
  std::string hash;  // 32 raw bytes
};
struct AuditHead {
  std::int64_t sequence = 0;
  std::string hash;  // 32 raw bytes; empty before the first row
};

class RegistryDatabase {
 public:
  static Result<std::unique_ptr<RegistryDatabase>> open(const std::string& path);

  std::mutex& mutex() { return mutex_; }
  Result<Transaction> begin() { return Transaction::begin(database_); }
  const std::string& path() const { return path_; }

  Result<std::optional<std::string>> setting(std::string_view name);
  Result<void> set_setting(std::string_view name, std::string_view value);

  // put: inserts or replaces by primary key. remove: answers how many rows went.
  Result<void> put(const PrincipalRow& row);
  Result<std::optional<PrincipalRow>> principal(std::string_view name);
  Result<std::vector<PrincipalRow>> principals();
  Result<std::int64_t> remove_principal(std::string_view name);  // and all that hangs on it

  Result<void> put(const MemberRow& row);
  Result<std::int64_t> remove(const MemberRow& row);
  Result<std::vector<MemberRow>> members();

  Result<void> put(const KeyRow& row);
  Result<std::optional<KeyRow>> key(std::string_view id);
  Result<std::vector<KeyRow>> keys();
  Result<std::int64_t> remove_key(std::string_view id);

  Result<std::int64_t> add(const GrantRow& row);  // answers the id; never given twice
  Result<std::optional<GrantRow>> grant(std::int64_t id);
  Result<std::vector<GrantRow>> grants();
  Result<std::int64_t> remove_grant(std::int64_t id);
  Result<std::int64_t> remove_grants_of_bucket(std::string_view bucket);

  Result<void> put(const SessionRow& row);
  Result<std::vector<SessionRow>> sessions();
  Result<std::int64_t> remove_session(std::string_view id);
  Result<std::int64_t> remove_sessions_of(std::string_view principal);
  Result<std::int64_t> remove_sessions_before(std::int64_t expiry);  // and links
  Result<void> put(const LinkRow& row);
  Result<std::optional<LinkRow>> take_link(std::string_view id);  // removes it

  Result<void> put(const TemplateRow& row);
  Result<std::vector<TemplateRow>> templates();  // all versions, ascending

  Result<void> put(const ToolRow& row);
  Result<std::optional<ToolRow>> tool(std::string_view user, std::string_view tool);
  Result<std::vector<ToolRow>> tools();

  Result<void> append(const AuditRow& row);
  Result<void> set_audit_head(const AuditHead& head);
  Result<AuditHead> audit_head();

 private:
  explicit RegistryDatabase(Database database, std::string path);
  Database database_;
  std::string path_;
  std::mutex mutex_;
};

// Reads the audit table on a connection of its own, so that long walks hold up nobody.
class AuditReader {
 public:
  static Result<AuditReader> open(const std::string& path);
  // Rows in descending order with after < sequence < before; before 0: from the newest. `visit`
  // answers whether to go on.
  Result<void> newest_first(std::int64_t before, std::int64_t after,
                            const std::function<bool(const AuditRow&)>& visit);
  // All rows in ascending order, with the head as of the same moment.
  Result<AuditHead> in_order(const std::function<bool(const AuditRow&)>& visit);

 private:
  explicit AuditReader(Database database) : database_(std::move(database)) {}
  Database database_;
};

}  // namespace holdfast::index
