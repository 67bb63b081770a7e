#include "cli/audit_adapter.h"

#include <array>
#include <boost/json/monotonic_resource.hpp>
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
  // One event a request: its small object takes no memory from the heap.
  std::array<unsigned char, 1024> room;
  boost::json::monotonic_resource resource(room.data(), room.size());
  const boost::json::object detail({{"status", event.status},
                                    {"key", log_field(event.access_key, 40)},
                                    {"reason", log_field(event.reason, 300)}},
                                   &resource);
  log_.record({.time = event.time,
               .actor = PrincipalName(std::move(event.principal)),
               .action = event.outcome == gateway::AuditOutcome::denied ? "s3.denied"
                                                                        : "s3." + event.operation,
               .target = fmt::format("{}/{}", event.bucket, log_field(event.path, 1024)),
               .outcome = std::string(outcome_word(event.outcome)),
               .request_id = std::move(event.request_id),
               .source = std::move(event.peer),
               .detail = boost::json::serialize(detail)});
}

}  // namespace holdfast::cli
