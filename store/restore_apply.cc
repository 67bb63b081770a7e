#include <algorithm>
#include <functional>
#include <utility>

#include "store/parallel.h"
#include "store/restore.h"
#include "store/root_hash.h"

namespace holdfast::store {
namespace {

constexpr std::size_t max_failures = 100;
constexpr std::size_t head_concurrency = 64;

bool is_directory(const ObjectKey& key) { return key.value.ends_with('/'); }

// Which rows are done in which order. A name that is a file then and a directory now, or the other
// way round, must be cleared before the copy; everything else is removed last, so that a restore
// that is cut short leaves too much rather than too little.
struct Phases {
  std::vector<std::size_t> clear, directories, files, remove;
};

class Names {
 public:
  explicit Names(const RestorePlan& plan) {
    for (const auto& row : plan.rows) {
      if (row.action == RestoreAction::copy) copied_.push_back(row.key.value);
    }
    std::ranges::sort(copied_);
  }

  // True if the key stands where a copied one needs a directory or a file.
  bool in_the_way(const std::string& key) const {
    const std::string below = key.ends_with('/') ? std::string() : key + "/";
    if (!below.empty()) {
      const auto next = std::ranges::lower_bound(copied_, below);
      if (next != copied_.end() && next->starts_with(below)) return true;
    }
    for (auto at = key.find('/'); at != std::string::npos; at = key.find('/', at + 1)) {
      if (std::ranges::binary_search(copied_, key.substr(0, at))) return true;
    }
    return false;
  }

 private:
  std::vector<std::string> copied_;
};

Phases phases_of(const RestorePlan& plan) {
  Phases phases;
  const Names names(plan);
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    const RestoreRow& row = plan.rows[i];
    if (row.action == RestoreAction::copy) {
      (is_directory(row.key) ? phases.directories : phases.files).push_back(i);
    } else if (row.action == RestoreAction::remove) {
      (names.in_the_way(row.key.value) ? phases.clear : phases.remove).push_back(i);
    }
  }
  // What is inside goes before the directory that it is in.
  std::ranges::reverse(phases.clear);
  std::ranges::reverse(phases.remove);
  return phases;
}

class Restorer {
 public:
  Restorer(ObjectStore& store, RestorePlan plan, RestoreOptions options)
      : store_(store), plan_(std::move(plan)), options_(std::move(options)) {
    report_.expected_root = plan_.expected_root;
  }

  Async<RestoreReport> run() {
    if (options_.beside.empty()) {
      const Phases phases = phases_of(plan_);
      report_.kept = plan_.kept;
      co_await each(phases.clear);
      co_await each(phases.directories);
      co_await each(phases.files);
      co_await each(phases.remove);
    } else {
      co_await each(rows_of_then());
    }
    auto root = co_await current_root(
        store_, {plan_.scope.bucket, options_.beside.empty() ? plan_.scope.path : options_.beside});
    if (!root) co_return std::unexpected(root.error());
    report_.actual_root = std::move(*root);
    co_return std::move(report_);
  }

 private:
  std::vector<std::size_t> rows_of_then() const {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < plan_.rows.size(); ++i) {
      const RestoreRow& row = plan_.rows[i];
      if (!row.wanted.empty() && row.reason != RestoreReason::needed_parent) rows.push_back(i);
    }
    return rows;
  }

  boost::asio::awaitable<void> each(std::vector<std::size_t> rows) {
    current_ = std::move(rows);
    co_await for_each_index(current_.size(), options_.concurrency,
                            std::bind_front(&Restorer::one, this));
  }

  boost::asio::awaitable<void> one(std::size_t index) {
    const RestoreRow& row = plan_.rows[current_[index]];
    const bool beside = !options_.beside.empty();
    const bool removes = row.action == RestoreAction::remove && !beside;
    Result<void> done = removes ? co_await remove(row) : co_await copy(row, beside);
    if (done) {
      ++(removes ? report_.removed : report_.copied);
      co_return;
    }
    ++report_.failed;
    if (report_.failures.size() < max_failures) {
      report_.failures.push_back({row.key, done.error()});
    }
  }

  // Only what the plan saw is replaced: a change made since must not be lost from sight.
  Async<void> copy(const RestoreRow& row, bool beside) {
    CopyRequest request{.source_bucket = plan_.scope.bucket,
                        .source_key = row.key,
                        .source_version = row.wanted,
                        .bucket = plan_.scope.bucket,
                        .key = row.key};
    if (beside) {
      const auto below = relative_key(row.key.value, plan_.scope.path);
      request.key = ObjectKey(options_.beside + std::string(below));
    }
    if (beside || row.current.empty()) {
      request.conditions.if_none_match_any = true;
    } else {
      request.conditions.if_match = row.current;
    }
    auto copied = co_await store_.copy(std::move(request));
    if (!copied) co_return std::unexpected(copied.error());
    co_return Result<void>();
  }

  Async<void> remove(const RestoreRow& row) {
    DeleteRequest request{.bucket = plan_.scope.bucket, .key = row.key};
    request.conditions.if_match = row.current;
    auto removed = co_await store_.remove(request);
    if (!removed && removed.error().code == ErrorCode::not_supported) {
      request.conditions = {};  // the endpoint has no conditional delete
      removed = co_await store_.remove(request);
    }
    if (!removed) co_return std::unexpected(removed.error());
    co_return Result<void>();
  }

  ObjectStore& store_;
  RestorePlan plan_;
  RestoreOptions options_;
  std::vector<std::size_t> current_;  // rows of the phase under way
  RestoreReport report_;
};

// Reads what is there now, page by page, and hashes it in key order.
class RootReader {
 public:
  RootReader(ObjectStore& store, RestoreScope scope) : store_(store), scope_(std::move(scope)) {}

  Async<std::string> run() {
    const std::string& path = scope_.path;
    const bool prefix = path.empty() || path.ends_with('/');
    if (!prefix) {
      const GetRequest request{scope_.bucket, ObjectKey(path)};
      auto own = co_await store_.head(request);
      if (own) root_.add(leaf_of("", own->info));
      if (!own && own.error().code != ErrorCode::no_such_key) {
        co_return std::unexpected(own.error());
      }
    }
    ListRequest request{.bucket = scope_.bucket, .prefix = prefix ? path : path + "/"};
    for (;;) {
      auto page = co_await store_.list(request);
      if (!page) co_return std::unexpected(page.error());
      page_ = std::move(page->objects);
      leaves_.assign(page_.size(), Leaf{});
      co_await for_each_index(page_.size(), head_concurrency,
                              std::bind_front(&RootReader::one, this));
      if (failure_) co_return std::unexpected(*failure_);
      for (const Leaf& leaf : leaves_) root_.add(leaf);
      if (!page->truncated) co_return root_.hex();
      request.start_after = std::move(page->next);
    }
  }

 private:
  boost::asio::awaitable<void> one(std::size_t index) {
    const ObjectInfo& info = page_[index];
    const auto below = relative_key(info.key.value, scope_.path);
    if (!info.attributes.metadata.empty()) {
      leaves_[index] = leaf_of(below, info);
      co_return;
    }
    const GetRequest request{scope_.bucket, info.key};
    auto told = co_await store_.head(request);
    if (told) {
      leaves_[index] = leaf_of(below, told->info);
    } else {
      failure_ = told.error();
    }
  }

  ObjectStore& store_;
  RestoreScope scope_;
  RootHasher root_;
  std::vector<ObjectInfo> page_;
  std::vector<Leaf> leaves_;
  std::optional<Error> failure_;
};

}  // namespace

Async<RestoreReport> apply_restore(ObjectStore& store, RestorePlan plan, RestoreOptions options) {
  Restorer restorer(store, std::move(plan), std::move(options));
  co_return co_await restorer.run();
}

Async<std::string> current_root(ObjectStore& store, RestoreScope scope) {
  RootReader reader(store, std::move(scope));
  co_return co_await reader.run();
}

}  // namespace holdfast::store
