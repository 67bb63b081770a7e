#include "cli/audit_adapter.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/log.h"

namespace holdfast::cli {
namespace {

std::string_view outcome_word(gateway::AuditOutcome outcome) {
  switch (outcome) {
    case gateway::AuditOutcome::allowed:
      return "ok";
    case gateway::AuditOutcome::denied:
      return "denied";
    case gateway::AuditOutcome::failed:
      return "failed";
  }
  return "failed";
}

}  // namespace

void AuditAdapter::record(gateway::AuditEvent event) {
  const boost::json::object detail{{"status", event.status},
                                   {"key", log_field(event.access_key, 40)},
                                   {"reason", log_field(event.reason, 300)}};
  log_.record({.time = event.time,
               .actor = PrincipalName(event.principal),
               .action = event.outcome == gateway::AuditOutcome::denied ? "s3.denied"
                                                                        : "s3." + event.operation,
               .target = fmt::format("{}/{}", event.bucket, log_field(event.path, 1024)),
               .outcome = std::string(outcome_word(event.outcome)),
               .request_id = event.request_id,
               .source = event.peer,
               .detail = boost::json::serialize(detail)});
}

}  // namespace holdfast::cli
