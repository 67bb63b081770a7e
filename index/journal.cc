#include "index/journal.h"

#include <algorithm>

#include "index/database.h"

namespace holdfast::index {
namespace {

constexpr const char* migrations[] = {
    R"sql(
CREATE TABLE base(
  path BLOB PRIMARY KEY, kind INTEGER NOT NULL, implicit INTEGER NOT NULL,
  version TEXT NOT NULL, etag TEXT NOT NULL, sequence INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  mode INTEGER NOT NULL, hash TEXT NOT NULL, link TEXT NOT NULL, xattrs TEXT NOT NULL,
  stub INTEGER NOT NULL, inode INTEGER NOT NULL, local_size INTEGER NOT NULL,
  local_mtime_ns INTEGER NOT NULL, local_ctime_ns INTEGER NOT NULL, looked_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX base_inode ON base(inode);
CREATE INDEX base_link ON base(link) WHERE link <> '';
CREATE INDEX base_stub ON base(modified_ns) WHERE stub <> 0;
CREATE TABLE remote(path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE parked(path BLOB PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fact(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)sql"};

constexpr const char* columns =
    "path, kind, implicit, version, etag, sequence, modified_ns, size, mtime_ns, mode, hash, link,"
    " xattrs, stub, inode, local_size, local_mtime_ns, local_ctime_ns, looked_ns";

std::string path_of_key(std::string_view key) {
  std::string path(key);
  std::replace(path.begin(), path.end(), '\0', '/');
  return path;
}

BaseRow read_row(const Statement& at) {
  BaseRow row;
  row.path = path_of_key(at.text(0));
  row.kind = static_cast<std::uint8_t>(at.integer(1));
  row.implicit = at.integer(2) != 0;
  row.version = at.string(3);
  row.etag = at.string(4);
  row.sequence = static_cast<std::uint64_t>(at.integer(5));
  row.modified_ns = at.integer(6);
  row.size = static_cast<std::uint64_t>(at.integer(7));
  row.mtime_ns = at.integer(8);
  row.mode = static_cast<std::uint32_t>(at.integer(9));
  row.hash = at.string(10);
  row.link = at.string(11);
  row.xattrs = at.string(12);
  row.stub = at.integer(13) != 0;
  row.inode = static_cast<std::uint64_t>(at.integer(14));
  row.local_size = static_cast<std::uint64_t>(at.integer(15));
  row.local_mtime_ns = at.integer(16);
  row.local_ctime_ns = at.integer(17);
  row.looked_ns = at.integer(18);
  return row;
}

Result<std::vector<BaseRow>> read_rows(Statement& query) {
  std::vector<BaseRow> rows;
  for (;;) {
    auto more = query.step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return rows;
    rows.push_back(read_row(query));
  }
}

class SqliteJournal final : public Journal {
 public:
  Result<void> prepare(const std::string& path);

  Result<void> apply(const JournalBatch& batch) override;
  Result<std::optional<BaseRow>> find(std::string_view path) override;
  Result<std::vector<BaseRow>> below(std::string_view directory,
                                     const std::optional<std::string>& after,
                                     std::size_t limit) override;
  Result<std::vector<BaseRow>> with_inode(std::uint64_t inode) override {
    with_inode_.start(inode);
    return read_rows(with_inode_);
  }
  Result<std::vector<BaseRow>> with_link(std::string_view link) override {
    with_link_.start(link);
    return read_rows(with_link_);
  }
  Result<std::vector<std::string>> stubs(std::size_t limit, std::size_t skip) override;
  Result<std::uint64_t> count_rows() override { return count("SELECT count(*) FROM base"); }
  Result<std::uint64_t> count_stubs() override {
    return count("SELECT count(*) FROM base WHERE stub <> 0");
  }
  Result<std::vector<std::string>> noted_remote() override;
  Result<std::map<std::string, std::string>> parked() override;
  Result<std::optional<std::string>> fact(std::string_view name) override;
  Result<void> clear() override;

 private:
  Result<std::uint64_t> count(const char* sql);
  Result<void> put_row(const BaseRow& row);

  // Declared before the statements, which must not outlive it.
  Database database_;
  Statement find_, below_, with_inode_, with_link_, stubs_, put_, erase_;
};

Result<void> SqliteJournal::prepare(const std::string& path) {
  auto opened = Database::open(path);
  if (!opened) return std::unexpected(opened.error());
  database_ = std::move(*opened);
  if (auto done = database_.migrate(migrations); !done) {
    return fail_within("open the journal " + path, done.error());
  }
  const std::string select = fmt::format("SELECT {} FROM base WHERE ", columns);
  const std::pair<Statement*, std::string> wanted[] = {
      {&find_, select + "path = ?"},
      {&below_, select + "path > ? AND path < ? ORDER BY path LIMIT ?"},
      {&with_inode_, select + "inode = ?"},
      {&with_link_, select + "link = ? AND link <> ''"},
      {&stubs_, "SELECT path FROM base WHERE stub <> 0 ORDER BY modified_ns DESC LIMIT ? OFFSET ?"},
      {&put_, fmt::format("INSERT OR REPLACE INTO base({}) "
                          "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                          columns)},
      {&erase_, "DELETE FROM base WHERE path = ?"},
  };
  for (const auto& [statement, sql] : wanted) {
    auto prepared = database_.prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    *statement = std::move(*prepared);
  }
  return {};
}

Result<void> SqliteJournal::put_row(const BaseRow& row) {
  const std::string key = tree_order_key(row.path);
  return put_.execute(blob(key), unsigned{row.kind}, row.implicit, row.version, row.etag,
                      row.sequence, row.modified_ns, row.size, row.mtime_ns, row.mode, row.hash,
                      row.link, row.xattrs, row.stub, row.inode, row.local_size, row.local_mtime_ns,
                      row.local_ctime_ns, row.looked_ns);
}

Result<void> SqliteJournal::apply(const JournalBatch& batch) {
  auto transaction = Transaction::begin(database_);
  if (!transaction) return std::unexpected(transaction.error());
  for (const auto& [path, row] : batch.base) {
    auto done = row ? put_row(*row) : erase_.execute(blob(tree_order_key(path)));
    if (!done) return done;
  }
  const auto each = [this](const auto& entries, const char* insert, const char* erase,
                           auto&& bind) -> Result<void> {
    if (entries.empty()) return {};
    auto put = database_.prepare(insert);
    auto remove = database_.prepare(erase);
    if (!put) return std::unexpected(put.error());
    if (!remove) return std::unexpected(remove.error());
    for (const auto& [path, value] : entries) {
      const std::string key = tree_order_key(path);
      if (auto done = value ? bind(*put, key, value) : remove->execute(blob(key)); !done)
        return done;
    }
    return {};
  };
  auto noted =
      each(batch.remote, "INSERT OR REPLACE INTO remote(path) VALUES(?)",
           "DELETE FROM remote WHERE path = ?",
           [](Statement& put, const std::string& key, bool) { return put.execute(blob(key)); });
  if (!noted) return noted;
  auto parked = each(batch.parked, "INSERT OR REPLACE INTO parked(path, reason) VALUES(?, ?)",
                     "DELETE FROM parked WHERE path = ?",
                     [](Statement& put, const std::string& key, const auto& reason) {
                       return put.execute(blob(key), std::string_view(*reason));
                     });
  if (!parked) return parked;
  if (!batch.facts.empty()) {
    auto put = database_.prepare("INSERT OR REPLACE INTO fact(name, value) VALUES(?, ?)");
    if (!put) return std::unexpected(put.error());
    for (const auto& [name, value] : batch.facts) {
      if (auto done = put->execute(name, value); !done) return done;
    }
  }
  return transaction->commit();
}

Result<std::optional<BaseRow>> SqliteJournal::find(std::string_view path) {
  const std::string key = tree_order_key(path);
  find_.start(blob(key));
  auto found = find_.step();
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  BaseRow row = read_row(find_);
  find_.reset();  // an open read would hold the WAL back
  return row;
}

Result<std::vector<BaseRow>> SqliteJournal::below(std::string_view directory,
                                                  const std::optional<std::string>& after,
                                                  std::size_t limit) {
  // Everything below D lies between D NUL and D SOH.
  std::string first, last;
  if (directory.empty()) {
    last = std::string(1100, '\xff');
  } else {
    const std::string key = tree_order_key(directory);
    first = key + '\0';
    last = key + '\1';
  }
  if (after) first = std::max(first, tree_order_key(*after));
  below_.start(blob(first), blob(last), limit);
  return read_rows(below_);
}

Result<std::vector<std::string>> SqliteJournal::stubs(std::size_t limit, std::size_t skip) {
  stubs_.start(limit, skip);
  std::vector<std::string> paths;
  for (;;) {
    auto more = stubs_.step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return paths;
    paths.push_back(path_of_key(stubs_.text(0)));
  }
}

Result<std::uint64_t> SqliteJournal::count(const char* sql) {
  auto query = database_.prepare(sql);
  if (!query) return std::unexpected(query.error());
  auto row = query->step();
  if (!row) return std::unexpected(row.error());
  return *row ? static_cast<std::uint64_t>(query->integer(0)) : 0;
}

Result<std::vector<std::string>> SqliteJournal::noted_remote() {
  auto query = database_.prepare("SELECT path FROM remote ORDER BY path");
  if (!query) return std::unexpected(query.error());
  std::vector<std::string> paths;
  for (;;) {
    auto more = query->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return paths;
    paths.push_back(path_of_key(query->text(0)));
  }
}

Result<std::map<std::string, std::string>> SqliteJournal::parked() {
  auto query = database_.prepare("SELECT path, reason FROM parked");
  if (!query) return std::unexpected(query.error());
  std::map<std::string, std::string> items;
  for (;;) {
    auto more = query->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return items;
    items.emplace(path_of_key(query->text(0)), query->string(1));
  }
}

Result<std::optional<std::string>> SqliteJournal::fact(std::string_view name) {
  auto query = database_.prepare("SELECT value FROM fact WHERE name = ?");
  if (!query) return std::unexpected(query.error());
  query->start(name);
  auto row = query->step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return query->string(0);
}

Result<void> SqliteJournal::clear() {
  return database_.run(
      "BEGIN IMMEDIATE; DELETE FROM base; DELETE FROM remote; DELETE FROM parked;"
      " DELETE FROM fact; COMMIT");
}

}  // namespace

std::string tree_order_key(std::string_view path) {
  std::string key(path);
  std::replace(key.begin(), key.end(), '/', '\0');
  return key;
}

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path) {
  auto journal = std::make_unique<SqliteJournal>();
  if (auto ready = journal->prepare(path); !ready) return std::unexpected(ready.error());
  return journal;
}

}  // namespace holdfast::index
