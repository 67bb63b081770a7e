// Opening, comparing the tree with the base, stopping.
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "syncd/engine.h"
#include "syncd/home_paths.h"

namespace holdfast::syncd {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t burst_least = 50;
constexpr std::size_t scan_batch = 1000;

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id", 128);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

bool stamps_match(const BaseRow& row, const ScanEntry& entry) {
  return static_cast<Kind>(row.kind) == entry.kind && row.inode == entry.stamp.inode &&
         row.local_size == entry.stamp.size && row.local_mtime_ns == entry.stamp.mtime_ns &&
         row.local_ctime_ns == entry.stamp.ctime_ns &&
         row.looked_ns - row.local_ctime_ns > 12'000'000;
}

}  // namespace

Engine::Engine(asio::any_io_executor strand, HomeConfig config, store::ObjectStore& store,
               Clock& clock, Random& random, TreeObserver* observer)
    : EngineState(std::move(strand), std::move(config), store, clock, random, observer) {}

Engine::Async<void> Engine::offload(std::function<Result<void>()> work) {
  if (!pool_) co_return work();
  co_return co_await pool_->run(std::move(work));
}

Offload Engine::offloader() {
  return [this](std::function<Result<void>()> work) { return offload(std::move(work)); };
}

Engine::Async<void> Engine::open_parts() {
  if (auto made = make_directories(config_.state); !made) co_return made;
  auto lock = open_file(config_.state + "/lock", O_RDWR | O_CREAT, 0600);
  if (!lock) co_return std::unexpected(lock.error());
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      co_return fail(ErrorCode::locked, "the home {} is held by another process", config_.tree);
    }
    co_return fail_errno(errno, "lock " + config_.state);
  }
  auto tree = HomeTree::open({.tree = config_.tree,
                              .state = config_.state,
                              .host = config_.host,
                              .uid = config_.uid,
                              .gid = config_.gid},
                             clock_, random_);
  if (!tree) co_return std::unexpected(tree.error());
  auto ledger = Ledger::open(
      config_.state + "/journal.db", [tree = tree->get()] { return tree->make_durable(); },
      offloader());
  if (!ledger) co_return std::unexpected(ledger.error());
  lock_ = std::move(*lock);
  tree_ = std::move(*tree);
  ledger_ = std::move(*ledger);
  co_return Result<void>();
}

// The journal and the tree must be each other's. A tree without the marker is not the one that the
// base speaks of, so its gaps prove nothing: everything is merged as at a first start.
Engine::Async<void> Engine::check_marker() {
  auto instance = ledger_->fact(instance_fact);
  if (!instance) co_return std::unexpected(instance.error());
  auto marker = tree_->marker();
  if (!marker) co_return std::unexpected(marker.error());
  if (*instance && **instance == *marker) {
    instance_ = *marker;
  } else {
    if (*instance) {
      spdlog::warn("syncd: {} is not the tree that the journal knows; merging it anew",
                   log_field(config_.tree));
      if (auto cleared = ledger_->clear(); !cleared) co_return cleared;
    }
    instance_ = random_.hex(8);
    if (auto marked = tree_->set_marker(instance_); !marked) co_return marked;
    ledger_->set_fact(instance_fact, instance_);
  }
  auto clean = ledger_->fact(clean_fact);
  auto boot = ledger_->fact(boot_fact);
  auto feed = ledger_->fact(feed_fact);
  clean_start_ = clean && *clean && **clean == "1";
  // Within one boot the page cache is what it was; after a crash of the machine, content may be
  // older than its stamps say.
  trust_stamps_ = clean_start_ || (boot && *boot && **boot == boot_id());
  if (feed && *feed) feed_position_ = std::strtoull((*feed)->c_str(), nullptr, 10);
  auto operations = ledger_->fact(operations_fact);
  if (operations && *operations) {
    const auto saved = std::strtoull((*operations)->c_str(), nullptr, 10);
    if (!clean_start_) unsaved_operations_after_ = saved;
    operations_ = saved + operations_a_run;
  } else {
    operations_ = operations_a_run;
  }
  ledger_->set_fact(clean_fact, "0");
  ledger_->set_fact(boot_fact, boot_id());
  co_return co_await save_ledger();
}

Engine::Async<void> Engine::start() {
  const auto self = shared_from_this();
  if (auto opened = co_await open_parts(); !opened) co_return opened;
  if (auto checked = co_await check_marker(); !checked) co_return checked;
  auto stubs = ledger_->count_stubs();
  if (!stubs) co_return std::unexpected(stubs.error());
  stubs_ = *stubs;
  for (const auto& path : tree_->recovered()) note_local(path);
  if (auto scanned = co_await scan_tree("", ScanMode::start); !scanned) co_return scanned;
  waiting_.spawn("save the journal", keep_saving());
  co_await first_merge();
  waiting_.spawn("follow the store", follow());
  pump();
  co_return Result<void>();
}

// After a clean stop the feed tells what happened meanwhile; otherwise, and at a first start, all
// is listed. A store that cannot be reached leaves a home that works with what is here.
asio::awaitable<void> Engine::first_merge() {
  auto noted = ledger_->noted_remote();
  if (noted) {
    for (const auto& path : *noted) {
      note_remote(path, HomeKind::file, "", 0);
      note_remote(path, HomeKind::directory, "", 0);
    }
  }
  if (clean_start_ && feed_position_) {
    store::ChangesRequest request;
    request.bucket = remote_.bucket();
    request.prefix = remote_.prefix();
    request.after = feed_position_;
    auto page = co_await store_.changes(request);
    if (page && !page->reset) {
      merged_ = true;  // follow() reads these changes again, from the same position
      co_return;
    }
  }
  auto merged = co_await merge_listing();
  if (!merged) {
    last_error_ = merged.error().context;
    spdlog::warn("syncd: the store does not answer yet, working with what is here: {}",
                 log_field(merged.error().context));
    publish();
  }
}

void Engine::compare_scanned(const ScanEntry& entry, const std::optional<BaseRow>& row,
                             ScanFindings& found) {
  ++found.entries;
  if (entry.kind == Kind::other && !row) return;
  if (row && stamps_match(*row, entry)) {
    const bool reread = !trust_stamps_ && entry.kind == Kind::file && !row->stub;
    if (!reread) return;
    BaseRow doubted = *row;
    doubted.inode = 0;  // its stamps prove nothing: content decides
    save(std::move(doubted));
  }
  if (!row && entry.kind == Kind::file) found.fresh.emplace(entry.stamp.inode, entry.path);
  found.changed.push_back(entry.path);
}

// A merge join: the walk and the base come in the same order.
Engine::Async<void> Engine::scan_tree(HomePath directory, ScanMode mode) {
  if (auto saved = co_await ledger_->flush(); !saved) co_return saved;
  auto scan = std::make_shared<TreeScan>(*tree_, directory, config_.exclude);
  ScanFindings found;
  std::vector<BaseRow> rows;
  std::size_t at = 0;
  std::optional<std::string> after;
  bool rows_end = false;
  const auto refill = [&]() -> Result<void> {
    while (at == rows.size() && !rows_end) {
      auto page = ledger_->page(directory, after, 2000);
      if (!page) return std::unexpected(page.error());
      rows = std::move(*page);
      at = 0;
      rows_end = rows.empty();
      if (!rows.empty()) after = rows.back().path;
      std::erase_if(rows,
                    [&](const BaseRow& row) { return is_excluded(config_.exclude, row.path); });
    }
    return {};
  };
  const auto miss_until = [&](const std::string* key) -> Result<void> {
    for (;;) {
      if (auto done = refill(); !done) return done;
      if (at == rows.size()) return {};
      if (key && index::tree_order_key(rows[at].path) >= *key) return {};
      found.missing.push_back(std::move(rows[at++]));
      ++found.rows;
    }
  };
  for (;;) {
    std::vector<ScanEntry> entries;
    std::function<Result<void>()> work = [&]() -> Result<void> {
      entries = scan->next(scan_batch);
      return {};
    };
    if (auto done = co_await offload(work); !done) co_return done;
    if (entries.empty()) break;
    for (const auto& entry : entries) {
      const std::string key = index::tree_order_key(entry.path);
      if (auto done = miss_until(&key); !done) co_return done;
      const bool known = at < rows.size() && rows[at].path == entry.path;
      std::optional<BaseRow> row;
      if (known) row = std::move(rows[at++]);
      found.rows += known;
      compare_scanned(entry, row, found);
    }
  }
  if (auto done = miss_until(nullptr); !done) co_return done;
  if (!scan->complete()) {
    spdlog::warn("syncd: part of {} could not be read; what is missing there proves nothing",
                 log_field(config_.tree));
    found.missing.clear();
  }
  conclude_scan(std::move(found), mode);
  co_return Result<void>();
}

void Engine::conclude_scan(ScanFindings found, ScanMode mode) {
  if (mode == ScanMode::appeared) found.missing.clear();
  // A missing file whose inode turned up under a new name was renamed.
  std::map<HomePath, HomePath> moves;
  for (const auto& row : found.missing) {
    if (static_cast<Kind>(row.kind) != Kind::file || row.inode == 0) continue;
    const auto at = found.fresh.find(row.inode);
    if (at != found.fresh.end()) moves.emplace(row.path, at->second);
  }
  const std::uint64_t deletions = found.missing.size() - moves.size();
  const bool emptied = found.entries == 0 && found.rows > 0 && mode == ScanMode::start;
  const bool burst = emptied || deletions > std::max(burst_least, found.rows / 5);
  for (const auto& path : found.changed) note_local(path);
  for (const auto& row : found.missing) {
    const auto move = moves.find(row.path);
    if (burst && move == moves.end()) {
      ledger_->park(row.path, burst_here);
      continue;
    }
    note_local(row.path);
    if (move == moves.end()) continue;
    const auto source = work_.find(move->first);
    const auto target = work_.find(move->second);
    if (source == work_.end() || target == work_.end()) continue;
    source->second.moved_to = move->second;
    target->second.moved_from = move->first;
  }
  publish();
}

void Engine::rescan(const HomePath& directory, ScanMode mode) {
  if (stopping_ || !ledger_) return;
  const auto task = [](std::shared_ptr<Engine> self, HomePath below,
                       ScanMode how) -> asio::awaitable<void> {
    auto done = co_await self->scan_tree(below, how);
    if (!done) spdlog::warn("syncd: rescan: {}", done.error().context);
  };
  tasks_.spawn("rescan", task(shared_from_this(), directory, mode));
}

void Engine::decide_parked(const HomePath& path, ParkedDecision decision) {
  if (stopping_ || !ledger_) return;
  const auto parked = ledger_->parked();
  for (const auto& [item, reason] : parked) {
    if (!path.empty() && item != path && !is_below(item, path)) continue;
    auto row = ledger_->find(item);
    if (!row || !*row) continue;
    auto seen = tree_->observe(item);
    if (!seen) continue;
    const bool here = seen->kind != Kind::absent;
    ledger_->unpark(item);
    const bool directory = static_cast<Kind>((*row)->kind) == Kind::directory;
    const HomeKind kind = directory ? HomeKind::directory : HomeKind::file;
    if (decision == ParkedDecision::bring_back) {
      // Without a base the side that has it is the only one that says anything.
      drop(item);
      here ? note_local(item) : note_remote(item, kind, "", 0);
    } else {
      here ? note_remote(item, kind, "", 0) : note_local(item);
    }
  }
}

Engine::Async<void> Engine::drain(milliseconds limit) {
  const auto self = shared_from_this();
  const auto deadline = clock_.monotonic() + limit;
  pump();
  while (!dirty_since_.empty() && !stopping_) {
    if (clock_.monotonic() >= deadline) {
      co_return fail(ErrorCode::timed_out, "{} changed paths are not uploaded yet: {}",
                     dirty_since_.size(), last_error_.empty() ? "still at work" : last_error_);
    }
    co_await pause(milliseconds(5));
  }
  co_return co_await ledger_->flush();
}

asio::awaitable<void> Engine::stop() {
  const auto self = shared_from_this();
  if (stopping_) co_return;
  stopping_ = true;
  timer_.cancel();
  for (auto& [deadline, timer] : std::exchange(sleepers_, {})) timer->cancel();
  co_await waiting_.stop(milliseconds(0));
  co_await tasks_.stop(milliseconds(2000));
  const auto gone = fail(ErrorCode::cancelled, "the home is being closed");
  for (auto& [path, work] : work_) release_waiters(work, gone, gone);
  if (ledger_) {
    const bool settled = work_.empty();
    ledger_->set_fact(clean_fact, "1");
    auto saved = co_await save_ledger();
    if (!saved) spdlog::error("syncd: the journal cannot be closed: {}", saved.error().context);
    spdlog::info("syncd: {} closed, {}", log_field(config_.tree),
                 settled ? "nothing waits" : "what waits is found again at the next start");
  }
  ledger_.reset();
  tree_.reset();
  lock_.reset();
}

void Engine::abandon() { stopping_ = true; }

}  // namespace holdfast::syncd
