#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "s3/headers.h"
#include "s3/sigv4.h"

namespace holdfast::s3 {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds max_presign = 7 * 24h;
constexpr std::size_t max_signed_headers = 100;

struct Found {
  std::string_view value;
  std::size_t times = 0;
};

// Names are compared in many pairs: nearly all differ in their length.
bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && equal_ascii_case(a, b);
}

Found find_header(const SigningRequest& request, std::string_view name) {
  Found found;
  for (const HeaderView& header : request.headers) {
    if (!same_name(header.name, name)) continue;
    if (found.times++ == 0) found.value = trim_spaces(header.value);
  }
  return found;
}

std::size_t count_query(const QueryParameters& query, std::string_view name) {
  return static_cast<std::size_t>(
      std::ranges::count_if(query, [&](const auto& pair) { return same_name(pair.first, name); }));
}

bool has_v4_query(const QueryParameters& query) {
  if (query.empty()) return false;
  return count_query(query, "X-Amz-Algorithm") + count_query(query, "X-Amz-Credential") +
             count_query(query, "X-Amz-Signature") + count_query(query, "X-Amz-SignedHeaders") +
             count_query(query, "X-Amz-Expires") >
         0;
}

bool has_v2_query(const QueryParameters& query) {
  return find_query(query, "AWSAccessKeyId") || find_query(query, "Signature");
}

std::unexpected<ApiFailure> malformed(AuthKind kind, std::string message) {
  return refuse(kind == AuthKind::header ? ApiError::authorization_header_malformed
                                         : ApiError::authorization_query_parameters_error,
                std::move(message));
}

bool is_hex_signature(std::string_view text) {
  bool hex = text.size() == 64;
  for (const char c : text) hex &= (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  return hex;
}

// Lower case, strictly ascending, no odd characters: one way to write one set of headers.
std::optional<std::vector<std::string>> parse_signed_headers(std::string_view text) {
  std::vector<std::string> names;
  names.reserve(8);
  while (true) {
    const auto end = std::min(text.find(';'), text.size());
    std::string name(text.substr(0, end));
    const bool good = !name.empty() && std::ranges::all_of(name, [](char c) {
      return c > ' ' && c < 127 && c != ':' && c != ',' && !(c >= 'A' && c <= 'Z');
    });
    if (!good || (!names.empty() && names.back() >= name)) return std::nullopt;
    names.push_back(std::move(name));
    if (names.size() > max_signed_headers) return std::nullopt;
    if (end == text.size()) return names;
    text.remove_prefix(end + 1);
  }
}

ApiResult<void> take_identity(ParsedAuthorization& out, std::string_view credential,
                              std::string_view signed_headers, std::string_view signature) {
  auto scoped = parse_credential(credential);
  if (!scoped) {
    return malformed(out.kind,
                     "the Credential is malformed; expecting "
                     "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
  }
  out.access_key = std::move(scoped->access_key);
  out.scope = std::move(scoped->scope);
  auto names = parse_signed_headers(signed_headers);
  if (!names) return malformed(out.kind, "SignedHeaders must be lower case, sorted and unique.");
  out.signed_headers = std::move(*names);
  if (!is_hex_signature(signature)) return malformed(out.kind, "The Signature is malformed.");
  out.signature = signature;
  return {};
}

ApiResult<void> take_time(ParsedAuthorization& out) {
  const auto time = from_amz_date(out.amz_date);
  if (!time) {
    if (out.kind == AuthKind::presigned) {
      return malformed(out.kind, "X-Amz-Date must be in the ISO8601 long format.");
    }
    return refuse(ApiError::access_denied,
                  "AWS authentication requires a valid Date or x-amz-date header");
  }
  out.timestamp = *time;
  return {};
}

struct HeaderFields {
  std::string_view credential, signed_headers, signature;
};

// The comma-separated NAME=VALUE list behind the scheme; each exactly once.
std::optional<HeaderFields> split_authorization(std::string_view text) {
  HeaderFields out;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    const std::string_view field = trim_spaces(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = field.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = field.substr(0, equals), value = field.substr(equals + 1);
    std::string_view* slot = name == "Credential"      ? &out.credential
                             : name == "SignedHeaders" ? &out.signed_headers
                             : name == "Signature"     ? &out.signature
                                                       : nullptr;
    if (!slot || !slot->empty() || value.empty()) return std::nullopt;
    *slot = value;
  }
  if (out.credential.empty() || out.signed_headers.empty() || out.signature.empty()) {
    return std::nullopt;
  }
  return out;
}

ApiResult<void> parse_header_kind(ParsedAuthorization& out, const SigningRequest& request,
                                  std::string_view authorization, std::string_view body_hash) {
  constexpr std::string_view scheme = "AWS4-HMAC-SHA256";
  if (!authorization.starts_with(scheme)) {
    return refuse(ApiError::invalid_request,
                  "The authorization mechanism you have provided is not "
                  "supported. Please use AWS4-HMAC-SHA256.");
  }
  const auto fields = split_authorization(trim_spaces(authorization.substr(scheme.size())));
  if (!fields) {
    return malformed(out.kind,
                     "The authorization header must hold Credential, SignedHeaders and "
                     "Signature, each once.");
  }
  if (auto done = take_identity(out, fields->credential, fields->signed_headers, fields->signature);
      !done) {
    return done;
  }
  const Found amz_date = find_header(request, "x-amz-date");
  const Found date = find_header(request, "date");
  if (amz_date.times > 1 || (amz_date.times == 0 && date.times > 1)) {
    return refuse(ApiError::access_denied, "the request holds more than one date");
  }
  if (amz_date.times == 1) {
    out.amz_date = amz_date.value;
  } else if (const auto time = from_http_date(date.value)) {
    out.amz_date = to_amz_date(*time);
  } else {
    out.amz_date = date.value;
  }
  if (auto done = take_time(out); !done) return done;
  if (out.payload_hash.empty()) out.payload_hash = body_hash;
  if (out.payload_hash.empty()) {
    return refuse(ApiError::invalid_request,
                  "Missing required header for this request: x-amz-content-sha256");
  }
  return {};
}

ApiResult<void> parse_query_kind(ParsedAuthorization& out) {
  std::string_view values[6];
  constexpr std::string_view names[6] = {"X-Amz-Algorithm",     "X-Amz-Credential",
                                         "X-Amz-Date",          "X-Amz-Expires",
                                         "X-Amz-SignedHeaders", "X-Amz-Signature"};
  for (std::size_t i = 0; i < 6; ++i) {
    const std::string* value = find_query(out.query, names[i]);
    if (!value || count_query(out.query, names[i]) != 1) {
      return malformed(out.kind,
                       "Query-string authentication version 4 requires the X-Amz-Algorithm, "
                       "X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
                       "X-Amz-Expires parameters, each once.");
    }
    values[i] = *value;
  }
  if (values[0] != "AWS4-HMAC-SHA256") {
    return malformed(out.kind, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
  }
  if (auto done = take_identity(out, values[1], values[4], values[5]); !done) return done;
  out.amz_date = values[2];
  const auto expires = parse_u64(values[3]);
  if (!expires) return malformed(out.kind, "X-Amz-Expires should be a number");
  if (*expires == 0 || *expires > static_cast<std::uint64_t>(max_presign.count())) {
    return malformed(out.kind, "X-Amz-Expires must be between 1 and 604800 seconds (7 days)");
  }
  out.expires = std::chrono::seconds(*expires);
  if (auto done = take_time(out); !done) return done;
  std::erase_if(out.query, [](const auto& pair) { return pair.first == "X-Amz-Signature"; });
  return {};
}

// The declared payload hash, from the header or (presigned) the query, where both must agree.
ApiResult<void> take_payload_hash(ParsedAuthorization& out, const SigningRequest& request) {
  const Found header = find_header(request, "x-amz-content-sha256");
  if (header.times > 1) return refuse(ApiError::invalid_request, "x-amz-content-sha256 is doubled");
  out.payload_hash = header.value;
  if (out.kind != AuthKind::presigned) return {};
  if (const std::string* value = find_query(out.query, "X-Amz-Content-Sha256")) {
    if (header.times == 1 && header.value != *value) {
      return refuse(ApiError::invalid_request, "x-amz-content-sha256 differs in header and query");
    }
    out.payload_hash = *value;
  }
  return {};
}

ApiResult<void> judge_payload(ParsedAuthorization& out) {
  if (out.payload_hash.empty()) out.payload_hash = unsigned_payload;
  const auto mode = payload_mode(out.payload_hash);
  if (!mode) {
    return refuse(ApiError::invalid_argument,
                  "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING-… value, or a valid "
                  "sha256 value.");
  }
  out.payload = *mode;
  const bool signed_chunks =
      *mode == PayloadMode::streaming_signed || *mode == PayloadMode::streaming_signed_trailer;
  if (signed_chunks && out.kind != AuthKind::header) {
    return refuse(ApiError::invalid_request,
                  "Signed chunks need a signature in the Authorization header.");
  }
  return {};
}

ApiResult<void> take_token(ParsedAuthorization& out, const SigningRequest& request) {
  const Found header = find_header(request, "x-amz-security-token");
  const std::size_t in_query = count_query(out.query, "X-Amz-Security-Token");
  if (header.times + in_query > 1 || (in_query > 0 && out.kind != AuthKind::presigned)) {
    return refuse(ApiError::invalid_request,
                  "x-amz-security-token may be given once, where the "
                  "signature is");
  }
  out.session_token = header.value;
  if (const std::string* value = find_query(out.query, "X-Amz-Security-Token")) {
    out.session_token = *value;
  }
  return {};
}

ApiResult<void> check_scope(const ParsedAuthorization& parsed, const VerifyOptions& options) {
  const Scope& scope = parsed.scope;
  if (scope.service != options.service) {
    return malformed(parsed.kind, "the credential scope names another service");
  }
  if (!options.region.empty() && scope.region != options.region) {
    return malformed(parsed.kind, fmt::format("the region '{}' is wrong; expecting '{}'",
                                              scope.region.substr(0, 64), options.region));
  }
  if (scope.date != std::string_view(parsed.amz_date).substr(0, 8)) {
    return malformed(parsed.kind, "the date of the credential scope is not that of the request");
  }
  return {};
}

ApiResult<void> check_time(const ParsedAuthorization& parsed, const VerifyOptions& options) {
  const auto age = options.now - parsed.timestamp;
  if (parsed.kind == AuthKind::presigned) {
    if (age < -options.max_skew) return refuse(ApiError::access_denied, "Request is not valid yet");
    if (age > parsed.expires) return refuse(ApiError::request_expired);
    return {};
  }
  if (age > options.max_skew || age < -options.max_skew) {
    return refuse(ApiError::request_time_too_skewed);
  }
  return {};
}

ApiResult<void> check_signed_headers(const ParsedAuthorization& parsed,
                                     const SigningRequest& request) {
  const auto is_signed = [&](std::string_view name) {
    return std::ranges::any_of(parsed.signed_headers, [name](const std::string& signed_name) {
      return same_name(signed_name, name);
    });
  };
  if (!is_signed("host")) return refuse(ApiError::headers_not_signed, "host must be signed");
  for (const HeaderView& header : request.headers) {
    if (header.name.size() < 6 || !equal_ascii_case(header.name.substr(0, 6), "x-amz-")) continue;
    if (!is_signed(header.name)) return refuse(ApiError::headers_not_signed);
  }
  for (const std::string& name : parsed.signed_headers) {
    if (find_header(request, name).times == 0) {
      return refuse(ApiError::signature_does_not_match, "a signed header is missing");
    }
  }
  return {};
}

}  // namespace

std::optional<ScopedKey> parse_credential(std::string_view text) {
  std::string_view parts[5];
  for (std::size_t i = 0; i < 5; ++i) {
    const auto slash = text.find('/');
    if ((slash == std::string_view::npos) != (i == 4)) return std::nullopt;
    parts[i] = text.substr(0, slash);
    if (parts[i].empty() || parts[i].size() > 128) return std::nullopt;
    text.remove_prefix(i == 4 ? text.size() : slash + 1);
  }
  const bool date = parts[1].size() == 8 &&
                    std::ranges::all_of(parts[1], [](char c) { return c >= '0' && c <= '9'; });
  if (!date || parts[4] != "aws4_request") return std::nullopt;
  return ScopedKey{std::string(parts[0]),
                   {std::string(parts[1]), std::string(parts[2]), std::string(parts[3])}};
}

ApiResult<ParsedAuthorization> parse_authorization(const SigningRequest& request,
                                                   std::string_view body_hash) {
  ParsedAuthorization out;
  auto query = parse_query(request.query);
  const bool good_path = !request.path.contains('%') || percent_decode(request.path);
  if (!query || !good_path) return refuse(ApiError::invalid_uri);
  out.query = std::move(*query);
  const Found authorization = find_header(request, "authorization");
  const bool in_query = has_v4_query(out.query), old_query = has_v2_query(out.query);
  if (authorization.times + (in_query ? 1 : 0) + (old_query ? 1 : 0) > 1) {
    return refuse(ApiError::invalid_argument,
                  "Only one auth mechanism allowed; only the X-Amz-"
                  "Algorithm query parameter, Signature query string "
                  "parameter or the Authorization header should be "
                  "specified");
  }
  if (old_query) {
    return refuse(ApiError::invalid_request,
                  "The authorization mechanism you have provided is not "
                  "supported. Please use AWS4-HMAC-SHA256.");
  }
  if (authorization.times == 1) out.kind = AuthKind::header;
  if (in_query) out.kind = AuthKind::presigned;

  if (auto done = take_payload_hash(out, request); !done) return std::unexpected(done.error());
  if (auto done = take_token(out, request); !done) return std::unexpected(done.error());
  ApiResult<void> taken;
  switch (out.kind) {
    case AuthKind::anonymous:
      break;
    case AuthKind::header:
      taken = parse_header_kind(out, request, authorization.value, body_hash);
      break;
    case AuthKind::presigned:
      taken = parse_query_kind(out);
      break;
    case AuthKind::post_policy:
    case AuthKind::post_policy_v2:
      taken = refuse(ApiError::access_denied);
      break;
  }
  if (taken) taken = judge_payload(out);
  if (!taken) return std::unexpected(taken.error());
  return out;
}

ApiResult<VerifiedSignature> verify(ParsedAuthorization parsed, std::string_view secret,
                                    const SigningRequest& request, const VerifyOptions& options) {
  // Default deny: only kinds that carry a signature get here, and a secret that exists.
  if (parsed.kind != AuthKind::header && parsed.kind != AuthKind::presigned) {
    return refuse(ApiError::access_denied);
  }
  if (secret.empty()) return refuse(ApiError::invalid_access_key_id);
  for (auto check : {check_scope, check_time}) {
    if (auto done = check(parsed, options); !done) return std::unexpected(done.error());
  }
  if (auto done = check_signed_headers(parsed, request); !done) {
    return std::unexpected(done.error());
  }
  VerifiedSignature out;
  out.scope = parsed.scope.text();
  out.key = options.cache ? options.cache->get(secret, parsed.scope)
                          : derive_signing_key(secret, parsed.scope);
  const auto canonical =
      canonical_request(request, parsed.query, parsed.signed_headers, parsed.payload_hash);
  const auto expected = sign_hex(out.key, string_to_sign(parsed.amz_date, out.scope, canonical));
  if (!constant_time_equal(expected, parsed.signature)) {
    return refuse(ApiError::signature_does_not_match);
  }
  out.kind = parsed.kind;
  out.payload = parsed.payload;
  out.payload_hash = std::move(parsed.payload_hash);
  out.seed_signature = std::move(parsed.signature);
  out.amz_date = std::move(parsed.amz_date);
  out.timestamp = parsed.timestamp;
  return out;
}

VerifiedSignature unsigned_request(const ParsedAuthorization& parsed) {
  HOLDFAST_CHECK(parsed.kind == AuthKind::anonymous);
  VerifiedSignature out;
  out.payload = parsed.payload;
  out.payload_hash = parsed.payload_hash;
  return out;
}

}  // namespace holdfast::s3
