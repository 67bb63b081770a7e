#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/event.h"
#include "base/log.h"
#include "store/local_relocate.h"
#include "store/local_state.h"
#include "store/log_format.h"

namespace holdfast::store {
namespace {

constexpr std::uint64_t batch_bytes = 1u << 20;

Result<std::uint64_t> file_bytes(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, "stat of " + path);
  return static_cast<std::uint64_t>(status.st_size);
}

struct LogView {
  LogUsage usage;
  std::uint64_t first = 0, active = 0, dropped = 0;  // segments
};

Result<LogView> look_at_log(CatalogueReaders& readers, const std::string& directory) {
  LogView view;
  {
    auto snapshot = readers.snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    auto state = (*snapshot)->state();
    if (!state) return std::unexpected(state.error());
    auto rows = (*snapshot)->segments();
    if (!rows) return std::unexpected(rows.error());
    view.active = state->segment;
    view.dropped = state->dropped;
    std::int64_t live = state->row_bytes;
    for (const auto& row : *rows) live += row.number > state->dropped ? row.live_bytes : 0;
    view.usage.live_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(live, 0));
  }
  auto segments = list_segments(directory);
  if (!segments) return std::unexpected(segments.error());
  for (const auto number : *segments) {
    if (number <= view.dropped) continue;
    if (view.first == 0) view.first = number;
    auto bytes = file_bytes(segment_path(directory, number));
    if (!bytes) return std::unexpected(bytes.error());
    ++view.usage.segments;
    view.usage.bytes += *bytes;
  }
  return view;
}

bool wants_compaction(const LogView& view, const CompactRules& rules) {
  if (view.first == 0 || view.first >= view.active) return false;
  const LogUsage& usage = view.usage;
  const std::uint64_t garbage = usage.bytes - std::min(usage.bytes, usage.live_bytes);
  return garbage >= rules.garbage_bytes &&
         static_cast<double>(garbage) > rules.garbage_share * static_cast<double>(usage.bytes);
}

struct Batch {
  std::vector<OldRecord> records;  // that may be of use
  std::uint64_t bytes = 0;         // of these
  std::uint64_t read_bytes = 0;
  std::optional<LogPosition> next;
};

Result<Batch> read_batch(CatalogueReaders& readers, const std::string& directory,
                         LogPosition from) {
  Batch batch;
  std::vector<OldRecord> all;
  auto next = read_segment(directory, from, batch_bytes, [&](const LogRecord& record) {
    auto old = to_old_record(record);
    if (!old) return Result<void>(std::unexpected(old.error()));
    batch.read_bytes += old->log_bytes;
    all.push_back(std::move(*old));
    return Result<void>();
  });
  if (!next) return std::unexpected(next.error());
  batch.next = *next;
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  for (auto& record : all) {
    auto useful = is_of_use(**snapshot, record);
    if (!useful) return std::unexpected(useful.error());
    if (!*useful) continue;
    batch.bytes += record.log_bytes;
    batch.records.push_back(std::move(record));
  }
  return batch;
}

// Says in the log that the segment is over, if really nothing refers to it.
Result<void> judge_drop(WriteGroup& group, std::uint64_t number) {
  auto rows = group.catalogue().segments();
  if (!rows) return std::unexpected(rows.error());
  const auto row = std::ranges::find(*rows, number, &index::SegmentRow::number);
  if (number >= group.segment() || (row != rows->end() && row->live_bytes != 0)) {
    return fail(ErrorCode::internal, "log segment {} still has {} bytes in use", number,
                row == rows->end() ? 0 : row->live_bytes);
  }
  auto done = group.append(DropSegmentOp{number});
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace

// One compaction; answers false when it was told to stop.
class SegmentCompaction {
 public:
  SegmentCompaction(LocalStore::State& state, const CompactRules& rules, std::stop_token stop,
                    CompactReport& report)
      : state_(state), rules_(rules), stop_(std::move(stop)), report_(report) {}

  Async<bool> run(std::uint64_t number) {
    const std::string log = LocalStore::State::log_directory(state_.options);
    LogPosition at{number, 0};
    for (bool more = true; more;) {
      auto batch =
          co_await state_.pool.run([this, log, at] { return read_batch(state_.readers, log, at); });
      if (!batch) co_return std::unexpected(batch.error());
      more = batch->next.has_value();
      if (more) at = *batch->next;
      const std::uint64_t read = batch->read_bytes;
      if (auto moved = co_await move(std::move(*batch)); !moved) {
        co_return std::unexpected(moved.error());
      }
      if (!ask(CompactInstant::moved_some)) co_return false;
      co_await pace(read);
    }
    if (!ask(CompactInstant::moved_all)) co_return false;
    co_return co_await drop(number);
  }

 private:
  bool ask(CompactInstant instant) const {
    return !stop_.stop_requested() && (!rules_.go_on || rules_.go_on(instant));
  }

  boost::asio::awaitable<void> pace(std::uint64_t bytes) const {
    if (rules_.bytes_per_second == 0) co_return;
    co_await sleep_for(std::chrono::milliseconds(bytes * 1000 / rules_.bytes_per_second));
  }

  Async<void> move(Batch batch) {
    if (batch.records.empty()) co_return Result<void>();
    report_.records += batch.records.size();
    report_.moved_bytes += batch.bytes;
    const std::size_t bytes = batch.bytes;
    co_return co_await state_.sequencer->submit(
        [records = std::move(batch.records)](WriteGroup& group) -> Result<void> {
          for (const auto& record : records) {
            if (auto done = relocate(group, record); !done) return done;
          }
          return {};
        },
        bytes);
  }

  Async<bool> drop(std::uint64_t number) {
    auto size = file_bytes(segment_path(LocalStore::State::log_directory(state_.options), number));
    if (!size) co_return std::unexpected(size.error());
    auto dropped = co_await state_.sequencer->submit(
        [number](WriteGroup& group) { return judge_drop(group, number); });
    if (!dropped) co_return std::unexpected(dropped.error());
    if (!ask(CompactInstant::dropped)) co_return false;
    auto removed =
        co_await state_.pool.run([this, number] { return state_.files.remove_segment(number); });
    if (!removed) co_return std::unexpected(removed.error());
    ++report_.segments;
    report_.freed_bytes += *size;
    co_return ask(CompactInstant::removed);
  }

  LocalStore::State& state_;
  const CompactRules& rules_;
  std::stop_token stop_;
  CompactReport& report_;
};

Result<LogUsage> LocalStore::log_usage() {
  auto view = look_at_log(state_->readers, State::log_directory(state_->options));
  if (!view) return std::unexpected(view.error());
  return view->usage;
}

Async<CompactReport> LocalStore::compact(CompactRules rules, std::stop_token stop) {
  State* const state = state_.get();
  const std::string log = State::log_directory(state->options);
  CompactReport report;
  // Once through the log at most: what was moved is not moved again.
  for (std::uint64_t last = 0;;) {
    auto view = co_await state->pool.run([state, log] { return look_at_log(state->readers, log); });
    if (!view) co_return std::unexpected(view.error());
    if (last == 0) last = view->active;
    if (stop.stop_requested() || view->first >= last || !wants_compaction(*view, rules)) {
      co_return report;
    }
    SegmentCompaction compaction(*state, rules, stop, report);
    auto done = co_await compaction.run(view->first);
    if (!done) co_return fail_within("compact the log", done.error());
    if (!*done) co_return report;
  }
}

}  // namespace holdfast::store
