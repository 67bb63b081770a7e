// What changes in the store: the feed, or listings where there is none.
#include <xxhash.h>

#include "base/log.h"
#include "syncd/engine.h"
#include "syncd/home_paths.h"

namespace holdfast::syncd {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t work_high = 20'000, work_low = 10'000;  // paths in memory
constexpr milliseconds retry_least{250}, retry_most{5'000};
// A burst of vanished objects that only a listing shows is shown to a person first.
constexpr std::uint64_t burst_least = 50;

std::uint64_t key_hash(const std::string& key) { return XXH3_64bits(key.data(), key.size()); }

}  // namespace

asio::awaitable<void> Engine::wait_for_room() {
  if (work_.size() < work_high) co_return;
  while (!stopping_ && work_.size() > work_low) co_await pause(milliseconds(20));
}

Engine::Async<void> Engine::learn_feed_end() {
  store::ChangesRequest request;
  request.bucket = remote_.bucket();
  request.prefix = remote_.prefix();
  auto page = co_await store_.changes(request);
  if (page) {
    feed_position_ = page->next;
    co_return Result<void>();
  }
  if (page.error().code == ErrorCode::not_supported) {
    has_feed_ = false;
    co_return Result<void>();
  }
  co_return std::unexpected(page.error());
}

// One call of the feed; true when the listing must be merged again.
Engine::Async<bool> Engine::follow_feed() {
  store::ChangesRequest request;
  request.bucket = remote_.bucket();
  request.prefix = remote_.prefix();
  request.after = feed_position_;
  request.wait = config_.feed_wait;
  auto page = co_await store_.changes(request);
  if (!page) co_return std::unexpected(page.error());
  if (stopping_) co_return false;
  store_answered();
  for (const auto& change : page->changes) {
    const auto name = remote_.name_of(change.key);
    if (!name) continue;
    note_remote(name->path, name->kind, change.version.value, change.sequence);
  }
  feed_position_ = page->next;
  ledger_->set_fact(feed_fact, std::to_string(page->next));
  co_return page->reset;
}

asio::awaitable<void> Engine::follow() {
  const auto self = shared_from_this();
  milliseconds retry = retry_least;
  while (!stopping_) {
    Result<bool> list_again = true;
    if (merged_ && has_feed_) list_again = co_await follow_feed();
    if (stopping_) break;
    if (list_again && *list_again) {
      auto merged = co_await merge_listing();
      if (!merged) list_again = std::unexpected(merged.error());
    }
    if (stopping_) break;
    if (!list_again) {
      if (list_again.error().code == ErrorCode::not_supported) {
        has_feed_ = false;
        continue;
      }
      last_error_ = list_again.error().context;
      publish();
      co_await pause(milliseconds(1 + random_.below(static_cast<std::uint64_t>(retry.count()))));
      retry = std::min(retry * 2, retry_most);
      continue;
    }
    retry = retry_least;
    co_await wait_for_room();
    if (!has_feed_) co_await pause(config_.list_every);
    // A feed that is not waited for is asked at this pace.
    if (has_feed_ && config_.feed_wait.count() == 0) co_await pause(milliseconds(100));
  }
}

void Engine::merge_listed(const store::ObjectInfo& info, std::unordered_set<std::uint64_t>& seen) {
  seen.insert(key_hash(info.key.value));
  const auto name = remote_.name_of(info.key);
  if (!name) {
    if (info.key.value != remote_.prefix()) {
      ledger_->park(info.key.value,
                    "this key is no name that a home can hold; it stays in the store");
    }
    return;
  }
  if (name->path.empty()) return;
  auto row = ledger_->find(name->path);
  const bool directory = name->kind == HomeKind::directory;
  if (row && *row && ((*row)->kind == static_cast<std::uint8_t>(Kind::directory)) == directory) {
    const BaseRow& base = **row;
    if (!info.version.empty() && base.version == info.version.value) return;
    // Some listings know no versions: then the ETag and the time of the commit, to the second.
    const auto seconds = [](std::int64_t ns) { return ns / 1'000'000'000; };
    const bool same_time =
        seconds(base.modified_ns) == seconds(info.modified.time_since_epoch().count());
    if (info.version.empty() && base.etag == info.etag.value && same_time) return;
  }
  note_remote(name->path, name->kind, info.version.value, info.sequence);
  const auto at = work_.find(name->path);
  if (!merged_ && at != work_.end() && !at->second.from_merge) {
    at->second.from_merge = true;
    ++merge_left_;
  }
}

// Merges everything the store holds. What the base knows and the listing lacks is only marked: each
// absence is proven by asking for that key.
Engine::Async<void> Engine::merge_listing() {
  if (has_feed_) {
    auto end = co_await learn_feed_end();
    if (!end) co_return end;
  }
  std::unordered_set<std::uint64_t> seen;
  store::ListRequest request;
  request.bucket = remote_.bucket();
  request.prefix = remote_.prefix();
  for (;;) {
    auto page = co_await store_.list(request);
    if (!page) co_return std::unexpected(page.error());
    if (stopping_) co_return fail(ErrorCode::cancelled, "the home is being closed");
    for (const auto& info : page->objects) merge_listed(info, seen);
    if (!page->truncated) break;
    request.start_after = page->next;
    co_await wait_for_room();
  }
  store_answered();
  if (auto found = co_await find_vanished(seen); !found) co_return found;
  if (has_feed_ && feed_position_) {
    ledger_->set_fact(feed_fact, std::to_string(*feed_position_));
  }
  co_await wait_merged();
  merged_ = true;
  pump();
  co_return Result<void>();
}

Engine::Async<void> Engine::find_vanished(const std::unordered_set<std::uint64_t>& seen) {
  if (auto saved = co_await ledger_->flush(); !saved) co_return saved;
  std::vector<BaseRow> vanished;
  std::uint64_t rows = 0;
  std::optional<std::string> after;
  for (;;) {
    auto page = ledger_->page("", after, 2000);
    if (!page) co_return std::unexpected(page.error());
    if (page->empty()) break;
    for (auto& row : *page) {
      ++rows;
      if (row.implicit) continue;
      const bool directory = static_cast<Kind>(row.kind) == Kind::directory;
      auto key = remote_.key_of(row.path, directory ? HomeKind::directory : HomeKind::file);
      if (key && !seen.contains(key_hash(key->value))) vanished.push_back(row);
    }
    after = page->back().path;
  }
  const bool burst = !has_feed_ && vanished.size() > std::max(burst_least, rows / 5);
  for (const auto& row : vanished) {
    const bool directory = static_cast<Kind>(row.kind) == Kind::directory;
    if (burst) {
      ledger_->park(row.path, burst_there);
    } else {
      note_remote(row.path, directory ? HomeKind::directory : HomeKind::file, "", 0);
    }
  }
  co_return Result<void>();
}

// Until everything that the first listing noted was handled once, well or badly.
asio::awaitable<void> Engine::wait_merged() {
  while (!stopping_ && !merged_ && merge_left_ > 0) co_await pause(milliseconds(5));
}

Engine::Async<void> Engine::save_ledger() {
  const auto saved = open_operations_.empty() ? operations_ : *open_operations_.begin() - 1;
  ledger_->set_fact(operations_fact, std::to_string(saved));
  co_return co_await ledger_->flush();
}

// The base goes to disk in groups: every second, or when many wait.
asio::awaitable<void> Engine::keep_saving() {
  const auto self = shared_from_this();
  while (!stopping_) {
    for (int i = 0; i < 10 && !stopping_ && ledger_->unsaved() < 4096; ++i) {
      co_await pause(milliseconds(100));
    }
    if (stopping_) break;
    if (!ledger_->has_unsaved()) continue;
    auto saved = co_await save_ledger();
    if (!saved) {
      last_error_ = saved.error().context;
      spdlog::error("syncd: the journal cannot be written: {}", saved.error().context);
    }
    pump();
  }
}

}  // namespace holdfast::syncd
