// Carries the S3 listener's judgements into the control module's audit chain.
#pragma once

#include "control/audit.h"
#include "gateway/audit_sink.h"

namespace holdfast::cli {

class AuditAdapter final : public gateway::AuditSink {
 public:
  explicit AuditAdapter(control::AuditLog& log) : log_(log) {}
  void record(gateway::AuditEvent event) override;

 private:
  control::AuditLog& log_;
};

}  // namespace holdfast::cli
