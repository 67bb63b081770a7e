// AuditSink: where the gateway tells who did what. The control module's audit log adapts it; the
// S3 service always records denials and, by level, writes and reads. Implementations are
// thread-safe and must not block: they queue or drop with a count.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace holdfast::gateway {

enum class AuditOutcome : std::uint8_t { allowed, denied, failed };

// One judged request. Strings are as the client sent them (bounded by the listener), so a sink
// escapes them; `reason` is for the audit only and never reaches the client.
struct AuditEvent {
  TimePoint time{};
  std::string request_id;
  std::string principal;  // empty: not authenticated
  std::string access_key;
  std::string operation;  // "GetObject"
  std::string bucket;
  std::string path;  // object key or listing prefix, decoded
  std::string peer;  // address of the connection
  AuditOutcome outcome = AuditOutcome::denied;
  unsigned status = 0;
  std::string reason;
};

class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual void record(AuditEvent event) = 0;
};

}  // namespace holdfast::gateway
