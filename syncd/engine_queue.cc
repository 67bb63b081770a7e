// What waits, what runs, in which order; what the mount and the watcher note.
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "syncd/engine.h"
#include "syncd/home_paths.h"

namespace holdfast::syncd {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds first_retry{200};
constexpr milliseconds longest_retry{30'000};
constexpr std::size_t urgent_at_once = 16;
constexpr std::size_t background_batch = 256;

std::size_t index_of(Lane lane) { return static_cast<std::size_t>(lane); }

}  // namespace

Work& Engine::work_at(const HomePath& path) { return work_[path]; }

void Engine::set_local(Work& work, bool value) {
  if (work.local == value) return;
  work.local = value;
  if (value) {
    work.noted_at = clock_.now();
    work.first_noted = clock_.monotonic();
    dirty_since_.insert(work.noted_at);
  } else {
    dirty_since_.erase(dirty_since_.find(work.noted_at));
  }
}

void Engine::unschedule(const HomePath& path, Work& work) {
  if (!work.queued) return;
  ready_[index_of(work.lane)].erase({work.due, path});
  work.queued = false;
}

// While a path is handled it is not queued; finish() queues it again.
void Engine::schedule(const HomePath& path, Work& work, MonotonicTime due) {
  unschedule(path, work);
  work.due = due;
  if (work.active) return;
  ready_[index_of(work.lane)].insert({due, path});
  work.queued = true;
}

// A few changes a second go first; what exceeds that is a burst and waits its turn.
Lane Engine::lane_for(const HomePath& path) {
  auto row = ledger_->find(path);
  auto& bucket = row && *row ? interactive_edits_ : interactive_new_;
  return bucket.take(clock_.monotonic()) ? Lane::interactive : Lane::bulk;
}

bool Engine::has_room(Lane lane) const {
  const auto running = [this](Lane l) { return active_[index_of(l)]; };
  const std::size_t both = running(Lane::interactive) + running(Lane::bulk);
  const std::size_t kept_free = std::max<std::size_t>(1, config_.uploads / 4);
  switch (lane) {
    case Lane::urgent:
      return running(lane) < urgent_at_once;
    case Lane::interactive:
      return both < config_.uploads;
    case Lane::bulk:
      return running(lane) == 0 ||
             (both < config_.uploads && running(lane) + kept_free < config_.uploads);
    case Lane::background:
      return running(lane) < config_.downloads;
  }
  return false;
}

void Engine::note_local(const HomePath& path) {
  if (stopping_ || !ledger_ || path.empty() || is_excluded(config_.exclude, path)) return;
  Work& work = work_at(path);
  const auto now = clock_.monotonic();
  if (!work.local && work.idle() && !work.active) work.lane = lane_for(path);
  set_local(work, true);
  ++work.generation;
  work.last_noted = now;
  auto due = std::min<MonotonicTime>(now + config_.settle, work.first_noted + config_.settle_max);
  if (work.failures > 0) due = std::max(due, work.due);
  schedule(path, work, due);
  pump();
}

void Engine::note_remote(const HomePath& path, HomeKind kind, const std::string& version,
                         std::uint64_t sequence) {
  if (!ledger_ || path.empty() || is_excluded(config_.exclude, path)) return;
  // Nobody would tell it again: the next start takes it from the journal.
  if (stopping_) return ledger_->note_remote(path, true);
  if (!version.empty() && own_versions_.contains(version)) return;
  auto row = ledger_->find(path);
  if (row && *row) {
    const bool same_kind = ((*row)->kind == static_cast<std::uint8_t>(Kind::directory)) ==
                           (kind == HomeKind::directory);
    const bool known_version = !version.empty() && (*row)->version == version;
    const bool older = sequence != 0 && (*row)->sequence >= sequence;
    if (same_kind && (known_version || older)) return;
  }
  Work& work = work_at(path);
  if (work.idle() && !work.active) work.lane = lane_for(path);
  (kind == HomeKind::directory ? work.remote_directory : work.remote_file) = true;
  (kind == HomeKind::directory ? work.directory_version : work.file_version) = version;
  ledger_->note_remote(path, true);
  if (!work.queued || work.due > clock_.monotonic()) {
    const bool settling = work.local && work.failures == 0;
    if (!settling || !work.queued) schedule(path, work, clock_.monotonic());
  }
  pump();
}

void Engine::note_rename(const HomePath& from, const HomePath& to) {
  if (stopping_ || !ledger_) return;
  auto rows = ledger_->below(from);
  std::set<HomePath> moved;
  if (rows) moved.insert(rows->begin(), rows->end());
  // Of what has only work, not all is there: names that earlier renames left behind would come
  // along with every later one, and grow without a bound.
  for (auto at = work_.lower_bound(from + "/"); at != work_.end() && is_below(at->first, from);
       ++at) {
    auto seen = tree_->observe(to + at->first.substr(from.size()));
    if (!seen || seen->kind != Kind::absent) moved.insert(at->first);
  }
  moved.insert(from);
  // Something below may have been handled between the rename and this word of it, and found gone.
  auto arrived = tree_->observe(to);
  if (arrived && arrived->kind == Kind::directory) rescan(to, ScanMode::appeared);
  // What the rename replaced, so that a directory's former children are looked at.
  if (auto replaced = ledger_->below(to)) {
    for (const auto& path : *replaced) note_local(path);
  }
  for (const auto& path : moved) {
    const HomePath target = to + path.substr(from.size());
    note_local(path);
    note_local(target);
    const auto source = work_.find(path);
    const auto destination = work_.find(target);
    if (source == work_.end() || destination == work_.end()) continue;
    auto row = ledger_->find(path);
    if (row && *row) {
      destination->second.moved_from = path;
      source->second.moved_to = target;
    } else if (!source->second.moved_from.empty()) {
      // It was on its way already: a → b → c is a → c.
      destination->second.moved_from = source->second.moved_from;
      const auto origin = work_.find(source->second.moved_from);
      if (origin != work_.end()) origin->second.moved_to = target;
    }
  }
}

void Engine::want_content(const HomePath& path, Done done) {
  if (stopping_ || !tree_) return done(fail(ErrorCode::cancelled, "the home is being closed"));
  auto seen = tree_->observe(path);
  if (!seen) return done(std::unexpected(seen.error()));
  if (seen->kind == Kind::absent) return done(fail(ErrorCode::not_found, "{} is not here", path));
  if (!seen->stub) return done({});
  Work& work = work_at(path);
  work.wanted = true;
  work.content_waiters.push_back(std::move(done));
  unschedule(path, work);
  work.lane = Lane::urgent;
  schedule(path, work, clock_.monotonic());
  pump();
}

void Engine::want_upload(const HomePath& path, Done done) {
  if (stopping_) return done(fail(ErrorCode::cancelled, "the home is being closed"));
  const auto at = work_.find(path);
  if (at == work_.end() || !at->second.local) return done({});
  at->second.upload_waiters.push_back(std::move(done));
}

// A path that needs no waiting is handled within begin() and ends in another pump(): that one only
// leaves word here, so that a long queue does not become a deep stack.
void Engine::pump() {
  if (stopping_ || !ledger_) return;
  pump_again_ = true;
  if (pumping_) return;
  pumping_ = true;
  while (std::exchange(pump_again_, false) && !stopping_) start_due();
  pumping_ = false;
  if (stopping_) return;
  arm_timer();
  publish();
}

void Engine::start_due() {
  const auto now = clock_.monotonic();
  while (!sleepers_.empty() && sleepers_.begin()->first <= now) {
    sleepers_.begin()->second->cancel();
    sleepers_.erase(sleepers_.begin());
  }
  for (std::size_t i = 0; i < lanes; ++i) {
    auto& ready = ready_[i];
    while (!ready.empty() && ready.begin()->first <= now && has_room(static_cast<Lane>(i))) {
      const HomePath path = ready.begin()->second;
      begin(path);
    }
  }
  fill_background();
}

void Engine::begin(const HomePath& path) {
  Work& work = work_.at(path);
  unschedule(path, work);
  work.active = true;
  work.running_lane = work.lane;
  ++active_[index_of(work.lane)];
  tasks_.spawn("path", run(path));
}

// Stubs that nobody asked for, newest first, a batch at a time.
void Engine::fill_background() {
  if (!config_.hydrate_everything || !merged_ || stubs_ == 0 || !has_room(Lane::background)) return;
  const auto now = clock_.monotonic();
  if (background_.empty()) {
    if (now < background_again_) return;
    auto batch = ledger_->stubs(background_batch, background_skip_);
    // The journal on disk lags behind a little, so rows already filled come up again.
    background_again_ = now + milliseconds(500);
    if (!batch) return;
    for (auto& path : *batch) {
      auto row = ledger_->find(path);
      if (row && *row && (*row)->stub && !work_.contains(path)) background_.push_back(path);
    }
    const bool more = background_.empty() && batch->size() == background_batch;
    background_skip_ = more ? background_skip_ + batch->size() : 0;
  }
  while (!background_.empty() && has_room(Lane::background)) {
    const HomePath path = std::move(background_.front());
    background_.pop_front();
    if (work_.contains(path)) continue;
    auto row = ledger_->find(path);
    if (!row || !*row || !(*row)->stub) continue;
    Work& work = work_at(path);
    work.wanted = true;
    work.lane = Lane::background;
    begin(path);
  }
}

void Engine::arm_timer() {
  if (!config_.timers) return;
  auto next = MonotonicTime::max();
  for (std::size_t i = 0; i < lanes; ++i) {
    // A full lane is pumped by the end of one of its own.
    if (!ready_[i].empty() && has_room(static_cast<Lane>(i))) {
      next = std::min(next, ready_[i].begin()->first);
    }
  }
  if (!sleepers_.empty()) next = std::min(next, sleepers_.begin()->first);
  if (stubs_ > 0 && config_.hydrate_everything && merged_ && has_room(Lane::background)) {
    next = std::min(next, std::max(background_again_, clock_.monotonic() + milliseconds(1)));
  }
  if (next == MonotonicTime::max()) return;
  timer_.expires_after(std::max(next - clock_.monotonic(), MonotonicTime::duration(0)));
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    auto self = weak.lock();
    if (!error && self) self->pump();
  });
}

asio::awaitable<void> Engine::pause(milliseconds time) {
  if (stopping_) co_return;
  auto timer = std::make_shared<asio::steady_timer>(strand_, MonotonicTime::max());
  sleepers_.emplace(clock_.monotonic() + time, timer);
  arm_timer();
  boost::system::error_code ignored;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

bool Engine::has_work_below(const HomePath& directory) const {
  const auto at = work_.lower_bound(directory + "/");
  return at != work_.end() && is_below(at->first, directory);
}

void Engine::release_waiters(Work& work, Result<void> content, Result<void> upload) {
  for (auto& done : std::exchange(work.content_waiters, {})) done(content);
  for (auto& done : std::exchange(work.upload_waiters, {})) done(upload);
}

void Engine::finish(const HomePath& path, std::uint64_t generation, Result<Step> result) {
  const auto at = work_.find(path);
  HOLDFAST_CHECK(at != work_.end());
  Work& work = at->second;
  work.active = false;
  --active_[index_of(work.running_lane)];
  if (work.from_merge && merge_left_ > 0) --merge_left_;
  work.from_merge = false;
  if (!result) {
    fail_work(path, work, result.error());
    return pump();
  }
  if (*result == Step::later) {
    schedule(path, work, work.due);
    return pump();
  }
  work.failures = 0;
  const bool quiet = work.generation == generation;
  if (quiet) set_local(work, false);
  if (!work.wanted) {
    for (auto& done : std::exchange(work.content_waiters, {})) done({});
  }
  if (!work.local) {
    for (auto& done : std::exchange(work.upload_waiters, {})) done({});
  }
  if (work.idle()) {
    ledger_->note_remote(path, false);
    work_.erase(at);
  } else if (!quiet) {
    work.first_noted = clock_.monotonic();
    schedule(path, work, std::max(work.due, work.last_noted + config_.settle));
  } else {
    schedule(path, work, clock_.monotonic());
  }
  pump();
}

void Engine::fail_work(const HomePath& path, Work& work, const Error& error) {
  ++work.failures;
  // A file that moved while it was read is no failure of anything: it is being written.
  const bool busy = error.code == ErrorCode::conflict;
  const auto limit = std::min(longest_retry, first_retry * (1 << std::min(work.failures, 10u)));
  const auto wait =
      busy && work.failures < 5
          ? std::max(config_.settle, milliseconds(1))
          : milliseconds(1 + random_.below(static_cast<std::uint64_t>(limit.count())));
  if (!busy) {
    last_error_ = error.context;
    if (work.failures == 1 || work.failures % 10 == 0) {
      spdlog::warn("syncd: {} waits and is tried again: {}", log_field(path),
                   log_field(error.context));
    }
  }
  for (auto& done : std::exchange(work.content_waiters, {})) done(std::unexpected(error));
  if (!work.local && !work.remote_file && !work.remote_directory) {
    // Only its content was wanted: the background comes back to it.
    work.wanted = false;
    background_again_ = clock_.monotonic() + wait;
    work_.erase(path);
    return;
  }
  schedule(path, work, clock_.monotonic() + wait);
}

// The store has answered: what had waited out its absence goes on at once.
void Engine::store_answered() {
  if (last_error_.empty()) return;
  last_error_.clear();
  const auto now = clock_.monotonic();
  for (auto& [path, work] : work_) {
    if (work.failures > 1 && !work.active && work.due > now) {
      schedule(path, work, now + milliseconds(random_.below(500)));
    }
  }
}

void Engine::publish() {
  HomeStatus now;
  now.started = merged_;
  now.dirty = dirty_since_.size();
  now.working = work_.size();
  now.downloading = active_[index_of(Lane::urgent)] + active_[index_of(Lane::background)];
  now.stubs = stubs_;
  now.uploaded = uploaded_;
  now.downloaded = downloaded_;
  now.conflicts = conflicts_;
  if (!dirty_since_.empty()) now.oldest_dirty = *dirty_since_.begin();
  now.last_error = last_error_;
  for (const auto& [path, reason] : ledger_->parked()) {
    if (now.parked.size() == HomeStatus::most_parked) break;
    now.parked.push_back({path, reason});
  }
  const std::lock_guard lock(published_mutex_);
  published_ = std::move(now);
}

HomeStatus Engine::status() const {
  const std::lock_guard lock(published_mutex_);
  return published_;
}

void Engine::post(std::function<void()> job) {
  {
    const std::lock_guard lock(inbox_mutex_);
    inbox_.push_back(std::move(job));
    if (inbox_.size() > 1) return;  // the one that found it empty has posted for all
  }
  asio::post(strand_, [self = shared_from_this()] {
    std::vector<std::function<void()>> jobs;
    {
      const std::lock_guard lock(self->inbox_mutex_);
      jobs.swap(self->inbox_);
    }
    // One pump for all of them.
    const bool outer = std::exchange(self->pumping_, true);
    for (auto& run : jobs) run();
    self->pumping_ = outer;
    if (!outer) self->pump();
  });
}

}  // namespace holdfast::syncd
