#include "gateway/s3_preflight.h"

#include <utility>

#include "gateway/s3_handlers.h"

namespace holdfast::gateway {

boost::asio::awaitable<std::optional<CorsRule>> allowing_rule(S3Call& call,
                                                              const CorsQuestion& question) {
  const auto& origins = call.backend.options.console_origins;
  if (!origins.empty()) {
    const std::vector<CorsRule> console{console_rule(origins)};
    if (const CorsRule* rule = find_rule(console, question)) co_return *rule;
  }
  if (call.bucket().empty()) co_return std::nullopt;
  auto text = co_await call.store().bucket_document(call.bucket(), store::BucketDocument::cors);
  if (!text) co_return std::nullopt;
  const auto rules = parse_cors(*text);
  if (!rules) co_return std::nullopt;
  const CorsRule* rule = find_rule(*rules, question);
  co_return rule == nullptr ? std::nullopt : std::optional(*rule);
}

S3Answer preflight(S3Call& call) {
  const auto question = cors_question(call.request());
  if (!question || question->method.empty()) {
    co_return s3::refuse(s3::ApiError::invalid_request,
                         "Insufficient information. Origin and Access-Control-Request-Method "
                         "request headers are needed.");
  }
  const auto rule = co_await allowing_rule(call, *question);
  if (!rule) {
    // The same for a bucket without rules and for one that does not exist.
    co_return s3::refuse(s3::ApiError::access_denied,
                         "CORSResponse: This CORS request is not allowed.");
  }
  S3Reply reply = empty_reply(200);
  add_preflight_headers(reply.head.headers, *rule, *question);
  co_return reply;
}

}  // namespace holdfast::gateway
