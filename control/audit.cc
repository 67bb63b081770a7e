#include "control/audit.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"
#include "control/digest.h"
#include "index/registry.h"

namespace holdfast::control {
namespace {

constexpr std::size_t field_limit = 2048;
constexpr std::size_t detail_limit = 4096;
constexpr std::size_t batch_limit = 512;
constexpr auto batch_delay = std::chrono::milliseconds(200);

std::int64_t nanoseconds(TimePoint time) { return time.time_since_epoch().count(); }

// Each field as "<length>:<bytes>", so that no two rows have the same text.
std::string canonical(const index::AuditRow& row) {
  std::string out;
  out.reserve(512);
  const auto add = [&out](std::string_view field) {
    const fmt::format_int size(field.size());
    out.append(size.data(), size.size()).append(1, ':').append(field);
  };
  add(std::to_string(row.sequence));
  add(std::to_string(row.time));
  for (const auto* field : {&row.actor, &row.on_behalf_of, &row.action, &row.target, &row.outcome})
    add(*field);
  add(std::to_string(row.grant));
  for (const auto* field : {&row.request_id, &row.source, &row.detail}) add(*field);
  return out;
}

std::string chain(std::string_view previous, const index::AuditRow& row) {
  return sha256(std::string(previous) + canonical(row));
}

std::string bounded(std::string text, std::size_t limit) {
  if (text.size() > limit) text.resize(limit);
  return text;
}

index::AuditRow to_row(AuditEvent event) {
  index::AuditRow row;
  row.time = nanoseconds(event.time);
  row.actor = bounded(std::move(event.actor.value), field_limit);
  row.on_behalf_of = bounded(std::move(event.on_behalf_of.value), field_limit);
  row.action = bounded(std::move(event.action), field_limit);
  row.target = bounded(std::move(event.target), field_limit);
  row.outcome = bounded(std::move(event.outcome), field_limit);
  row.grant = event.grant;
  row.request_id = bounded(std::move(event.request_id), field_limit);
  row.source = bounded(std::move(event.source), field_limit);
  row.detail = event.detail.size() <= detail_limit ? std::move(event.detail)
                                                   : R"({"note":"detail left out: too long"})";
  return row;
}

AuditEvent to_event(const index::AuditRow& row) {
  return {.sequence = static_cast<std::uint64_t>(row.sequence),
          .time = TimePoint(std::chrono::nanoseconds(row.time)),
          .actor = PrincipalName(row.actor),
          .on_behalf_of = PrincipalName(row.on_behalf_of),
          .action = row.action,
          .target = row.target,
          .outcome = row.outcome,
          .grant = row.grant,
          .request_id = row.request_id,
          .source = row.source,
          .detail = row.detail};
}

bool matches(const AuditFilter& filter, const index::AuditRow& row) {
  if (!filter.actor.empty() && row.actor != filter.actor.value) return false;
  if (filter.action.empty()) return true;
  return filter.action.ends_with('.') ? row.action.starts_with(filter.action)
                                      : row.action == filter.action;
}

}  // namespace

AuditLog::AuditLog(index::RegistryDatabase& database, const Clock& clock)
    : database_(database), clock_(clock), writer_([this] { run(); }) {}

AuditLog::~AuditLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  writer_.join();
}

void AuditLog::record(AuditEvent event) {
  if (event.time == TimePoint{}) event.time = clock_.now();
  std::lock_guard lock(mutex_);
  if (queue_.size() >= queue_limit) {
    ++dropped_;
    return;
  }
  queue_.push_back(std::move(event));
  ++accepted_;
  if (queue_.size() == 1 || queue_.size() >= batch_limit) wake_.notify_all();
}

void AuditLog::flush() {
  std::unique_lock lock(mutex_);
  const auto target = accepted_;
  urgent_ = true;
  wake_.notify_all();
  written_.wait(lock, [&] { return done_ >= target; });
}

void AuditLog::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || urgent_ || !queue_.empty(); });
    if (!stopping_ && !urgent_) {
      wake_.wait_for(lock, batch_delay,
                     [&] { return stopping_ || urgent_ || queue_.size() >= batch_limit; });
    }
    urgent_ = false;
    const auto count = std::min(queue_.size(), batch_limit);
    std::vector<AuditEvent> batch(std::make_move_iterator(queue_.begin()),
                                  std::make_move_iterator(queue_.begin() + std::ptrdiff_t(count)));
    queue_.erase(queue_.begin(), queue_.begin() + std::ptrdiff_t(count));
    const auto dropped = std::exchange(dropped_, 0);
    urgent_ = !queue_.empty();
    lock.unlock();
    if (!batch.empty() || dropped > 0) {
      if (auto written = write_batch(std::move(batch), dropped); !written) {
        // The chain must not lie: what could not be written is counted and told later.
        spdlog::error("control: {} audit events could not be written: {}", count,
                      written.error().context);
        std::lock_guard again(mutex_);
        dropped_ += count + dropped;
      }
    }
    lock.lock();
    done_ += count;
    written_.notify_all();
    if (stopping_ && queue_.empty()) return;
  }
}

Result<void> AuditLog::write_batch(std::vector<AuditEvent> batch, std::uint64_t dropped) {
  std::lock_guard guard(database_.mutex());
  auto transaction = database_.begin();
  if (!transaction) return std::unexpected(transaction.error());
  if (dropped > 0) {
    batch.insert(batch.begin(), {.time = clock_.now(),
                                 .actor = PrincipalName("holdfast"),
                                 .action = "audit.dropped",
                                 .outcome = "failed",
                                 .detail = fmt::format(R"({{"events":{}}})", dropped)});
  }
  if (auto done = append_within_transaction(std::move(batch)); !done) return done;
  return transaction->commit();
}

Result<void> AuditLog::append_within_transaction(std::vector<AuditEvent> events) {
  if (events.empty()) return {};
  auto head = database_.audit_head();
  if (!head) return std::unexpected(head.error());
  for (auto& event : events) {
    if (event.time == TimePoint{}) event.time = clock_.now();
    auto row = to_row(std::move(event));
    row.sequence = ++head->sequence;
    row.hash = chain(head->hash, row);
    if (auto done = database_.append(row); !done) return done;
    head->hash = std::move(row.hash);
  }
  return database_.set_audit_head(*head);
}

Result<std::vector<AuditEvent>> AuditLog::tail(std::size_t limit, const AuditFilter& filter) {
  flush();
  auto reader = index::AuditReader::open(database_.path());
  if (!reader) return std::unexpected(reader.error());
  std::vector<AuditEvent> events;
  if (limit == 0) return events;
  auto done = reader->newest_first(static_cast<std::int64_t>(filter.before),
                                   static_cast<std::int64_t>(filter.after),
                                   [&](const index::AuditRow& row) {
                                     if (matches(filter, row)) events.push_back(to_event(row));
                                     return events.size() < limit;
                                   });
  if (!done) return std::unexpected(done.error());
  return events;
}

Result<AuditVerdict> AuditLog::verify() {
  flush();
  auto reader = index::AuditReader::open(database_.path());
  if (!reader) return std::unexpected(reader.error());
  AuditVerdict verdict;
  std::string previous;
  std::int64_t expected = 1;
  auto head = reader->in_order([&](const index::AuditRow& row) {
    if (row.sequence != expected) {
      verdict.first_bad = static_cast<std::uint64_t>(expected);
      verdict.reason = fmt::format("event {} is missing", expected);
      return false;
    }
    if (chain(previous, row) != row.hash) {
      verdict.first_bad = static_cast<std::uint64_t>(row.sequence);
      verdict.reason = fmt::format("event {} was changed, or one before it was replaced", expected);
      return false;
    }
    previous = row.hash;
    ++expected;
    ++verdict.events;
    return true;
  });
  if (!head) return std::unexpected(head.error());
  verdict.head = to_hex(as_bytes(previous));
  if (verdict.ok() && (head->sequence != expected - 1 || head->hash != previous)) {
    verdict.first_bad = static_cast<std::uint64_t>(expected);
    verdict.reason =
        fmt::format("the log ends at event {}, but {} were written", expected - 1, head->sequence);
  }
  return verdict;
}

}  // namespace holdfast::control
