// Cross-origin rules of buckets (AWS S3 API, PutBucketCors; Fetch standard, CORS protocol).
// Credentials are never allowed: requests are signed, cookies mean nothing on this origin. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_message.h"
#include "s3/error.h"

namespace holdfast::gateway {

struct CorsRule {
  std::vector<std::string> origins;  // with at most one '*'
  std::vector<std::string> methods;
  std::vector<std::string> headers;  // allowed request headers, with at most one '*'
  std::vector<std::string> expose;
  std::optional<std::uint32_t> max_age_seconds;
};

// The document of PutBucketCors: MalformedXML; at most 100 rules.
s3::ApiResult<std::vector<CorsRule>> parse_cors(std::string_view xml);

// What the browser of `origins` (the console) may do in every bucket: the S3 methods, any header,
// and the response headers that uploads need.
CorsRule console_rule(std::vector<std::string> origins);

struct CorsQuestion {
  std::string_view origin, method;
  std::vector<std::string_view> headers;  // of Access-Control-Request-Headers
};

// Reads the question from a preflight or an actual request; nullopt where it is not cross-origin.
std::optional<CorsQuestion> cors_question(const net::RequestHead& request);

// The first rule that allows it.
const CorsRule* find_rule(const std::vector<CorsRule>& rules, const CorsQuestion& question);

// Adds the Access-Control-* headers of an answer under `rule`: origin, methods, what is exposed.
void add_cors_headers(net::Headers& headers, const CorsRule& rule, const CorsQuestion& question);
// Those of a preflight's answer besides.
void add_preflight_headers(net::Headers& headers, const CorsRule& rule,
                           const CorsQuestion& question);

}  // namespace holdfast::gateway
