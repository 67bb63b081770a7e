#include "s3/sigv4.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"

namespace holdfast::s3 {
namespace {

std::string_view view(const SigningKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

// Trimmed, with runs of spaces folded into one (SigV4 "Trimall").
void append_folded(std::string& out, std::string_view value) {
  value = trim_spaces(value);
  if (!value.contains('\t') && !value.contains("  ")) {
    out += value;
    return;
  }
  bool blank = false;
  for (const char c : value) {
    const bool is_blank = c == ' ' || c == '\t';
    if (is_blank && blank) continue;
    out += is_blank ? ' ' : c;
    blank = is_blank;
  }
}

void append_canonical_header(std::string& out, std::span<const HeaderView> headers,
                             std::string_view name) {
  out += name;
  out += ':';
  bool first = true;
  for (const HeaderView& header : headers) {
    if (header.name.size() != name.size() || !equal_ascii_case(header.name, name)) continue;
    if (!first) out += ',';
    first = false;
    append_folded(out, header.value);
  }
  out += '\n';
}

void append_canonical_query(std::string& out, const QueryParameters& query) {
  if (query.empty()) return;
  std::vector<std::pair<std::string, std::string>> encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) encoded.emplace_back(uri_encode(name), uri_encode(value));
  std::ranges::sort(encoded);
  bool first = true;
  for (const auto& [name, value] : encoded) {
    if (!first) out += '&';
    first = false;
    out += name;
    out += '=';
    out += value;
  }
}

void append_joined(std::string& out, std::span<const std::string> names) {
  const std::size_t begin = out.size();
  for (const std::string& name : names) {
    if (out.size() != begin) out += ';';
    out += name;
  }
}

std::string join(std::span<const std::string> names) {
  std::string out;
  append_joined(out, names);
  return out;
}

std::vector<std::string> header_names(std::span<const HeaderView> headers) {
  std::vector<std::string> names;
  names.reserve(headers.size());
  for (const HeaderView& header : headers) names.push_back(ascii_lower(header.name));
  std::ranges::sort(names);
  const auto tail = std::ranges::unique(names);
  names.erase(tail.begin(), tail.end());
  return names;
}

SigningKey key_for(const Credentials& credentials, const Scope& scope, SigningKeyCache* cache) {
  return cache ? cache->get(credentials.secret_key, scope)
               : derive_signing_key(credentials.secret_key, scope);
}

}  // namespace

std::optional<PayloadMode> payload_mode(std::string_view content_sha256) {
  if (content_sha256.size() == 64) {
    bool hex = true;  // without an early end: the compiler looks at many at a time
    for (const char c : content_sha256) {
      hex &= (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
    }
    return hex ? std::optional(PayloadMode::hashed) : std::nullopt;
  }
  if (content_sha256 == unsigned_payload) return PayloadMode::unsigned_payload;
  if (content_sha256 == streaming_payload) return PayloadMode::streaming_signed;
  if (content_sha256 == streaming_payload_trailer) return PayloadMode::streaming_signed_trailer;
  if (content_sha256 == streaming_unsigned_trailer) return PayloadMode::streaming_unsigned_trailer;
  return std::nullopt;
}

std::string Scope::text() const {
  std::string out;
  out.reserve(date.size() + region.size() + service.size() + 15);
  out.append(date).append(1, '/').append(region).append(1, '/').append(service);
  out.append("/aws4_request");
  return out;
}

SigningKey derive_signing_key(std::string_view secret, const Scope& scope) {
  std::string start = "AWS4";
  start += secret;
  SigningKey key = hmac_sha256(as_bytes(start), scope.date);
  key = hmac_sha256(key, scope.region);
  key = hmac_sha256(key, scope.service);
  return hmac_sha256(key, "aws4_request");
}

const SigningKey& SigningKeyCache::get(std::string_view secret, const Scope& scope) {
  std::string name;
  name.reserve(secret.size() + 40);
  for (const std::string_view part :
       {secret, std::string_view(scope.date), std::string_view(scope.region),
        std::string_view(scope.service)}) {
    name += part;
    name += '\0';
  }
  if (const auto found = keys_.find(name); found != keys_.end()) return found->second;
  // Scopes change once a day: what is old goes all at once.
  if (keys_.size() >= capacity_) keys_.clear();
  return keys_.emplace(std::move(name), derive_signing_key(secret, scope)).first->second;
}

std::string canonical_request(const SigningRequest& request, const QueryParameters& query,
                              std::span<const std::string> signed_headers,
                              std::string_view payload_hash) {
  std::string out;
  out.reserve(1024);
  out += request.method;
  out += '\n';
  if (request.path.empty()) out += '/';
  if (request.path.contains('%')) {
    const auto path = percent_decode(request.path);
    append_uri_encoded(out, path ? std::string_view(*path) : request.path, Slash::keep);
  } else {
    append_uri_encoded(out, request.path, Slash::keep);
  }
  out += '\n';
  append_canonical_query(out, query);
  out += '\n';
  for (const std::string& name : signed_headers) {
    append_canonical_header(out, request.headers, name);
  }
  out += '\n';
  append_joined(out, signed_headers);
  out += '\n';
  out += payload_hash;
  return out;
}

std::string string_to_sign(std::string_view amz_date, std::string_view scope,
                           std::string_view canonical) {
  std::string out;
  out.reserve(160);
  out.append("AWS4-HMAC-SHA256\n").append(amz_date).append(1, '\n').append(scope);
  out.append(1, '\n').append(sha256_hex(canonical));
  return out;
}

std::string sign_hex(const SigningKey& key, std::string_view text) {
  return to_hex(hmac_sha256(as_bytes(view(key)), text));
}

SignedHeaders sign_headers(const SigningRequest& request, const Credentials& credentials,
                           const SignOptions& options) {
  SignedHeaders out;
  out.amz_date = to_amz_date(options.now);
  const Scope scope{out.amz_date.substr(0, 8), options.region, options.service};
  out.scope = scope.text();
  out.headers.emplace_back("x-amz-date", out.amz_date);
  out.headers.emplace_back("x-amz-content-sha256", options.payload_hash);
  if (!credentials.session_token.empty()) {
    out.headers.emplace_back("x-amz-security-token", credentials.session_token);
  }
  std::vector<HeaderView> headers(request.headers.begin(), request.headers.end());
  for (const auto& [name, value] : out.headers) headers.push_back({name, value});

  const SigningRequest whole{request.method, request.path, request.query, headers};
  const auto names = header_names(headers);
  const auto query = parse_query(request.query).value_or(QueryParameters{});
  const auto canonical = canonical_request(whole, query, names, options.payload_hash);
  out.key = key_for(credentials, scope, options.cache);
  out.signature = sign_hex(out.key, string_to_sign(out.amz_date, out.scope, canonical));
  out.headers.emplace_back(
      "authorization",
      fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                  credentials.access_key, out.scope, join(names), out.signature));
  return out;
}

std::string presign_query(const SigningRequest& request, const Credentials& credentials,
                          const SignOptions& options, std::chrono::seconds expires) {
  const std::string amz_date = to_amz_date(options.now);
  const Scope scope{amz_date.substr(0, 8), options.region, options.service};
  const auto names = header_names(request.headers);
  auto query = parse_query(request.query).value_or(QueryParameters{});
  query.emplace_back("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
  query.emplace_back("X-Amz-Credential", credentials.access_key + "/" + scope.text());
  query.emplace_back("X-Amz-Date", amz_date);
  query.emplace_back("X-Amz-Expires", std::to_string(expires.count()));
  if (!credentials.session_token.empty()) {
    query.emplace_back("X-Amz-Security-Token", credentials.session_token);
  }
  query.emplace_back("X-Amz-SignedHeaders", join(names));
  const auto canonical = canonical_request(request, query, names, options.payload_hash);
  const auto key = key_for(credentials, scope, options.cache);
  query.emplace_back("X-Amz-Signature",
                     sign_hex(key, string_to_sign(amz_date, scope.text(), canonical)));
  return encode_query(query);
}

}  // namespace holdfast::s3
