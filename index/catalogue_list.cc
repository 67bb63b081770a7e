#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "index/catalogue.h"
#include "index/catalogue_queries.h"

namespace holdfast::index {
namespace {

std::optional<std::string> roll_up(std::string_view key, std::string_view prefix,
                                   std::string_view delimiter) {
  if (delimiter.empty()) return std::nullopt;
  const auto at = key.find(delimiter, prefix.size());
  if (at == std::string_view::npos) return std::nullopt;
  return std::string(key.substr(0, at + delimiter.size()));
}

// The first string behind all that start with `prefix`.
std::optional<std::string> behind(std::string_view prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) {
    prefix.remove_suffix(1);
  }
  if (prefix.empty()) return std::nullopt;
  std::string next(prefix);
  next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
  return next;
}

// Where a listing starts; nullopt: there is nothing behind the marker.
std::optional<std::string> start_of(std::string_view prefix, std::string_view delimiter,
                                    std::string_view marker) {
  if (marker.empty() || marker < prefix) return std::string(prefix);
  if (marker.starts_with(prefix) && roll_up(marker, prefix, delimiter) == marker) {
    return behind(marker);
  }
  return std::string(marker) + '\0';
}

}  // namespace

// Rows of one table in key order, with a look at the next key, and seeks.
class VersionCursor {
 public:
  VersionCursor(Statement& statement, std::uint64_t bucket, std::string_view prefix)
      : statement_(statement), bucket_(bucket), prefix_(prefix) {}
  ~VersionCursor() { statement_.reset(); }
  VersionCursor(const VersionCursor&) = delete;
  VersionCursor& operator=(const VersionCursor&) = delete;

  Result<void> seek(std::string start) {
    start_ = std::move(start);
    statement_.start(bucket_, blob(start_));
    return next();
  }
  Result<void> next() {
    auto row = statement_.step();
    if (!row) return std::unexpected(row.error());
    valid_ = *row && statement_.text(1).starts_with(prefix_);
    if (*row && !valid_) statement_.reset();
    return {};
  }
  void end() {
    statement_.reset();
    valid_ = false;
  }
  bool valid() const { return valid_; }
  std::string_view key() const { return statement_.text(1); }
  std::uint64_t sequence() const { return static_cast<std::uint64_t>(statement_.integer(2)); }
  const Statement& statement() const { return statement_; }

  // The columns that listings show; metadata may lie in overflow pages.
  VersionRow row() const {
    VersionRow version;
    version.bucket = bucket_;
    version.key = statement_.string(1);
    version.sequence = sequence();
    version.version = statement_.string(3);
    version.delete_marker = statement_.integer(4) != 0;
    version.etag = statement_.string(5);
    version.size = static_cast<std::uint64_t>(statement_.integer(6));
    version.modified = statement_.integer(7);
    return version;
  }

 private:
  Statement& statement_;
  std::uint64_t bucket_;
  std::string_view prefix_;
  std::string start_;
  bool valid_ = false;
};

namespace {

Result<void> skip_prefix(VersionCursor& cursor, std::string_view common) {
  auto start = behind(common);
  if (start) return cursor.seek(std::move(*start));
  cursor.end();
  return {};
}

}  // namespace

Result<KeyPage> Catalogue::list(const KeyQuery& query) {
  KeyPage page;
  const auto start = start_of(query.prefix, query.delimiter, query.marker);
  if (query.limit == 0 || !start) return page;
  auto statement = use(Query::list_current);
  if (!statement) return std::unexpected(statement.error());
  VersionCursor cursor(**statement, query.bucket, query.prefix);
  auto moved = cursor.seek(*start);
  while (moved && cursor.valid()) {
    if (page.versions.size() + page.common_prefixes.size() == query.limit) {
      page.truncated = true;
      return page;
    }
    auto common = roll_up(cursor.key(), query.prefix, query.delimiter);
    if (common) {
      page.next = *common;
      moved = skip_prefix(cursor, *common);
      page.common_prefixes.push_back(std::move(*common));
    } else {
      page.versions.push_back(cursor.row());
      page.versions.back().latest = true;
      page.next = page.versions.back().key;
      moved = cursor.next();
    }
  }
  if (!moved) return std::unexpected(moved.error());
  page.next.clear();
  return page;
}

namespace {

// Merges the two tables of versions by key.
class VersionMerge {
 public:
  VersionMerge(const VersionQuery& query, VersionCursor& current, VersionCursor& old)
      : query_(query), current_(current), old_(old) {}

  Result<VersionPage> run() {
    auto moved = start();
    while (moved && !full_ && (current_.valid() || old_.valid())) moved = take_key();
    if (!moved) return std::unexpected(moved.error());
    if (!full_) {
      page_.next_key.clear();
      page_.next_version.clear();
    }
    page_.truncated = full_;
    return std::move(page_);
  }

 private:
  Result<void> start() {
    const bool within = query_.sequence_marker && query_.key_marker >= query_.prefix;
    auto first = start_of(query_.prefix, query_.delimiter, query_.key_marker);
    if (within) first = query_.key_marker + '\0';
    if (first) {
      if (auto moved = current_.seek(*first); !moved) return moved;
    }
    if (within) first = query_.key_marker;
    if (!first) return {};
    auto moved = old_.seek(*first);
    while (moved && within && old_.valid() && old_.key() == query_.key_marker &&
           old_.sequence() >= *query_.sequence_marker) {
      moved = old_.next();
    }
    return moved;
  }

  bool room() {
    full_ = page_.versions.size() + page_.common_prefixes.size() == query_.limit;
    return !full_;
  }

  void emit(const VersionCursor& cursor, bool latest) {
    page_.versions.push_back(cursor.row());
    page_.versions.back().latest = latest;
    page_.next_key = page_.versions.back().key;
    page_.next_version = page_.versions.back().version;
  }

  Result<void> take_prefix(std::string common) {
    page_.next_key = common;
    page_.next_version.clear();
    auto moved = current_.valid() ? skip_prefix(current_, common) : Result<void>();
    if (moved && old_.valid()) moved = skip_prefix(old_, common);
    page_.common_prefixes.push_back(std::move(common));
    return moved;
  }

  Result<void> take_key() {
    const bool from_current = current_.valid() && (!old_.valid() || current_.key() <= old_.key());
    const std::string key(from_current ? current_.key() : old_.key());
    if (!room()) return {};
    if (auto common = roll_up(key, query_.prefix, query_.delimiter)) {
      return take_prefix(std::move(*common));
    }
    bool latest = !(query_.sequence_marker && key == query_.key_marker);
    Result<void> moved;
    if (from_current) {
      emit(current_, latest);
      latest = false;
      moved = current_.next();
    }
    for (; moved && old_.valid() && old_.key() == key; moved = old_.next(), latest = false) {
      if (!room()) return {};
      emit(old_, latest);
    }
    return moved;
  }

  const VersionQuery& query_;
  VersionCursor& current_;
  VersionCursor& old_;
  VersionPage page_;
  bool full_ = false;
};

}  // namespace

Result<VersionPage> Catalogue::list_versions(const VersionQuery& query) {
  if (query.limit == 0) return VersionPage();
  auto current = use(Query::list_current);
  if (!current) return std::unexpected(current.error());
  auto old = use(Query::list_old);
  if (!old) return std::unexpected(old.error());
  VersionCursor current_cursor(**current, query.bucket, query.prefix);
  VersionCursor old_cursor(**old, query.bucket, query.prefix);
  return VersionMerge(query, current_cursor, old_cursor).run();
}

Result<UploadPage> Catalogue::list_uploads(const UploadQuery& query) {
  UploadPage page;
  const bool within = !query.upload_marker.empty() && query.key_marker >= query.prefix;
  auto start = start_of(query.prefix, query.delimiter, query.key_marker);
  if (within) start = query.key_marker;
  if (query.limit == 0 || !start) return page;
  auto statement = use(Query::list_uploads);
  if (!statement) return std::unexpected(statement.error());
  // The columns are (id, bucket, key, …): the cursor's key() would be the bucket.
  Statement& rows = **statement;
  std::string from = *start;
  rows.start(query.bucket, blob(from));
  for (;;) {
    auto row = rows.step();
    if (!row) return std::unexpected(row.error());
    if (!*row || !rows.text(2).starts_with(query.prefix)) break;
    if (within && rows.text(2) == query.key_marker && rows.text(0) <= query.upload_marker) continue;
    if (page.uploads.size() + page.common_prefixes.size() == query.limit) {
      page.truncated = true;
      rows.reset();
      return page;
    }
    auto common = roll_up(rows.text(2), query.prefix, query.delimiter);
    if (!common) {
      page.uploads.push_back(to_upload(rows));
      page.next_key = page.uploads.back().key;
      page.next_upload = page.uploads.back().id;
      continue;
    }
    page.next_key = *common;
    page.next_upload.clear();
    auto next = behind(*common);
    page.common_prefixes.push_back(std::move(*common));
    if (!next) break;
    from = std::move(*next);
    rows.start(query.bucket, blob(from));
  }
  rows.reset();
  page.next_key.clear();
  page.next_upload.clear();
  return page;
}

}  // namespace holdfast::index
