#define XXH_STATIC_LINKING_ONLY  // the state on the stack
#include <xxhash.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/log.h"
#include "store/local_rows.h"
#include "store/local_state.h"
#include "store/log_format.h"

namespace holdfast::store {
namespace {

Result<bool> blob_is_sound(LocalFiles& files, const index::BlobRow& blob) {
  auto file = files.blobs().open_blob(blob.name);
  if (!file && file.error().code == ErrorCode::not_found) return false;
  if (!file) return std::unexpected(file.error());
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  std::string buffer(1u << 20, '\0');
  std::uint64_t offset = 0;
  for (;;) {
    auto got = read_at(file->get(), std::as_writable_bytes(std::span(buffer)), offset);
    if (!got && got.error().code == ErrorCode::io) return false;  // the disk cannot read it
    if (!got) return std::unexpected(got.error());
    XXH3_64bits_update(&state, buffer.data(), *got);
    offset += *got;
    if (*got < buffer.size()) break;
  }
  return offset == blob.bytes && XXH3_64bits_digest(&state) == blob.checksum;
}

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
      log_.emplace_back(
          range, report(fmt::format("segment {} at byte {}, {} bytes", range.position.segment,
                                    range.position.offset, range.bytes)));
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
    damage_.push_back({std::move(where), {}});
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
    for (const auto at : hits) damage_[at].objects.push_back(name(owner));
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

Result<LogPosition> durable_end(CatalogueReaders& readers) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  auto state = (*snapshot)->state();
  if (!state) return std::unexpected(state.error());
  return LogPosition{state->segment, state->offset};
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

Async<ScrubReport> LocalStore::scrub() {
  State* const state = state_.get();
  auto end = durable_end(state->readers);
  if (!end) co_return std::unexpected(end.error());
  const std::string log = State::log_directory(state->options);
  auto log_damage =
      co_await state->pool.run([log, until = *end] { return find_log_damage(log, until); });
  if (!log_damage) co_return std::unexpected(log_damage.error());
  ScrubReport report;
  report.log_bytes = (end->segment - 1) * state->options.segment_bytes + end->offset;
  Damaged damaged{std::move(*log_damage), {}};
  std::string after;
  for (;;) {
    auto blobs = next_blobs(state->readers, after);
    if (!blobs) co_return std::unexpected(blobs.error());
    if (blobs->empty()) break;
    after = blobs->back().name;
    for (const auto& blob : *blobs) {
      auto sound =
          co_await state->pool.run([state, blob] { return blob_is_sound(state->files, blob); });
      if (!sound) co_return std::unexpected(sound.error());
      ++report.blobs;
      report.blob_bytes += blob.bytes;
      if (*sound) continue;
      auto used = co_await state->sequencer->submit(
          [name = blob.name](WriteGroup& group) { return judge_quarantine(group, name); });
      if (!used) co_return std::unexpected(used.error());
      if (*used) damaged.blobs.push_back(blob.name);
    }
  }
  auto owners =
      co_await state->pool.run([state, &damaged] { return find_owners(state->readers, damaged); });
  if (!owners) co_return std::unexpected(owners.error());
  report.damage = std::move(*owners);
  co_return report;
}

}  // namespace holdfast::store
