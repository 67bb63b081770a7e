#include "store/local_sequencer.h"

#include <algorithm>
#include <system_error>

#include "base/log.h"
#include "store/local_rows.h"
#include "store/log_format.h"

namespace holdfast::store {
namespace {

// Memory that is kept from group to group.
constexpr std::size_t kept_bytes = 1u << 20;

// Those of versions and parts leave the rows of buckets alone.
bool changes_buckets(const LogOp& op) {
  return !std::holds_alternative<PutVersionOp>(op) && !std::holds_alternative<PutPartOp>(op) &&
         !std::holds_alternative<CreateUploadOp>(op) &&
         !std::holds_alternative<RemoveVersionOp>(op);
}

}  // namespace

Result<index::BucketRow> WriteGroup::find_bucket(const BucketName& name) {
  if (bucket_ && bucket_->name == name.value) return *bucket_;
  auto found = store::find_bucket(catalogue_, name);
  if (found) bucket_ = *found;
  return found;
}

Result<std::uint64_t> WriteGroup::append(LogOp op, std::string_view body, const Known& known) {
  if (broken_) return std::unexpected(*broken_);
  if (changes_buckets(op)) bucket_.reset();
  const std::string payload = encode_op(op);
  const std::uint64_t sequence = next_sequence_;
  const std::uint64_t at = start_.offset + bytes_.size();
  RecordPlace place{sequence, start_.segment, at + record_header_bytes + payload.size()};
  place.parts = known.parts;
  place.never_versioned = known.never_versioned;
  auto applied = payload.size() <= max_payload_bytes
                     ? apply_op(catalogue_, std::move(op), place, effects_)
                     : fail(ErrorCode::entity_too_large, "a record of {} bytes", payload.size());
  if (!applied) {
    broken_ = applied.error();
    return std::unexpected(applied.error());
  }
  append_record(bytes_, {sequence, first_sequence_}, payload, body);
  place.parts = nullptr;
  last_place_ = place;
  ++next_sequence_;
  return sequence;
}

Sequencer::Sequencer(index::Catalogue catalogue, LogWriter log, index::AppliedState state,
                     Clock& clock, Random& random, Limits limits, Surroundings around)
    : catalogue_(std::move(catalogue)),
      log_(std::move(log)),
      state_(state),
      feed_trimmed_at_(state.sequence),
      checkpointed_at_(state.sequence),
      clock_(clock),
      random_(random),
      limits_(limits),
      around_(std::move(around)) {
  thread_ = std::thread([this] { run(); });
}

void Sequencer::finish() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (aside_.valid()) aside_.wait();
  state_.clean = !log_.broken();
  auto closed = catalogue_.set_state(state_);
  if (!closed) spdlog::warn("store: the index was not closed cleanly: {}", closed.error().context);
}

bool Sequencer::enqueue(std::unique_ptr<Intent> intent) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < limits_.queued_writes && !stopping_) {
      queue_.push_back(std::move(intent));
    }
  }
  if (!intent) {
    wake_.notify_one();
    return true;
  }
  const Error full{ErrorCode::throttled, "too many writes wait for the disk: try again"};
  intent->answer(&full);
  return false;
}

std::vector<std::unique_ptr<Sequencer::Intent>> Sequencer::next_group() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  std::size_t count = 0;
  std::size_t bytes = 0;
  while (count < queue_.size() && count < limits_.group_writes && bytes < limits_.group_bytes) {
    bytes += queue_[count++]->bytes;
  }
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<std::unique_ptr<Intent>> group(std::make_move_iterator(queue_.begin()),
                                             std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  return group;
}

void Sequencer::run() {
  for (;;) {
    auto group = next_group();
    if (group.empty()) return;  // stopping, and all is done
    process(group);
    group.clear();
    checkpoint();
  }
}

// Not SQLite's own measure, the pages: a page takes one record or fifty. Most of the work is done
// beside the writers. It cannot end there, for the write-ahead log starts anew only when nothing
// was added to it since: what came meanwhile, a little, is copied between two groups.
void Sequencer::checkpoint() {
  const std::uint64_t since = state_.sequence - checkpointed_at_;
  if (aside_.valid()) {
    const bool ended = aside_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    if (ended || since >= limits_.checkpoint_records / 2) finish_checkpoint();
  } else if (since >= limits_.checkpoint_records / 2) {
    checkpointed_at_ = state_.sequence;
    try {
      aside_ = std::async(std::launch::async, around_.checkpoint_aside);
    } catch (const std::system_error&) {  // no thread to be had
      finish_checkpoint();
    }
  }
}

// Whatever was not done aside is done here.
void Sequencer::finish_checkpoint() {
  if (aside_.valid()) {
    if (auto most = aside_.get(); !most)
      spdlog::warn("store: a checkpoint beside the writes failed: {}", most.error().context);
  }
  auto done = catalogue_.checkpoint();
  if (!done) spdlog::warn("store: the index could not be made durable: {}", done.error().context);
}

void Sequencer::process(std::vector<std::unique_ptr<Intent>>& intents) {
  const auto failure = commit_group(intents);
  if (failure)
    spdlog::warn("store: a group of {} writes failed: {}", intents.size(), failure->context);
  for (auto& intent : intents) intent->answer(failure ? &*failure : nullptr);
}

std::optional<Error> Sequencer::commit_group(std::vector<std::unique_ptr<Intent>>& intents) {
  if (auto room = log_.make_room(state_.sequence + 1); !room) return room.error();
  if (auto begun = catalogue_.begin(); !begun) return begun.error();
  WriteGroup group(catalogue_, clock_, random_, log_.end(), state_.sequence + 1,
                   std::move(buffer_));
  for (auto& intent : intents) {
    intent->judge(group);
    if (group.broken_) break;
  }
  Result<void> done;
  if (group.broken_) {
    done = std::unexpected(*group.broken_);
  } else if (!group.bytes_.empty()) {
    done = make_durable(group);
  }
  const bool wrote = !group.bytes_.empty();
  if (group.bytes_.capacity() <= kept_bytes) buffer_ = std::move(group.bytes_);
  if (!done || !wrote) {
    catalogue_.rollback();
    return done ? std::nullopt : std::optional(done.error());
  }
  for (auto& blob : group.blobs_) blob.keep();
  around_.committed(group.effects_);
  return std::nullopt;
}

Result<void> Sequencer::make_durable(WriteGroup& group) {
  const LogPosition before = log_.end();
  index::AppliedState state = state_;
  state.segment = before.segment;
  state.offset = before.offset + group.bytes_.size();
  state.sequence = group.next_sequence_ - 1;
  state.clean = false;
  auto applied = apply_sums(catalogue_, group.effects_, state);
  if (applied && state.sequence >= feed_trimmed_at_ + feed_trim_interval) {
    feed_trimmed_at_ = state.sequence;
    applied = trim_feed(catalogue_, state);
  }
  if (applied) applied = catalogue_.set_state(state);
  if (!applied) return applied;
  if (auto written = log_.append(group.bytes_); !written) return written;
  const HotObjects::ClosedKeys closed(around_.hot, std::move(group.effects_.touched_keys));
  if (auto committed = catalogue_.commit(); !committed) {
    // The log is durable, the index is not: take the records back, so that a write that is
    // answered as failed has not happened. If that fails the log refuses everything from now on.
    (void)log_.take_back(before);
    return fail_within("commit to the index", committed.error());
  }
  state_ = state;
  return {};
}

}  // namespace holdfast::store
