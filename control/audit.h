// AuditLog: the append-only, hash-chained table of events. Each row's hash is
// SHA-256(previous hash || canonical row), so a changed, removed or reordered row breaks the chain.
// Control events commit in the transaction of their change (control/registry.h); data events
// (denials, sign-ins, an administrator's data access) go through record(), which never waits.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"

namespace holdfast::index {
class RegistryDatabase;
struct AuditRow;
}  // namespace holdfast::index

namespace holdfast::control {

struct AuditEvent {
  std::uint64_t sequence = 0;  // given by the log
  TimePoint time{};            // given by the log where unset
  PrincipalName actor;
  PrincipalName on_behalf_of;
  std::string action;          // "grant.add", "s3.denied", "session.create", "tool.start" …
  std::string target;          // "research/public/", "jupyter-alice", a key id …
  std::string outcome = "ok";  // "ok", "denied", "failed"
  std::int64_t grant = 0;      // that allowed it; 0: none
  std::string request_id;
  std::string source;  // IP address or "admin-socket"
  std::string detail;  // a JSON object or empty; at most 4 KiB, every field is bounded
};

struct AuditFilter {  // empty members match all
  PrincipalName actor;
  std::string action;        // exact, or a prefix that ends in '.': "grant."
  std::uint64_t before = 0;  // only sequences below; 0: from the newest
  std::uint64_t after = 0;   // only sequences above: for following the log
};

struct AuditVerdict {
  std::uint64_t events = 0;                // that were checked
  std::optional<std::uint64_t> first_bad;  // sequence of the first row that does not fit
  std::string reason;                      // a sentence, where first_bad is set
  std::string head;  // hex of the last hash: note it elsewhere to prove that none is gone
  bool ok() const { return !first_bad.has_value(); }
};

class AuditLog {
 public:
  static constexpr std::size_t queue_limit = 16'384;

  AuditLog(index::RegistryDatabase& database, const Clock& clock);
  ~AuditLog();  // writes what is queued
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Queues a data event; written within about 200 ms, in batches. A full queue drops the event and
  // counts it; the count itself becomes an event ("audit.dropped") as soon as there is room.
  void record(AuditEvent event);
  // Waits until everything recorded before is on disk. Blocks.
  void flush();

  // Newest `limit` events that match, newest first. Blocks; flushes first.
  Result<std::vector<AuditEvent>> tail(std::size_t limit, const AuditFilter& filter);
  // Walks the whole chain. Blocks; does not hold up writers.
  Result<AuditVerdict> verify();

  // For the registry: appends within the open transaction.
  Result<void> append_within_transaction(std::vector<AuditEvent> events);

 private:
  void run();
  Result<void> write_batch(std::vector<AuditEvent> batch, std::uint64_t dropped);

  index::RegistryDatabase& database_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::deque<AuditEvent> queue_;
  std::uint64_t dropped_ = 0;
  std::uint64_t accepted_ = 0, done_ = 0;
  bool urgent_ = false, stopping_ = false;
  std::thread writer_;
};

}  // namespace holdfast::control
