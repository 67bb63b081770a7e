#include "index/database.h"

#include <sqlite3.h>

namespace holdfast::index {
namespace {

ErrorCode code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
      return ErrorCode::no_space;
    case SQLITE_CONSTRAINT:
      return ErrorCode::conflict;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::unavailable;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return ErrorCode::read_only;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::corrupted;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return ErrorCode::io;
    default:
      return ErrorCode::internal;
  }
}

const char* synchronous(Durability durability) {
  switch (durability) {
    case Durability::none:
      return "OFF";
    case Durability::lazy:
      return "NORMAL";
    case Durability::full:
      return "FULL";
  }
  return "FULL";
}

// SQLite counts every allocation under a lock of the process; nobody reads the sums. Only before
// its first use, so that an answer other than OK changes nothing.
void stop_counting_memory() {
  [[maybe_unused]] static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

std::unexpected<Error> fail_sqlite(sqlite3* handle, int code, std::string_view what) {
  const char* message = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  return fail(code_of(code), "{}: {} (SQLite {})", what, message, code);
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Result<bool> Statement::step() {
  HOLDFAST_CHECK(statement_ != nullptr);
  sqlite3* handle = sqlite3_db_handle(statement_.get());
  if (bind_error_ != SQLITE_OK) return fail_sqlite(nullptr, bind_error_, "bind a parameter");
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  auto failure = fail_sqlite(handle, code, sqlite3_sql(statement_.get()));
  sqlite3_reset(statement_.get());
  return failure;
}

Result<void> Statement::finish() {
  for (;;) {
    auto row = step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
  }
}

void Statement::reset() {
  HOLDFAST_CHECK(statement_ != nullptr);
  sqlite3_reset(statement_.get());
  bind_error_ = SQLITE_OK;
}

void Statement::bind(int index, std::int64_t value) {
  const int code = sqlite3_bind_int64(statement_.get(), index, value);
  if (code != SQLITE_OK) bind_error_ = code;
}

void Statement::bind(int index, double value) {
  const int code = sqlite3_bind_double(statement_.get(), index, value);
  if (code != SQLITE_OK) bind_error_ = code;
}

void Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL, and an empty view may carry one.
  const char* data = text.data() ? text.data() : "";
  const int code =
      sqlite3_bind_text64(statement_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) bind_error_ = code;
}

void Statement::bind(int index, std::span<const std::byte> bytes) {
  const void* data = bytes.data() ? static_cast<const void*>(bytes.data()) : "";
  const int code = sqlite3_bind_blob64(statement_.get(), index, data, bytes.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) bind_error_ = code;
}

void Statement::bind(int index, std::nullopt_t) {
  const int code = sqlite3_bind_null(statement_.get(), index);
  if (code != SQLITE_OK) bind_error_ = code;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string_view Statement::text(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data ? std::string_view(data, static_cast<std::size_t>(size)) : std::string_view();
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Result<Database> Database::open(const std::string& path, DatabaseOptions options) {
  stop_counting_memory();
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_NOMUTEX |
      (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  Database database;
  database.handle_.reset(handle);
  if (code != SQLITE_OK) return fail_sqlite(handle, code, "open the database " + path);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(options.busy_timeout.count()));
  auto ready = database.run(
      fmt::format("PRAGMA cache_size=-{}; PRAGMA foreign_keys=ON;", options.cache_bytes >> 10));
  if (!ready) return fail_within("open the database " + path, ready.error());
  if (options.read_only) return database;
  // journal_size_limit gives the space of a WAL that once grew back to the disk.
  auto mode = database.run(fmt::format(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous={}; PRAGMA journal_size_limit=16777216;",
      synchronous(options.durability)));
  if (!mode) return fail_within("open the database " + path, mode.error());
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(handle_.get(), code, sql);
  HOLDFAST_CHECK(statement != nullptr);
  return Statement(statement);
}

Result<Statement*> Database::kept(std::string_view sql) {
  auto found = kept_.find(sql);
  if (found == kept_.end()) {
    auto prepared = prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    found = kept_.emplace(sql, *std::move(prepared)).first;
  }
  return &found->second;
}

Result<void> Database::run(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(handle_.get(), code, sql.substr(0, 200));
  return {};
}

Result<std::int64_t> Database::user_version() {
  auto query = prepare("PRAGMA user_version");
  if (!query) return std::unexpected(query.error());
  auto row = query->step();
  if (!row) return std::unexpected(row.error());
  return *row ? query->integer(0) : 0;
}

Result<void> Database::migrate(std::span<const char* const> steps) {
  auto version = user_version();
  if (!version) return std::unexpected(version.error());
  const auto newest = static_cast<std::int64_t>(steps.size());
  if (*version > newest) {
    return fail(ErrorCode::not_supported,
                "the database has version {}, this program knows up to {}: use a newer one",
                *version, newest);
  }
  for (auto at = *version; at < newest; ++at) {
    auto transaction = Transaction::begin(*this);
    if (!transaction) return std::unexpected(transaction.error());
    // Read again under the write lock: another process may have migrated meanwhile.
    auto present = user_version();
    if (!present) return std::unexpected(present.error());
    if (*present > at) continue;
    if (auto done = run(steps[static_cast<std::size_t>(at)]); !done) return done;
    if (auto done = run(fmt::format("PRAGMA user_version={}", at + 1)); !done) return done;
    if (auto done = transaction->commit(); !done) return done;
  }
  return {};
}

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(handle_.get()); }

std::int64_t Database::changed_rows() const { return sqlite3_changes64(handle_.get()); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

Result<Transaction> Transaction::begin(Database& database) {
  auto begin = database.kept("BEGIN IMMEDIATE");
  if (!begin) return std::unexpected(begin.error());
  if (auto begun = (*begin)->execute(); !begun) return std::unexpected(begun.error());
  return Transaction(database);
}

Transaction::~Transaction() { rollback(); }

Result<void> Transaction::commit() {
  HOLDFAST_CHECK(database_ != nullptr);
  auto commit = database_->kept("COMMIT");
  if (!commit) return std::unexpected(commit.error());
  auto done = (*commit)->execute();
  if (done) database_ = nullptr;
  return done;
}

void Transaction::rollback() {
  Database* database = std::exchange(database_, nullptr);
  // A full disk may have made SQLite roll back by itself already.
  if (database && database->in_transaction()) (void)database->run("ROLLBACK");
}

}  // namespace holdfast::index
