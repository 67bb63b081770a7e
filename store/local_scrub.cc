#include "store/local_scrub.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/event.h"
#include "base/log.h"
#include "store/local_rows.h"
#include "store/local_state.h"
#include "store/log_format.h"

namespace holdfast::store {
namespace {

constexpr std::uint64_t step_bytes = 1u << 20;

// Reads one blob, a step at a time.
class BlobProbe {
 public:
  enum class Verdict : std::uint8_t { unfinished, sound, damaged };

  BlobProbe(const BlobFiles& files, index::BlobRow blob)
      : files_(files), blob_(std::move(blob)), state_(XXH3_createState()) {
    XXH3_64bits_reset(state_.get());
  }

  std::uint64_t read_bytes() const { return offset_; }

  Result<Verdict> step() {
    if (!file_.valid()) {
      auto file = files_.open_blob(blob_.name);
      if (!file && file.error().code == ErrorCode::not_found) return Verdict::damaged;
      if (!file) return std::unexpected(file.error());
      file_ = std::move(*file);
      // What is read once here is not to push out of memory what is read often.
      (void)::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_NOREUSE);
    }
    std::string buffer(step_bytes, '\0');
    auto got = read_at(file_.get(), std::as_writable_bytes(std::span(buffer)), offset_);
    if (!got && got.error().code == ErrorCode::io) return Verdict::damaged;  // the disk cannot
    if (!got) return std::unexpected(got.error());
    XXH3_64bits_update(state_.get(), buffer.data(), *got);
    offset_ += *got;
    if (*got == buffer.size() && offset_ <= blob_.bytes) return Verdict::unfinished;
    const bool sound = offset_ == blob_.bytes && XXH3_64bits_digest(state_.get()) == blob_.checksum;
    return sound ? Verdict::sound : Verdict::damaged;
  }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };

  const BlobFiles& files_;
  index::BlobRow blob_;
  std::unique_ptr<XXH3_state_t, Free> state_;
  Fd file_;
  std::uint64_t offset_ = 0;
};

// More than any segment has: the rest of it.
constexpr std::uint64_t all_bytes = std::uint64_t{1} << 48;

struct Damaged {
  std::vector<LogDamage> log;
  std::vector<std::string> blobs;
};

bool touches(const Piece& piece, const LogDamage& damage) {
  return piece.home == Piece::Home::segment && piece.segment == damage.position.segment &&
         piece.offset < damage.position.offset + damage.bytes &&
         damage.position.offset < piece.offset + piece.length;
}

// Which damage each object or part suffers from.
class OwnerSearch {
 public:
  OwnerSearch(index::Catalogue& catalogue, const Damaged& damaged) : catalogue_(catalogue) {
    for (const auto& range : damaged.log) {
      const std::string size =
          range.bytes == all_bytes ? "and all that follows" : fmt::format("{} bytes", range.bytes);
      log_.emplace_back(range,
                        report(fmt::format("segment {} at byte {}, {}", range.position.segment,
                                           range.position.offset, size)));
    }
    for (const auto& blob : damaged.blobs) blobs_[blob] = report("blob " + blob);
  }

  Result<std::vector<ScrubReport::Damage>> run() {
    if (damage_.empty()) return std::move(damage_);
    auto buckets = catalogue_.buckets();
    if (!buckets) return std::unexpected(buckets.error());
    for (const auto& bucket : *buckets) names_[bucket.id] = bucket.name;
    auto visited =
        catalogue_.visit_extents([this](const index::ExtentOwner& owner) { return visit(owner); });
    if (!visited) return std::unexpected(visited.error());
    return std::move(damage_);
  }

 private:
  std::size_t report(std::string where) {
    damage_.push_back({std::move(where), {}, 0});
    return damage_.size() - 1;
  }

  Result<void> visit(const index::ExtentOwner& owner) {
    auto extents = decode_extents(owner.extents);
    if (!extents) return std::unexpected(extents.error());
    std::set<std::size_t> hits;
    for (const auto& extent : *extents) {
      if (const auto blob = blobs_.find(extent.piece.blob); blob != blobs_.end()) {
        hits.insert(blob->second);
      }
      for (const auto& [range, at] : log_) {
        if (touches(extent.piece, range)) hits.insert(at);
      }
    }
    for (const auto at : hits) {
      ScrubReport::Damage& damage = damage_[at];
      if (++damage.object_count <= ScrubReport::most_objects) damage.objects.push_back(name(owner));
    }
    return {};
  }

  std::string name(const index::ExtentOwner& owner) {
    if (!owner.upload.empty()) return fmt::format("a part of upload {}", log_field(owner.upload));
    return fmt::format("{}/{} ({})", names_[owner.bucket], log_field(owner.key, 1024),
                       log_field(owner.version));
  }

  index::Catalogue& catalogue_;
  std::vector<ScrubReport::Damage> damage_;
  std::vector<std::pair<LogDamage, std::size_t>> log_;
  std::map<std::string, std::size_t> blobs_;
  std::map<std::uint64_t, std::string> names_;
};

struct LogReach {
  LogPosition end;            // what is behind it may be half written
  std::uint64_t dropped = 0;  // segments up to this one are compaction's
};

Result<LogReach> look_at_log(CatalogueReaders& readers) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  auto state = (*snapshot)->state();
  if (!state) return std::unexpected(state.error());
  return LogReach{{state->segment, state->offset}, state->dropped};
}

// One step in one segment. What cannot be opened or read is damage to its end.
Result<SegmentCheck> check_step(CatalogueReaders& readers, const std::string& directory,
                                LogPosition from, LogPosition end) {
  auto check = check_segment(directory, from, end, step_bytes);
  if (!check) {
    const auto code = check.error().code;
    if (code != ErrorCode::not_found && code != ErrorCode::io) return check;
    check = SegmentCheck{{{from, all_bytes}}, 0, std::nullopt};
  }
  if (check->damage.empty()) return check;
  auto now = look_at_log(readers);
  if (!now) return std::unexpected(now.error());
  if (from.segment <= now->dropped) return SegmentCheck{};  // compaction took it meanwhile
  return check;
}

Result<std::vector<index::BlobRow>> next_blobs(CatalogueReaders& readers,
                                               const std::string& after) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  return (*snapshot)->blobs(after, 64);
}

Result<std::vector<ScrubReport::Damage>> find_owners(CatalogueReaders& readers,
                                                     const Damaged& damaged) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  return OwnerSearch(**snapshot, damaged).run();
}

// Quarantines the blob if it is still in use; a blob that was removed under our eyes is no damage.
Result<bool> judge_quarantine(WriteGroup& group, const std::string& blob) {
  auto row = group.catalogue().find_blob(blob);
  if (!row) return std::unexpected(row.error());
  if (!*row || (*row)->damaged) return row->has_value();
  auto done = group.append(QuarantineOp{blob});
  if (!done) return std::unexpected(done.error());
  return true;
}

}  // namespace

// One pass, or what is left of it.
class ScrubPass {
 public:
  ScrubPass(LocalStore::State& state, ScrubRules rules, std::stop_token stop, ScrubReport from)
      : state_(state), rules_(std::move(rules)), stop_(std::move(stop)), report_(std::move(from)) {}

  Async<ScrubReport> run() {
    report_.complete = false;
    bool more = true;
    if (report_.position.phase == ScrubPosition::Phase::log) {
      auto done = co_await check_log();
      if (!done) co_return std::unexpected(done.error());
      more = *done;
    }
    if (more) {
      report_.position.phase = ScrubPosition::Phase::blobs;
      auto done = co_await check_blobs();
      if (!done) co_return std::unexpected(done.error());
      report_.complete = *done;
    }
    co_return std::move(report_);
  }

 private:
  // These answer false when they were told to stop.
  Async<bool> check_log() {
    auto log = co_await state_.pool.run([this] { return look_at_log(state_.readers); });
    if (!log) co_return std::unexpected(log.error());
    ScrubPosition& at = report_.position;
    if (at.segment <= log->dropped) at = {.segment = log->dropped + 1};
    while (at.segment <= log->end.segment) {
      if (stop_.stop_requested()) co_return false;
      auto check = co_await state_.pool.run(
          [this, from = LogPosition{at.segment, at.offset}, end = log->end] {
            return check_step(state_.readers, LocalStore::State::log_directory(state_.options),
                              from, end);
          });
      if (!check) co_return std::unexpected(check.error());
      auto told = co_await tell({std::move(check->damage), {}});
      if (!told) co_return std::unexpected(told.error());
      report_.log_bytes += check->read_bytes;
      at.segment = check->next ? check->next->segment : at.segment + 1;
      at.offset = check->next ? check->next->offset : 0;
      if (rules_.passed) rules_.passed(report_);
      co_await pace(check->read_bytes);
    }
    co_return true;
  }

  Async<bool> check_blobs() {
    for (std::string last = report_.position.blob;;) {
      auto blobs =
          co_await state_.pool.run([this, last] { return next_blobs(state_.readers, last); });
      if (!blobs) co_return std::unexpected(blobs.error());
      if (blobs->empty()) co_return true;
      Damaged damaged;
      for (const auto& blob : *blobs) {
        auto sound = co_await check_blob(blob);
        if (!sound) co_return std::unexpected(sound.error());
        if (stop_.stop_requested()) break;
        if (!*sound) damaged.blobs.push_back(blob.name);
        last = blob.name;
        // The position passes no damage that was not told.
        if (damaged.blobs.empty()) pass(last);
      }
      if (auto told = co_await tell(std::move(damaged)); !told) {
        co_return std::unexpected(told.error());
      }
      pass(last);
      if (stop_.stop_requested()) co_return false;
    }
  }

  void pass(const std::string& blob) {
    report_.position.blob = blob;
    if (rules_.passed) rules_.passed(report_);
  }

  // Also true when the blob went meanwhile, or when told to stop.
  Async<bool> check_blob(index::BlobRow blob) {
    BlobProbe probe(state_.files.blobs(), blob);
    auto verdict = BlobProbe::Verdict::unfinished;
    for (std::uint64_t before = 0; verdict == BlobProbe::Verdict::unfinished;) {
      if (stop_.stop_requested()) co_return true;
      auto step = co_await state_.pool.run([&probe] { return probe.step(); });
      if (!step) co_return std::unexpected(step.error());
      verdict = *step;
      co_await pace(probe.read_bytes() - std::exchange(before, probe.read_bytes()));
    }
    ++report_.blobs;
    report_.blob_bytes += probe.read_bytes();
    if (verdict == BlobProbe::Verdict::sound) co_return true;
    auto used = co_await state_.sequencer->submit(
        [name = blob.name](WriteGroup& group) { return judge_quarantine(group, name); });
    if (!used) co_return std::unexpected(used.error());
    co_return !*used;
  }

  Async<void> tell(Damaged damaged) {
    if (damaged.log.empty() && damaged.blobs.empty()) co_return Result<void>();
    auto owners =
        co_await state_.pool.run([this, &damaged] { return find_owners(state_.readers, damaged); });
    if (!owners) co_return std::unexpected(owners.error());
    for (auto& damage : *owners) {
      ++report_.damaged;
      if (rules_.found) rules_.found(damage);
      if (report_.damage.size() < ScrubReport::most_damage) {
        report_.damage.push_back(std::move(damage));
      }
    }
    co_return Result<void>();
  }

  boost::asio::awaitable<void> pace(std::uint64_t bytes) {
    constexpr std::uint64_t least_pause = 10;
    if (rules_.bytes_per_second == 0) co_return;
    unpaid_bytes_ += bytes;
    const std::uint64_t pause = unpaid_bytes_ * 1000 / rules_.bytes_per_second;
    if (pause < least_pause) co_return;
    unpaid_bytes_ = 0;
    const std::chrono::milliseconds time(pause);
    co_await (rules_.pause ? rules_.pause(time) : sleep_for(time));
  }

  LocalStore::State& state_;
  ScrubRules rules_;
  std::stop_token stop_;
  ScrubReport report_;
  std::uint64_t unpaid_bytes_ = 0;
};

Async<ScrubReport> LocalStore::scrub(ScrubRules rules, std::stop_token stop, ScrubReport from) {
  ScrubPass pass(*state_, std::move(rules), std::move(stop), std::move(from));
  co_return co_await pass.run();
}

}  // namespace holdfast::store
