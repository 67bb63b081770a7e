#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "store/history.h"
#include "store/parallel.h"
#include "store/restore.h"
#include "store/root_hash.h"

namespace holdfast::store {
namespace {

constexpr std::size_t head_concurrency = 64;

// One key while its versions stream by: what is now and what was then.
struct KeyState {
  std::optional<ObjectInfo> now, then;  // delete markers included

  bool there_now() const { return now && !now->delete_marker; }
  bool there_then() const { return then && !then->delete_marker; }
};

RestoreRow row_of(const KeyState& state) {
  RestoreRow row;
  row.key = state.now->key;
  row.current_modified = state.now->modified;
  if (state.there_now()) row.current = state.now->etag;
  if (state.there_then()) {
    row.wanted = state.then->version;
    row.wanted_modified = state.then->modified;
    row.size = state.then->size;
  }
  if (!state.there_then()) {
    row.action = RestoreAction::remove;
    row.reason = RestoreReason::created_since;
  } else if (!state.there_now()) {
    row.action = RestoreAction::copy;
    row.reason = RestoreReason::deleted_since;
  } else if (state.now->version != state.then->version) {
    row.action = RestoreAction::copy;
    row.reason = RestoreReason::changed_since;
  }
  return row;
}

class Planner {
 public:
  Planner(ObjectStore& store, RestoreScope scope, TimePoint at) : store_(store) {
    plan_.scope = std::move(scope);
    plan_.at = at;
  }

  Async<RestorePlan> run() {
    const std::string path = plan_.scope.path;
    const bool prefix = path.empty() || path.ends_with('/');
    Result<void> read;
    if (!prefix) read = co_await scan(path, VersionScanner::Scope::key);
    if (read) read = co_await scan(prefix ? path : path + "/", VersionScanner::Scope::prefix);
    if (!read) co_return std::unexpected(read.error());
    if (!seen_) {
      co_return fail(ErrorCode::no_such_key, "nothing was ever at {} in bucket {}", log_field(path),
                     plan_.scope.bucket.value);
    }
    if (read = co_await fetch_attributes(); !read) co_return std::unexpected(read.error());
    RootHasher root;
    for (auto& row : plan_.rows) {
      if (!row.wanted.empty()) root.add(row.leaf);
      count(row);
    }
    plan_.expected_root = root.hex();
    if (plan_.copies > 0) read = co_await add_parents();
    if (!read) co_return std::unexpected(read.error());
    co_return std::move(plan_);
  }

 private:
  Async<void> scan(std::string name, VersionScanner::Scope scope) {
    VersionScanner scanner(store_, plan_.scope.bucket, std::move(name), scope);
    KeyState state;
    for (;;) {
      auto version = co_await scanner.next();
      if (!version) co_return std::unexpected(version.error());
      const bool ends = !*version || (state.now && state.now->key != (*version)->key);
      if (ends && state.now) {
        note(state);
        state = {};
      }
      if (!*version) co_return Result<void>();
      ObjectInfo& info = **version;
      // Newest first: the first one up to that moment is the one that was current.
      if (!state.then && info.modified <= plan_.at) state.then = info;
      if (!state.now) state.now = std::move(info);
    }
  }

  void note(const KeyState& state) {
    seen_ = true;
    if (!state.there_now() && !state.there_then()) return;
    RestoreRow row = row_of(state);
    if (state.there_then()) {
      const bool similar = row.action == RestoreAction::copy && state.there_now() &&
                           state.now->size == state.then->size;
      const bool told = !state.then->attributes.metadata.empty();
      if (told) row.leaf = leaf_of(relative(row), *state.then);
      if (told && similar) compare(row, leaf_of(relative(row), *state.now));
      if (!told) unknown_.push_back({plan_.rows.size(), similar});
    }
    plan_.rows.push_back(std::move(row));
  }

  std::string_view relative(const RestoreRow& row) const {
    return relative_key(row.key.value, plan_.scope.path);
  }

  static void compare(RestoreRow& row, const Leaf& now) {
    if (now != row.leaf) return;
    row.action = RestoreAction::keep;
    row.reason = RestoreReason::same_content;
  }

  // Listings of S3 say nothing of metadata: it is asked for, object by object.
  Async<void> fetch_attributes() {
    co_await for_each_index(unknown_.size(), head_concurrency,
                            std::bind_front(&Planner::fetch_one, this));
    if (failure_) co_return std::unexpected(*failure_);
    co_return Result<void>();
  }

  boost::asio::awaitable<void> fetch_one(std::size_t index) {
    if (failure_) co_return;
    const auto [at, similar] = unknown_[index];
    RestoreRow& row = plan_.rows[at];
    const GetRequest then{plan_.scope.bucket, row.key, row.wanted};
    auto old = co_await store_.head(then);
    if (!old) {
      failure_ = old.error();
      co_return;
    }
    row.leaf = leaf_of(relative(row), old->info);
    if (!similar) co_return;
    const GetRequest now{plan_.scope.bucket, row.key};
    auto current = co_await store_.head(now);
    if (current) compare(row, leaf_of(relative(row), current->info));
  }

  // Directories above the path that were deleted since: what comes back needs them, and their mode.
  Async<void> add_parents() {
    std::vector<RestoreRow> parents;
    const std::string& path = plan_.scope.path;
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      if (at + 1 == path.size()) break;  // the path's own directory object is below it
      auto parent = co_await deleted_directory(path.substr(0, at + 1));
      if (!parent) co_return std::unexpected(parent.error());
      if (*parent) parents.push_back(std::move(**parent));
    }
    for (const auto& row : parents) count(row);
    plan_.rows.insert(plan_.rows.begin(), std::make_move_iterator(parents.begin()),
                      std::make_move_iterator(parents.end()));
    co_return Result<void>();
  }

  Async<std::optional<RestoreRow>> deleted_directory(std::string key) {
    VersionScanner scanner(store_, plan_.scope.bucket, std::move(key), VersionScanner::Scope::key);
    KeyState state;
    for (;;) {
      auto version = co_await scanner.next();
      if (!version) co_return std::unexpected(version.error());
      if (!*version) break;
      if (!state.then && (*version)->modified <= plan_.at) state.then = **version;
      if (!state.now) state.now = std::move(**version);
    }
    if (state.there_now() || !state.there_then()) co_return std::nullopt;
    RestoreRow row = row_of(state);
    row.reason = RestoreReason::needed_parent;
    co_return row;
  }

  void count(const RestoreRow& row) {
    switch (row.action) {
      case RestoreAction::keep:
        ++plan_.kept;
        break;
      case RestoreAction::remove:
        ++plan_.removals;
        break;
      case RestoreAction::copy:
        ++plan_.copies;
        plan_.bytes += row.size;
        break;
    }
  }

  struct Unknown {
    std::size_t row;
    bool similar;  // the present one may be equal
  };

  ObjectStore& store_;
  RestorePlan plan_;
  bool seen_ = false;
  std::vector<Unknown> unknown_;
  std::optional<Error> failure_;
};

}  // namespace

Async<RestorePlan> plan_restore(ObjectStore& store, RestoreScope scope, TimePoint at) {
  Planner planner(store, std::move(scope), at);
  co_return co_await planner.run();
}

std::string_view to_string(RestoreAction action) {
  switch (action) {
    case RestoreAction::keep:
      return "keep";
    case RestoreAction::copy:
      return "restore";
    case RestoreAction::remove:
      return "remove";
  }
  return "";
}

std::string explain(const RestoreRow& row) {
  const std::string then = to_rfc3339(row.wanted_modified);
  const std::string now = to_rfc3339(row.current_modified);
  switch (row.reason) {
    case RestoreReason::unchanged:
      return fmt::format("unchanged since {}", then);
    case RestoreReason::same_content:
      return fmt::format("written again at {}, but equal", now);
    case RestoreReason::changed_since:
      return fmt::format("changed at {}; version of {}", now, then);
    case RestoreReason::deleted_since:
      return fmt::format("deleted at {}; version of {}", now, then);
    case RestoreReason::needed_parent:
      return fmt::format("directory deleted at {}, needed again", now);
    case RestoreReason::created_since:
      return fmt::format("created later, at {}", now);
  }
  return "";
}

}  // namespace holdfast::store
