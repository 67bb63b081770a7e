#include "store/local_store.h"

#include <utility>

#include "base/log.h"
#include "store/local_format.h"
#include "store/local_recovery.h"
#include "store/local_state.h"
#include "store/log_format.h"
#include "store/seal.h"

namespace holdfast::store {

void LocalStore::State::committed(const ApplyEffects& effects) {
  waiters.notify(effects.changed_buckets);
  for (const auto& blob : effects.dead_blobs) {
    // What stays behind is found by the sweep of a later start.
    if (auto gone = files.remove_blob(blob); !gone) {
      spdlog::warn("store: blob {} was not removed: {}", blob, gone.error().context);
    }
  }
  if (effects.damaged_blobs.empty()) return;
  const std::lock_guard guard(damaged_mutex);
  damaged.insert(effects.damaged_blobs.begin(), effects.damaged_blobs.end());
  any_damaged = true;
}

bool LocalStore::State::is_damaged(const std::string& blob) {
  if (!any_damaged || blob.empty()) return false;
  const std::lock_guard guard(damaged_mutex);
  return damaged.contains(blob);
}

namespace {

struct Prepared {
  Fd lock;
  RecoveredStore recovered;
};

Result<Prepared> prepare(const LocalStoreOptions& options, const std::string& log_directory,
                         const std::string& index_path, IndexUse use) {
  const std::string& directory = options.directory;
  // Without sync a power cut may take the log itself: then the index need not outlive it either.
  const auto role =
      options.sync ? index::Catalogue::Role::writer : index::Catalogue::Role::unsynced_writer;
  auto lock = lock_directory(directory);
  if (!lock) return std::unexpected(lock.error());
  auto format = check_format(directory);
  if (!format) return std::unexpected(format.error());
  for (const std::string& path : {log_directory, directory + "/index"}) {
    if (auto made = make_directories(path); !made) return std::unexpected(made.error());
  }
  if (auto synced = sync_directory(directory); !synced) return std::unexpected(synced.error());
  auto recovered = recover(log_directory, index_path, use, role);
  if (!recovered) return fail_within("recover " + directory, recovered.error());
  auto settled = settle_root_keys(directory, std::move(*format), options.root_keys.get(),
                                  recovered->catalogue);
  if (!settled) return std::unexpected(settled.error());
  return Prepared{std::move(*lock), std::move(*recovered)};
}

}  // namespace

Result<std::unique_ptr<LocalStore>> LocalStore::open(LocalStoreOptions options, Clock& clock,
                                                     Random& random) {
  HOLDFAST_CHECK(sealed_size(options.inline_bytes) <= max_inline_bytes ||
                 (!options.root_keys && options.inline_bytes <= max_inline_bytes));
  auto prepared =
      prepare(options, State::log_directory(options), State::index_path(options), IndexUse::keep);
  if (!prepared) return std::unexpected(prepared.error());
  auto& [catalogue, applied, report] = prepared->recovered;
  auto blobs = BlobFiles::open(State::blob_directory(options), options.sync);
  if (!blobs) return std::unexpected(blobs.error());
  if (!report.clean || report.rebuilt) {
    auto swept = sweep_blobs(catalogue, *blobs);
    if (!swept) return std::unexpected(swept.error());
    report.orphaned_blobs = *swept;
  }
  if (auto gone = remove_dropped_segments(State::log_directory(options), applied.dropped); !gone) {
    return std::unexpected(gone.error());
  }
  auto log = LogWriter::open({State::log_directory(options), options.segment_bytes, options.sync},
                             {applied.segment, applied.offset}, applied.sequence + 1);
  if (!log) return std::unexpected(log.error());
  applied.segment = log->end().segment;
  applied.offset = log->end().offset;
  applied.clean = false;
  if (auto marked = catalogue.set_state(applied); !marked) return std::unexpected(marked.error());
  auto damaged = catalogue.damaged_blobs();
  if (!damaged) return std::unexpected(damaged.error());

  auto state = std::make_unique<State>(std::move(options), clock, random, std::move(*blobs));
  state->lock = std::move(prepared->lock);
  state->recovery = report;
  state->damaged.insert(damaged->begin(), damaged->end());
  state->any_damaged = !damaged->empty();
  state->sequencer = std::make_unique<Sequencer>(
      std::move(catalogue), std::move(*log), applied, clock, random,
      Sequencer::Limits{.checkpoint_records = state->options.checkpoint_records},
      Sequencer::Surroundings{
          .hot = state->hot,
          .committed = [raw =
                            state.get()](const ApplyEffects& effects) { raw->committed(effects); },
          .checkpoint_aside = [raw = state.get()]() -> Result<void> {
            const auto role = raw->options.sync ? index::Catalogue::Role::writer
                                                : index::Catalogue::Role::unsynced_writer;
            auto beside = index::Catalogue::open(State::index_path(raw->options), role);
            return beside ? beside->checkpoint() : std::unexpected(beside.error());
          }});
  return std::unique_ptr<LocalStore>(new LocalStore(std::move(state)));
}

Result<RecoveryReport> LocalStore::rebuild_index(LocalStoreOptions options, Clock& clock,
                                                 Random& random) {
  {
    auto prepared = prepare(options, State::log_directory(options), State::index_path(options),
                            IndexUse::rebuild);
    if (!prepared) return std::unexpected(prepared.error());
  }
  // Opening sweeps what the new index does not know, and closes in order.
  auto store = open(std::move(options), clock, random);
  if (!store) return std::unexpected(store.error());
  RecoveryReport report = (*store)->recovery();
  report.rebuilt = true;
  return report;
}

LocalStore::LocalStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalStore::~LocalStore() = default;

void LocalStore::finish() {
  state_->sequencer->finish();
  state_->pool.join();
}

const RecoveryReport& LocalStore::recovery() const { return state_->recovery; }

}  // namespace holdfast::store
