#include "index/registry.h"

#include <fcntl.h>

#include "base/fd.h"
#include "index/registry_rows.h"
#include "index/registry_schema.h"

namespace holdfast::index {

RegistryDatabase::RegistryDatabase(Database database, std::string path)
    : database_(std::move(database)), path_(std::move(path)) {}

Result<std::unique_ptr<RegistryDatabase>> RegistryDatabase::open(const std::string& path) {
  // It holds secrets: made by us, so that nobody else can read it from the first moment on.
  if (auto made = open_file(path, O_CREAT | O_RDWR, 0600); !made) {
    return fail_within("open the registry", made.error());
  }
  auto database = Database::open(path, {.durability = Durability::full});
  if (!database) return fail_within("open the registry", database.error());
  if (auto done = database->migrate(registry_steps); !done) {
    return fail_within("open the registry " + path, done.error());
  }
  return std::unique_ptr<RegistryDatabase>(new RegistryDatabase(std::move(*database), path));
}

Result<std::optional<std::string>> RegistryDatabase::setting(std::string_view name) {
  return first<std::string>(
      database_, "SELECT value FROM setting WHERE name=?",
      [](const Statement& row) { return row.string(0); }, name);
}

Result<void> RegistryDatabase::set_setting(std::string_view name, std::string_view value) {
  return execute(database_, "INSERT OR REPLACE INTO setting VALUES(?,?)", name, value);
}

// An upsert, not REPLACE: replacing a principal would cascade to all that hangs on it.
Result<void> RegistryDatabase::put(const PrincipalRow& row) {
  return execute(database_,
                 "INSERT INTO principal VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(name) DO UPDATE SET "
                 "kind=?2, admin=?3, disabled=?4, uid=?5, created=?6",
                 row.name, row.kind, row.admin, row.disabled, row.uid, row.created);
}

namespace {
constexpr auto read_principal = [](const Statement& row) {
  return PrincipalRow{row.string(0),       row.string(1),  row.integer(2) != 0,
                      row.integer(3) != 0, row.integer(4), row.integer(5)};
};
constexpr auto read_key = [](const Statement& row) {
  return KeyRow{row.string(0), row.string(1),  row.string(2), row.string(3),
                row.string(4), row.integer(5), row.string(6)};
};
constexpr auto read_grant = [](const Statement& row) {
  return GrantRow{row.integer(0), row.string(1),  row.string(2), row.string(3),
                  row.string(4),  row.integer(5), row.string(6)};
};
}  // namespace

Result<std::optional<PrincipalRow>> RegistryDatabase::principal(std::string_view name) {
  return first<PrincipalRow>(database_, "SELECT * FROM principal WHERE name=?", read_principal,
                             name);
}

Result<std::vector<PrincipalRow>> RegistryDatabase::principals() {
  return all<PrincipalRow>(database_, "SELECT * FROM principal ORDER BY name", read_principal);
}

Result<std::int64_t> RegistryDatabase::remove_principal(std::string_view name) {
  return remove_rows(database_, "DELETE FROM principal WHERE name=?", name);
}

Result<void> RegistryDatabase::put(const MemberRow& row) {
  return execute(database_, "INSERT OR IGNORE INTO member VALUES(?,?)", row.group, row.member);
}

Result<std::int64_t> RegistryDatabase::remove(const MemberRow& row) {
  return remove_rows(database_, "DELETE FROM member WHERE parent=? AND member=?", row.group,
                     row.member);
}

Result<std::vector<MemberRow>> RegistryDatabase::members() {
  return all<MemberRow>(
      database_, "SELECT parent, member FROM member ORDER BY parent, member",
      [](const Statement& row) { return MemberRow{row.string(0), row.string(1)}; });
}

Result<void> RegistryDatabase::put(const KeyRow& row) {
  return execute(database_, "INSERT OR REPLACE INTO access_key VALUES(?,?,?,?,?,?,?)", row.id,
                 row.secret, row.principal, row.purpose, row.session_token, row.not_after,
                 row.scope);
}

Result<std::optional<KeyRow>> RegistryDatabase::key(std::string_view id) {
  return first<KeyRow>(database_, "SELECT * FROM access_key WHERE id=?", read_key, id);
}

Result<std::vector<KeyRow>> RegistryDatabase::keys() {
  return all<KeyRow>(database_, "SELECT * FROM access_key ORDER BY id", read_key);
}

Result<std::int64_t> RegistryDatabase::remove_key(std::string_view id) {
  return remove_rows(database_, "DELETE FROM access_key WHERE id=?", id);
}

Result<std::int64_t> RegistryDatabase::add(const GrantRow& row) {
  auto done = execute(database_,
                      "INSERT INTO access_grant(principal, bucket, prefix, level, not_after, "
                      "granted_by) VALUES(?,?,?,?,?,?)",
                      row.principal, row.bucket, blob(row.prefix), row.level, row.not_after,
                      row.granted_by);
  if (!done) return std::unexpected(done.error());
  return database_.last_insert_id();
}

Result<std::optional<GrantRow>> RegistryDatabase::grant(std::int64_t id) {
  return first<GrantRow>(database_, "SELECT * FROM access_grant WHERE id=?", read_grant, id);
}

Result<std::vector<GrantRow>> RegistryDatabase::grants() {
  return all<GrantRow>(database_, "SELECT * FROM access_grant ORDER BY id", read_grant);
}

Result<std::int64_t> RegistryDatabase::remove_grant(std::int64_t id) {
  return remove_rows(database_, "DELETE FROM access_grant WHERE id=?", id);
}

Result<std::int64_t> RegistryDatabase::remove_grants_of_bucket(std::string_view bucket) {
  return remove_rows(database_, "DELETE FROM access_grant WHERE bucket=?", bucket);
}

}  // namespace holdfast::index
