// Database, Statement, Transaction: move-only handles on SQLite (3.40), the only way to it here.
// One Database and its statements belong to one thread at a time; open one connection per thread
// or guard it with a mutex. A Statement must not outlive its Database.
//
//   auto insert = db.prepare("INSERT INTO user(name, age) VALUES(?,?)");
//   insert->execute(name, 42);
//   auto find = db.prepare("SELECT age FROM user WHERE name=?");
//   find->start(name);  while (*find->step()) use(find->integer(0));
//
// Bytes (std::span<const std::byte>, or blob("...")) bind as BLOB and compare as memcmp does;
// std::string_view binds as TEXT. Text and bytes must live until the statement is reset or bound
// again. Errors: no_space, conflict (a constraint), unavailable (busy), read_only, corrupted, io.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace holdfast::index {

enum class Durability {
  full,  // a commit survives power loss (WAL, synchronous=FULL)
  none,  // our own death loses nothing, power loss may break the file (synchronous=OFF)
  lazy,  // power loss may take the last commits, never the file itself (WAL, synchronous=NORMAL)
};

struct DatabaseOptions {
  Durability durability = Durability::full;
  bool read_only = false;
  std::chrono::milliseconds busy_timeout{5000};
  std::int64_t cache_bytes = 8 << 20;
};

inline std::span<const std::byte> blob(std::string_view bytes) {
  return std::as_bytes(std::span(bytes.data(), bytes.size()));
}

class Statement {
 public:
  Statement() = default;

  // Resets, binds every argument in order and, for execute, runs to the end.
  template <class... Args>
  void start(const Args&... args) {
    reset();
    int index = 0;
    (bind(++index, args), ...);
  }
  template <class... Args>
  Result<void> execute(const Args&... args) {
    start(args...);
    return finish();
  }
  // True when there is a row to read; false at the end (the statement is then reset).
  Result<bool> step();
  void reset();

  // Parameters count from 1. A bind that fails makes the next step() fail.
  void bind(int index, std::int64_t value);
  void bind(int index, std::uint64_t value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, int value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, unsigned value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, bool value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, double value);
  void bind(int index, std::string_view text);
  void bind(int index, const std::string& text) { bind(index, std::string_view(text)); }
  void bind(int index, const char* text) { bind(index, std::string_view(text)); }
  void bind(int index, std::span<const std::byte> bytes);
  void bind(int index, std::nullopt_t);
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    value ? bind(index, *value) : bind(index, std::nullopt);
  }

  // Columns count from 0; valid while step() last answered true. The views die at the next step.
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;  // of TEXT and of BLOB
  std::string string(int column) const { return std::string(text(column)); }
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Result<void> finish();

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_error_ = 0;
};

class Database {
 public:
  Database() = default;

  // Creates the file where it is missing, unless read_only. ":memory:" is a private one.
  static Result<Database> open(const std::string& path, DatabaseOptions options = {});

  bool is_open() const { return handle_ != nullptr; }
  Result<Statement> prepare(std::string_view sql);
  // The same, prepared once and kept; whoever starts it ends what was read from it before.
  Result<Statement*> kept(std::string_view sql);
  Result<void> run(const std::string& sql);  // any number of statements, no rows wanted
  // steps[i] brings user_version from i to i+1; each runs in one transaction, once. A file from a
  // newer program (user_version > steps.size()) is not_supported and is left alone.
  Result<void> migrate(std::span<const char* const> steps);
  Result<std::int64_t> user_version();
  std::int64_t last_insert_id() const;
  std::int64_t changed_rows() const;  // by the last statement
  bool in_transaction() const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::unique_ptr<sqlite3, Close> handle_;
  std::map<std::string, Statement, std::less<>> kept_;  // by text; gone before the handle
};

// BEGIN IMMEDIATE; rolled back when destroyed before commit() succeeded.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();
  void rollback();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace holdfast::index
