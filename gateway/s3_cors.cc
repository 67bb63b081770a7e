#include "gateway/s3_cors.h"

#include <algorithm>
#include <array>
#include <utility>

#include "s3/headers.h"
#include "s3/names.h"
#include "s3/xml.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::array<std::string_view, 5> known_methods = {"GET", "PUT", "POST", "DELETE", "HEAD"};

// At most one '*', which stands for any run of characters.
bool matches(std::string_view pattern, std::string_view text) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return s3::equal_ascii_case(pattern, text);
  const std::string_view head = pattern.substr(0, star);
  const std::string_view tail = pattern.substr(star + 1);
  return text.size() >= head.size() + tail.size() &&
         s3::equal_ascii_case(text.substr(0, head.size()), head) &&
         s3::equal_ascii_case(text.substr(text.size() - tail.size()), tail);
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns, [&](const auto& pattern) { return matches(pattern, text); });
}

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

s3::ApiResult<CorsRule> parse_rule(const s3::XmlNode& node) {
  CorsRule rule;
  for (const s3::XmlNode& child : node.children) {
    if (!s3::safe_header_value(child.text)) return s3::refuse(ApiError::malformed_xml);
    if (child.name == "AllowedOrigin") rule.origins.push_back(child.text);
    if (child.name == "AllowedMethod") rule.methods.push_back(child.text);
    if (child.name == "AllowedHeader") rule.headers.push_back(child.text);
    if (child.name == "ExposeHeader") rule.expose.push_back(child.text);
    if (child.name == "MaxAgeSeconds") {
      const auto seconds = s3::parse_u64(child.text);
      if (!seconds || *seconds > 604'800) return s3::refuse(ApiError::malformed_xml);
      rule.max_age_seconds = static_cast<std::uint32_t>(*seconds);
    }
  }
  if (rule.origins.empty() || rule.methods.empty()) return s3::refuse(ApiError::malformed_xml);
  for (const std::string& method : rule.methods) {
    if (std::ranges::find(known_methods, method) == known_methods.end()) {
      return s3::refuse(ApiError::invalid_request, "Found unsupported HTTP method in CORS config.");
    }
  }
  for (const auto* patterns : {&rule.origins, &rule.headers}) {
    for (const std::string& pattern : *patterns) {
      if (std::ranges::count(pattern, '*') > 1) {
        return s3::refuse(ApiError::invalid_request,
                          "A CORS pattern can not have more than one wildcard.");
      }
    }
  }
  return rule;
}

}  // namespace

s3::ApiResult<std::vector<CorsRule>> parse_cors(std::string_view xml) {
  auto root = s3::read_xml(xml, "CORSConfiguration");
  if (!root) return std::unexpected(std::move(root.error()));
  std::vector<CorsRule> rules;
  for (const s3::XmlNode& node : root->children) {
    if (node.name != "CORSRule") continue;
    auto rule = parse_rule(node);
    if (!rule) return std::unexpected(std::move(rule.error()));
    rules.push_back(std::move(*rule));
  }
  if (rules.empty() || rules.size() > 100) return s3::refuse(ApiError::malformed_xml);
  return rules;
}

CorsRule console_rule(std::vector<std::string> origins) {
  CorsRule rule;
  rule.origins = std::move(origins);
  rule.methods.assign(known_methods.begin(), known_methods.end());
  rule.headers = {"*"};
  rule.expose = {"ETag",
                 "Location",
                 "Content-Range",
                 "Content-Length",
                 "Last-Modified",
                 "x-amz-request-id",
                 "x-amz-version-id",
                 "x-amz-delete-marker",
                 "x-amz-checksum-crc32",
                 "x-amz-checksum-crc32c",
                 "x-amz-checksum-crc64nvme",
                 "x-amz-checksum-sha1",
                 "x-amz-checksum-sha256",
                 "x-amz-meta-mtime"};
  rule.max_age_seconds = 600;
  return rule;
}

std::optional<CorsQuestion> cors_question(const net::RequestHead& request) {
  if (!request.headers.has("origin")) return std::nullopt;
  CorsQuestion question;
  question.origin = request.headers.get("origin");
  question.method = request.method;
  // Browsers put it into preflights only; whoever else says what they would do is answered that.
  const bool asks = request.headers.has("access-control-request-method");
  if (request.method != "OPTIONS" && !asks) return question;
  question.method = request.headers.get("access-control-request-method");
  std::string_view names = request.headers.get("access-control-request-headers");
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    const std::string_view name = s3::trim_spaces(names.substr(0, comma));
    if (!name.empty()) question.headers.push_back(name);
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return question;
}

const CorsRule* find_rule(const std::vector<CorsRule>& rules, const CorsQuestion& question) {
  for (const CorsRule& rule : rules) {
    if (!matches_any(rule.origins, question.origin)) continue;
    if (std::ranges::find(rule.methods, question.method) == rule.methods.end()) continue;
    const bool headers_fit = std::ranges::all_of(
        question.headers, [&](std::string_view name) { return matches_any(rule.headers, name); });
    if (headers_fit) return &rule;
  }
  return nullptr;
}

void add_cors_headers(net::Headers& headers, const CorsRule& rule, const CorsQuestion& question) {
  const bool anyone = std::ranges::find(rule.origins, "*") != rule.origins.end();
  headers.add("Access-Control-Allow-Origin", anyone ? std::string_view("*") : question.origin);
  headers.add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  headers.add("Access-Control-Allow-Methods", join(rule.methods));
  if (!rule.expose.empty()) headers.add("Access-Control-Expose-Headers", join(rule.expose));
}

void add_preflight_headers(net::Headers& headers, const CorsRule& rule,
                           const CorsQuestion& question) {
  add_cors_headers(headers, rule, question);
  std::string asked;
  for (std::string_view name : question.headers) {
    asked.append(asked.empty() ? "" : ", ").append(name);
  }
  if (!asked.empty()) headers.add("Access-Control-Allow-Headers", asked);
  if (rule.max_age_seconds) {
    headers.add("Access-Control-Max-Age", std::to_string(*rule.max_age_seconds));
  }
}

}  // namespace holdfast::gateway
