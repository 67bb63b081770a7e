// The registry's tables of sessions, templates, tools and audit.
#include "index/registry.h"
#include "index/registry_rows.h"

namespace holdfast::index {
namespace {

constexpr auto read_tool = [](const Statement& row) {
  return ToolRow{row.string(0),  row.string(1),  row.integer(2) != 0, row.integer(3),
                 row.integer(4), row.integer(5), row.integer(6),      row.integer(7),
                 row.string(8),  row.string(9),  row.string(10)};
};
constexpr auto read_audit = [](const Statement& row) {
  return AuditRow{row.integer(0), row.integer(1), row.string(2),  row.string(3),
                  row.string(4),  row.string(5),  row.string(6),  row.integer(7),
                  row.string(8),  row.string(9),  row.string(10), row.string(11)};
};

Result<AuditHead> read_head(Database& database) {
  auto head = first<AuditHead>(
      database, "SELECT sequence, hash FROM audit_head",
      [](const Statement& row) { return AuditHead{row.integer(0), row.string(1)}; });
  if (!head) return std::unexpected(head.error());
  return head->value_or(AuditHead{});
}

}  // namespace

Result<void> RegistryDatabase::put(const SessionRow& row) {
  return execute(database_, "INSERT OR REPLACE INTO session VALUES(?,?,?,?,?)", row.id,
                 row.principal, row.created, row.expires, row.last_used);
}

Result<std::vector<SessionRow>> RegistryDatabase::sessions() {
  return all<SessionRow>(database_, "SELECT * FROM session", [](const Statement& row) {
    return SessionRow{row.string(0), row.string(1), row.integer(2), row.integer(3), row.integer(4)};
  });
}

Result<std::int64_t> RegistryDatabase::remove_session(std::string_view id) {
  return remove_rows(database_, "DELETE FROM session WHERE id=?", id);
}

Result<std::int64_t> RegistryDatabase::remove_sessions_of(std::string_view principal) {
  return remove_rows(database_, "DELETE FROM session WHERE principal=?", principal);
}

Result<std::int64_t> RegistryDatabase::remove_sessions_before(std::int64_t expiry) {
  auto links = remove_rows(database_, "DELETE FROM sign_in_link WHERE expires<?", expiry);
  if (!links) return links;
  return remove_rows(database_, "DELETE FROM session WHERE expires<?", expiry);
}

Result<void> RegistryDatabase::put(const LinkRow& row) {
  return execute(database_, "INSERT INTO sign_in_link VALUES(?,?,?)", row.id, row.principal,
                 row.expires);
}

Result<std::optional<LinkRow>> RegistryDatabase::take_link(std::string_view id) {
  return first<LinkRow>(
      database_, "DELETE FROM sign_in_link WHERE id=? RETURNING id, principal, expires",
      [](const Statement& row) { return LinkRow{row.string(0), row.string(1), row.integer(2)}; },
      id);
}

Result<void> RegistryDatabase::put(const TemplateRow& row) {
  return execute(database_, "INSERT INTO template VALUES(?,?,?)", row.name, row.version, row.body);
}

Result<std::vector<TemplateRow>> RegistryDatabase::templates() {
  return all<TemplateRow>(database_,
                          "SELECT name, version, body FROM template ORDER BY name, version",
                          [](const Statement& row) {
                            return TemplateRow{row.string(0), row.integer(1), row.string(2)};
                          });
}

Result<void> RegistryDatabase::put(const ToolRow& row) {
  return execute(database_, "INSERT OR REPLACE INTO tool VALUES(?,?,?,?,?,?,?,?,?,?,?)", row.user,
                 row.tool, row.running, row.generation, row.template_version, row.attempts,
                 row.changed, row.failed_generation, row.failure, blob(row.failure_log), row.key);
}

Result<std::optional<ToolRow>> RegistryDatabase::tool(std::string_view user,
                                                      std::string_view tool) {
  return first<ToolRow>(database_, "SELECT * FROM tool WHERE user=? AND tool=?", read_tool, user,
                        tool);
}

Result<std::vector<ToolRow>> RegistryDatabase::tools() {
  return all<ToolRow>(database_, "SELECT * FROM tool ORDER BY user, tool", read_tool);
}

Result<void> RegistryDatabase::append(const AuditRow& row) {
  return execute(database_, "INSERT INTO audit VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", row.sequence,
                 row.time, blob(row.actor), blob(row.on_behalf_of), blob(row.action),
                 blob(row.target), blob(row.outcome), row.grant, blob(row.request_id),
                 blob(row.source), blob(row.detail), blob(row.hash));
}

Result<void> RegistryDatabase::set_audit_head(const AuditHead& head) {
  return execute(database_, "INSERT OR REPLACE INTO audit_head VALUES(1,?,?)", head.sequence,
                 blob(head.hash));
}

Result<AuditHead> RegistryDatabase::audit_head() { return read_head(database_); }

Result<AuditReader> AuditReader::open(const std::string& path) {
  auto database = Database::open(path, {.read_only = true});
  if (!database) return fail_within("read the audit log", database.error());
  return AuditReader(std::move(*database));
}

namespace {

Result<void> walk(Statement& statement, const std::function<bool(const AuditRow&)>& visit) {
  for (;;) {
    auto more = statement.step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
    if (!visit(read_audit(statement))) break;
  }
  statement.reset();
  return {};
}

}  // namespace

Result<void> AuditReader::newest_first(std::int64_t before, std::int64_t after,
                                       const std::function<bool(const AuditRow&)>& visit) {
  auto statement = database_.prepare(
      "SELECT * FROM audit WHERE (?1=0 OR sequence<?1) AND sequence>?2 ORDER BY sequence DESC");
  if (!statement) return std::unexpected(statement.error());
  statement->start(before, after);
  return walk(*statement, visit);
}

Result<AuditHead> AuditReader::in_order(const std::function<bool(const AuditRow&)>& visit) {
  // One read transaction: head and rows are of the same moment.
  if (auto begun = database_.run("BEGIN"); !begun) return std::unexpected(begun.error());
  auto head = read_head(database_);
  Result<void> walked;
  if (head) {
    auto statement = database_.prepare("SELECT * FROM audit ORDER BY sequence");
    walked = statement ? walk(*statement, visit) : Result<void>(std::unexpected(statement.error()));
  }
  (void)database_.run("COMMIT");
  if (!walked) return std::unexpected(walked.error());
  return head;
}

}  // namespace holdfast::index
