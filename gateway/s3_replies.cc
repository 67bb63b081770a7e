// What S3Service says at the end of a request: the answer, its counters and its audit events.
#include <array>
#include <memory>
#include <span>
#include <utility>

#include "gateway/s3_authorization.h"
#include "gateway/s3_preflight.h"
#include "gateway/s3_service.h"

namespace holdfast::gateway {
namespace {

// Answers smaller than this are on their way before a policy could change.
constexpr std::uint64_t watched_bytes = 1u << 20;

}  // namespace

boost::asio::awaitable<void> S3Service::add_cors(S3Call& call, net::Headers& headers) {
  if (call.operation == Operation::preflight) co_return;
  const auto question = cors_question(call.request());
  if (!question) co_return;
  if (const auto rule = co_await allowing_rule(call, *question)) {
    add_cors_headers(headers, *rule, *question);
  }
}

boost::asio::awaitable<void> S3Service::send(S3Call& call, S3Reply reply) {
  reply.head.headers.add("x-amz-request-id", call.request_id);
  if (call.has_header("origin")) co_await add_cors(call, reply.head.headers);
  const unsigned status = reply.head.status;
  count(call, status);
  audit(call, status);
  if (auto* text = std::get_if<std::string>(&reply.body); text != nullptr && !reply.length) {
    counters_.bytes_out.fetch_add(text->size(), std::memory_order_relaxed);
    (void)co_await call.exchange.respond(std::move(reply.head), std::move(*text));
    co_return;
  }
  // A stream without an end watches over itself.
  const bool head_only = call.operation == Operation::head_object;
  const std::uint64_t bytes = head_only ? 0 : reply.length.value_or(0);
  if (reply.length) counters_.bytes_out.fetch_add(bytes, std::memory_order_relaxed);
  // A revoked grant cuts the connection, which the client sees as a short body.
  if (bytes >= watched_bytes) {
    call.exchange.guard(
        {[judge = std::make_shared<Rejudge>(call, call.needs)] { return judge->still_allowed(); },
         options_.rejudge_after});
  }
  (void)co_await call.exchange.respond(std::move(reply.head), std::move(reply.body), reply.length);
}

boost::asio::awaitable<void> S3Service::send_failure(S3Call& call, const s3::ApiFailure& failure) {
  const s3::ApiErrorInfo& info = s3::describe(failure.error);
  S3Reply reply = empty_reply(info.status);
  net::Headers& headers = reply.head.headers;
  headers.add("x-amz-request-id", call.request_id);
  if (!call.target.bucket.empty()) headers.add("x-amz-bucket-region", options_.hosts.region);
  for (const auto& [name, value] : call.failure_headers.items()) headers.add(name, value);
  if (call.has_header("origin") && !call.target.bucket.empty()) co_await add_cors(call, headers);
  if (info.status == 503) headers.add("Retry-After", "1");
  count(call, info.status);
  audit(call, info.status);
  if (info.status == 304 || call.request().method == "HEAD") {
    (void)co_await call.exchange.respond(std::move(reply.head), std::string());
    co_return;
  }
  headers.add("Content-Type", "application/xml");
  const std::array<std::pair<std::string_view, std::string_view>, 2> extras = {{
      {"BucketName", call.bucket().value},
      {"Key", call.key().value},
  }};
  const std::size_t used = call.bucket().empty() ? 0 : call.key().empty() ? 1 : 2;
  std::string document =
      s3::error_xml(failure.error, failure.message.empty() ? info.message : failure.message,
                    call.request().path(), call.request_id, std::span(extras).first(used));
  (void)co_await call.exchange.respond(std::move(reply.head), std::move(document));
}

void S3Service::count(const S3Call& call, unsigned status) {
  const auto place = static_cast<std::size_t>(call.operation);
  counters_.requests[place].fetch_add(1, std::memory_order_relaxed);
  if (status >= 400) counters_.errors[place].fetch_add(1, std::memory_order_relaxed);
}

// Someone without a valid signature: nobody to name, but where it came from and what it wanted.
void S3Service::refuse_stranger(const S3Call& call, const s3::ApiFailure& failure) {
  counters_.unauthenticated.fetch_add(1, std::memory_order_relaxed);
  AuditEvent event;
  event.time = clock_.now();
  event.request_id = call.request_id;
  event.operation = to_string(call.operation);
  event.bucket = call.bucket().value;
  event.path = call.key().value;
  event.peer = call.exchange.peer().address().to_string();
  event.outcome = AuditOutcome::denied;
  event.status = s3::describe(failure.error).status;
  event.reason = s3::describe(failure.error).code;
  audit_.record(std::move(event));
}

// Denials were recorded where they were judged, with their reason.
void S3Service::audit(const S3Call& call, unsigned status) {
  if (options_.audit == AuditLevel::denials || call.identity.policy == nullptr) return;
  if (options_.audit == AuditLevel::writes && !writes(call.operation)) return;
  if (status == 403) return;
  AuditEvent event;
  event.time = clock_.now();
  event.request_id = call.request_id;
  event.principal = call.identity.principal.value;
  event.access_key = call.identity.key_id.value;
  event.operation = to_string(call.operation);
  event.bucket = call.bucket().value;
  event.path = call.key().value;
  event.peer = call.exchange.peer().address().to_string();
  event.outcome = status < 400 ? AuditOutcome::allowed : AuditOutcome::failed;
  event.status = status;
  audit_.record(std::move(event));
}

}  // namespace holdfast::gateway
