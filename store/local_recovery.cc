#include "store/local_recovery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "store/local_apply.h"

namespace holdfast::store {
namespace {

// Records a transaction during replay.
constexpr std::uint64_t replay_batch = 5000;

// Applies records in transactions of their own, and remembers in each how far it came.
class Replay {
 public:
  Replay(index::Catalogue& catalogue, index::AppliedState state, bool partial_log)
      : catalogue_(catalogue), state_(state), partial_log_(partial_log) {}

  Result<void> apply(const LogRecord& record) {
    if (pending_ == 0) {
      if (auto begun = catalogue_.begin(); !begun) return begun;
    }
    auto op = decode_op(record.payload);
    if (!op) return std::unexpected(op.error());
    const RecordPlace place{record.sequence, record.position.segment, record.body_offset,
                            partial_log_};
    if (auto done = apply_op(catalogue_, std::move(*op), place, effects_); !done) return done;
    state_.sequence = record.sequence;
    state_.segment = record.position.segment;
    state_.offset = record.body_offset + record.body.size();
    ++applied_;
    return ++pending_ < replay_batch ? Result<void>() : flush();
  }

  Result<void> flush() {
    if (pending_ == 0) return {};
    state_.clean = false;
    // The feed cannot be made anew from what compaction left.
    if (partial_log_) state_.feed_after = state_.sequence;
    auto done = apply_sums(catalogue_, effects_, state_);
    if (done && state_.sequence >= feed_trimmed_at_ + feed_trim_interval) {
      // As it goes: cutting all of a long log's feed at once would hold up a write for minutes.
      feed_trimmed_at_ = state_.sequence;
      done = trim_feed(catalogue_, state_);
    }
    if (done) done = catalogue_.set_state(state_);
    if (done) done = catalogue_.commit();
    effects_ = {};
    pending_ = 0;
    return done;
  }

  const index::AppliedState& state() const { return state_; }
  std::uint64_t applied() const { return applied_; }

 private:
  index::Catalogue& catalogue_;
  index::AppliedState state_;
  bool partial_log_;
  ApplyEffects effects_;
  std::uint64_t pending_ = 0, applied_ = 0;
  std::uint64_t feed_trimmed_at_ = 0;
};

Result<RecoveredStore> replay_onto(const std::string& log_directory, index::Catalogue catalogue) {
  auto state = catalogue.state();
  if (!state) return std::unexpected(state.error());
  RecoveredStore recovered{std::move(catalogue), *state, {}};
  auto segments = list_segments(log_directory);
  if (!segments) return std::unexpected(segments.error());
  const bool partial = state->segment == 0 && !segments->empty() && segments->front() > 1;
  Replay replay(recovered.catalogue, *state, partial);
  auto end = scan_log(log_directory, {state->segment, state->offset}, state->sequence,
                      [&](const LogRecord& record) { return replay.apply(record); });
  if (!end) {
    recovered.catalogue.rollback();
    return std::unexpected(end.error());
  }
  if (auto flushed = replay.flush(); !flushed) {
    recovered.catalogue.rollback();
    return std::unexpected(flushed.error());
  }
  if (partial) {
    // Compaction wrote rows again in another order than they were made.
    auto counted = recovered.catalogue.recount_usage();
    if (!counted) return std::unexpected(counted.error());
  }
  recovered.state = replay.state();
  if (partial && recovered.state.dropped + 1 < segments->front()) {
    return fail(ErrorCode::corrupted,
                "the log begins with segment {}, but those before it were never dropped: put them "
                "back; nothing was changed",
                segments->front());
  }
  recovered.state.segment = end->position.segment;
  recovered.state.offset = end->position.offset;
  recovered.report.replayed = replay.applied();
  recovered.report.torn_bytes = end->torn_bytes;
  // A power cut may have taken the mark that the store was opened, but not the records since.
  recovered.report.clean = state->clean && replay.applied() == 0 && end->torn_bytes == 0;
  recovered.report.last_sequence = recovered.state.sequence;
  return recovered;
}

Result<void> forget_index(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    if (::unlink((path + suffix).c_str()) != 0 && errno != ENOENT) {
      return fail_errno(errno, "remove " + path + suffix);
    }
  }
  return {};
}

// Beside the old one, which goes only when the new one is whole.
Result<RecoveredStore> rebuild(const std::string& log_directory, const std::string& index_path,
                               index::Catalogue::Role role) {
  const std::string fresh = index_path + ".new";
  if (auto gone = forget_index(fresh); !gone) return std::unexpected(gone.error());
  RecoveryReport report;
  index::AppliedState state;
  {
    auto catalogue = index::Catalogue::open(fresh, role);
    if (!catalogue) return std::unexpected(catalogue.error());
    auto recovered = replay_onto(log_directory, std::move(*catalogue));
    if (!recovered) return recovered;
    report = recovered->report;
    state = recovered->state;
  }
  if (auto gone = forget_index(index_path); !gone) return std::unexpected(gone.error());
  if (::rename(fresh.c_str(), index_path.c_str()) != 0) {
    return fail_errno(errno, "rename the index to " + index_path);
  }
  auto catalogue = index::Catalogue::open(index_path, role);
  if (!catalogue) return std::unexpected(catalogue.error());
  report.rebuilt = true;
  return RecoveredStore{std::move(*catalogue), state, report};
}

// Whether the index itself is at fault, so that a new one helps.
bool index_is_lost(const Error& error) {
  return error.code == ErrorCode::corrupted || error.code == ErrorCode::not_found ||
         error.code == ErrorCode::conflict;
}

}  // namespace

Result<Fd> lock_directory(const std::string& directory) {
  if (auto made = make_directories(directory); !made) return std::unexpected(made.error());
  const std::string path = directory + "/LOCK";
  auto file = open_file(path, O_RDWR | O_CREAT);
  if (!file) return std::unexpected(file.error());
  if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock " + path);
    auto holder = read_file(path, 64);
    return fail(ErrorCode::locked, "{} is in use by another process ({}): stop it first", directory,
                holder && !holder->empty() ? log_field(*holder) : "unknown");
  }
  const std::string pid = fmt::format("pid {}", ::getpid());
  if (::ftruncate(file->get(), 0) != 0) return fail_errno(errno, "write " + path);
  // Only a hint for people: a full disk must not keep the store from opening.
  (void)write_all_at(file->get(), as_bytes(pid), 0);
  return file;
}

Result<RecoveredStore> recover(const std::string& log_directory, const std::string& index_path,
                               IndexUse use, index::Catalogue::Role role) {
  if (use == IndexUse::rebuild) return rebuild(log_directory, index_path, role);
  auto catalogue = index::Catalogue::open(index_path, role);
  auto recovered = catalogue ? replay_onto(log_directory, std::move(*catalogue))
                             : std::unexpected(catalogue.error());
  if (recovered || !index_is_lost(recovered.error())) return recovered;
  spdlog::warn("store: the index is rebuilt from the log: {}", recovered.error().context);
  return rebuild(log_directory, index_path, role);
}

Result<void> remove_dropped_segments(const std::string& log_directory, std::uint64_t dropped) {
  auto segments = list_segments(log_directory);
  if (!segments) return std::unexpected(segments.error());
  for (const auto number : *segments) {
    if (number > dropped) break;
    const std::string path = segment_path(log_directory, number);
    if (::unlink(path.c_str()) != 0) return fail_errno(errno, "remove " + path);
    // In order, so that what is left is always the log's end without a gap.
    if (auto synced = sync_directory(log_directory); !synced) return synced;
  }
  return {};
}

Result<std::uint64_t> sweep_blobs(index::Catalogue& catalogue, const BlobFiles& blobs) {
  auto names = blobs.list();
  if (!names) return std::unexpected(names.error());
  std::uint64_t removed = 0;
  for (const auto& name : *names) {
    auto known = catalogue.find_blob(name);
    if (!known) return std::unexpected(known.error());
    if (*known) continue;
    if (auto gone = blobs.remove(name); !gone) return std::unexpected(gone.error());
    ++removed;
  }
  return removed;
}

}  // namespace holdfast::store
