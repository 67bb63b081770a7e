#include "s3/post_policy.h"

#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/encoding.h"
#include "s3/headers.h"

namespace holdfast::s3 {
namespace {

namespace json = boost::json;

constexpr std::size_t max_policy_bytes = 20u << 10;
constexpr std::size_t max_conditions = 100;

std::unexpected<ApiFailure> bad_policy(const char* why) {
  return refuse(ApiError::invalid_policy_document, std::string("Invalid Policy: ") + why);
}

std::unexpected<ApiFailure> violates(std::string message) {
  return refuse(ApiError::access_denied, "Invalid according to Policy: " + message);
}

std::optional<std::uint64_t> whole_number(const json::value& value) {
  if (value.is_int64() && value.get_int64() >= 0) {
    return static_cast<std::uint64_t>(value.get_int64());
  }
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_string()) return parse_u64(std::string_view(value.get_string()));
  return std::nullopt;
}

ApiResult<void> add_length_range(PostPolicy& policy, const json::array& parts) {
  const auto low = whole_number(parts[1]), high = whole_number(parts[2]);
  if (!low || !high || *low > *high) return bad_policy("Invalid content-length-range.");
  // Two ranges both hold.
  policy.min_bytes = std::max(*low, policy.min_bytes.value_or(0));
  policy.max_bytes = std::min(*high, policy.max_bytes.value_or(UINT64_MAX));
  return {};
}

ApiResult<void> add_array(PostPolicy& policy, const json::array& parts) {
  if (parts.size() != 3 || !parts[0].is_string()) return bad_policy("Invalid JSON.");
  const std::string kind = ascii_lower(std::string_view(parts[0].get_string()));
  if (kind == "content-length-range") return add_length_range(policy, parts);
  if (!parts[1].is_string() || !parts[2].is_string()) return bad_policy("Invalid JSON.");
  std::string_view field = parts[1].get_string();
  if (!field.starts_with('$')) return bad_policy("A condition's field must begin with '$'.");
  PostCondition condition;
  if (kind == "eq") {
    condition.kind = PostCondition::Kind::equals;
  } else if (kind == "starts-with") {
    condition.kind = PostCondition::Kind::starts_with;
  } else {
    return bad_policy("Unknown kind of condition.");
  }
  condition.field = ascii_lower(field.substr(1));
  condition.value = std::string_view(parts[2].get_string());
  policy.conditions.push_back(std::move(condition));
  return {};
}

ApiResult<void> add_object(PostPolicy& policy, const json::object& pairs) {
  if (pairs.size() != 1) return bad_policy("An object condition holds exactly one field.");
  const auto& pair = *pairs.begin();
  if (!pair.value().is_string()) return bad_policy("Invalid JSON.");
  policy.conditions.push_back({PostCondition::Kind::equals, ascii_lower(pair.key()),
                               std::string(pair.value().get_string())});
  return {};
}

std::string hmac_sha1(std::string_view key, std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int bytes = 0;
  HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest.data(), &bytes);
  return {reinterpret_cast<const char*>(digest.data()), bytes};
}

bool needs_no_condition(std::string_view field) {
  return field == "policy" || field == "x-amz-signature" || field == "file" ||
         field == "awsaccesskeyid" || field == "signature" || field.starts_with("x-ignore-") ||
         field.starts_with("x-amz-checksum-");  // can only make the file be refused
}

bool matches(const PostCondition& condition, std::string_view value) {
  return condition.kind == PostCondition::Kind::equals ? value == condition.value
                                                       : value.starts_with(condition.value);
}

}  // namespace

const std::string* find_field(const PostFields& fields, std::string_view lower_case_name) {
  for (const auto& [name, value] : fields) {
    if (name == lower_case_name) return &value;
  }
  return nullptr;
}

ApiResult<PostPolicy> parse_post_policy(std::string_view base64) {
  if (base64.size() > max_policy_bytes) return bad_policy("The policy is too long.");
  const auto text = from_base64(base64);
  if (!text) return bad_policy("The policy is no base64.");
  boost::system::error_code error;
  const json::value root = json::parse(*text, error, {}, {.max_depth = 8});
  if (error || !root.is_object()) return bad_policy("Invalid JSON.");
  const json::value* expiration = root.get_object().if_contains("expiration");
  const json::value* conditions = root.get_object().if_contains("conditions");
  if (!expiration || !expiration->is_string()) return bad_policy("Policy missing expiration.");
  if (!conditions || !conditions->is_array()) return bad_policy("Policy missing conditions.");
  const std::string_view expires = expiration->get_string();
  const auto time = from_rfc3339(expires);
  // ISO 8601 as AWS reads it: no blank in the place of the T.
  if (!time || !expires.contains('T')) return bad_policy("Invalid 'expiration' value.");
  PostPolicy policy;
  policy.expiration = *time;
  if (conditions->get_array().size() > max_conditions) return bad_policy("Too many conditions.");
  for (const json::value& condition : conditions->get_array()) {
    ApiResult<void> added = condition.is_array()    ? add_array(policy, condition.get_array())
                            : condition.is_object() ? add_object(policy, condition.get_object())
                                                    : bad_policy("Invalid JSON.");
    if (!added) return std::unexpected(added.error());
  }
  return policy;
}

ApiResult<void> check_post_policy(const PostPolicy& policy, const PostFields& fields,
                                  std::string_view bucket, TimePoint now) {
  if (now >= policy.expiration) return refuse(ApiError::post_policy_expired);
  for (const PostCondition& condition : policy.conditions) {
    // The URL says which bucket it is; a form field of that name could say anything.
    if (condition.field == "bucket") {
      if (!matches(condition, bucket)) return violates("Policy Condition failed: [\"bucket\"]");
      continue;
    }
    const std::string* value = find_field(fields, condition.field);
    if (!matches(condition, value ? std::string_view(*value) : std::string_view()) ||
        (!value && condition.kind == PostCondition::Kind::equals)) {
      return violates("Policy Condition failed: [\"" + condition.field + "\"]");
    }
  }
  for (const auto& [name, value] : fields) {
    if (name == "bucket" && value != bucket) return violates("the bucket is not that of the URL");
    const bool named = std::ranges::any_of(policy.conditions,
                                           [&](const PostCondition& c) { return c.field == name; });
    if (!named && !needs_no_condition(name)) return violates("Extra input fields: " + name);
    const auto same = [&](const auto& field) { return field.first == name; };
    if (std::ranges::count_if(fields, same) > 1) return violates("a field is doubled: " + name);
  }
  return {};
}

ApiResult<void> check_post_length(const PostPolicy& policy, std::uint64_t bytes, bool at_end) {
  if (policy.max_bytes && bytes > *policy.max_bytes) return refuse(ApiError::entity_too_large);
  if (at_end && policy.min_bytes && bytes < *policy.min_bytes) {
    return refuse(ApiError::entity_too_small);
  }
  return {};
}

namespace {

ApiResult<std::optional<ParsedAuthorization>> parse_v2(const PostFields& fields,
                                                       std::size_t v4_fields) {
  const std::string* key = find_field(fields, "awsaccesskeyid");
  const std::string* signature = find_field(fields, "signature");
  const std::string* policy = find_field(fields, "policy");
  if (!key || !signature || !policy || key->empty() || v4_fields != 1) {
    return refuse(ApiError::invalid_argument,
                  "Bucket POST must contain the fields policy, AWSAccessKeyId and signature, each "
                  "once.");
  }
  ParsedAuthorization out;
  out.kind = AuthKind::post_policy_v2;
  out.access_key = *key;
  out.signature = *signature;
  if (const std::string* token = find_field(fields, "x-amz-security-token")) {
    out.session_token = *token;
  }
  return out;
}

ApiResult<VerifiedSignature> verify_v2(const ParsedAuthorization& parsed, std::string_view secret,
                                       std::string_view policy, const VerifyOptions& options) {
  if (!options.v2_forms) {
    return refuse(ApiError::invalid_request,
                  "The authorization mechanism you have provided is not "
                  "supported. Please use AWS4-HMAC-SHA256.");
  }
  if (secret.empty()) return refuse(ApiError::invalid_access_key_id);
  const std::string expected = to_base64(as_bytes(hmac_sha1(secret, policy)));
  if (!constant_time_equal(expected, parsed.signature)) {
    return refuse(ApiError::signature_does_not_match);
  }
  VerifiedSignature out;
  out.kind = AuthKind::post_policy_v2;
  return out;
}

}  // namespace

ApiResult<std::optional<ParsedAuthorization>> parse_post_authorization(const PostFields& fields) {
  constexpr std::string_view names[] = {"policy", "x-amz-algorithm", "x-amz-credential",
                                        "x-amz-date", "x-amz-signature"};
  std::size_t present = 0;
  for (const std::string_view name : names) {
    present += static_cast<std::size_t>(
        std::ranges::count_if(fields, [&](const auto& field) { return field.first == name; }));
  }
  if (find_field(fields, "awsaccesskeyid") || find_field(fields, "signature")) {
    return parse_v2(fields, present);
  }
  if (present == 0) return std::nullopt;
  for (const std::string_view name : names) {
    if (present != std::size(names) || !find_field(fields, name)) {
      return refuse(ApiError::invalid_argument,
                    "Bucket POST must contain the fields policy, x-amz-algorithm, "
                    "x-amz-credential, x-amz-date and x-amz-signature, each once.");
    }
  }
  ParsedAuthorization out;
  out.kind = AuthKind::post_policy;
  if (*find_field(fields, "x-amz-algorithm") != "AWS4-HMAC-SHA256") {
    return refuse(ApiError::invalid_argument, "x-amz-algorithm only supports AWS4-HMAC-SHA256");
  }
  auto scoped = parse_credential(*find_field(fields, "x-amz-credential"));
  out.amz_date = *find_field(fields, "x-amz-date");
  const auto time = from_amz_date(out.amz_date);
  if (!scoped || !time || scoped->scope.date != out.amz_date.substr(0, 8)) {
    return refuse(ApiError::invalid_argument, "x-amz-credential or x-amz-date is malformed");
  }
  out.access_key = std::move(scoped->access_key);
  out.scope = std::move(scoped->scope);
  out.timestamp = *time;
  out.signature = *find_field(fields, "x-amz-signature");
  if (const std::string* token = find_field(fields, "x-amz-security-token")) {
    out.session_token = *token;
  }
  return out;
}

ApiResult<VerifiedSignature> verify_post(const ParsedAuthorization& parsed, std::string_view secret,
                                         const PostFields& fields, const VerifyOptions& options) {
  const std::string* policy = find_field(fields, "policy");
  if (parsed.kind == AuthKind::post_policy_v2 && policy) {
    return verify_v2(parsed, secret, *policy, options);
  }
  if (parsed.kind != AuthKind::post_policy || !policy) return refuse(ApiError::access_denied);
  if (secret.empty()) return refuse(ApiError::invalid_access_key_id);
  if (parsed.scope.service != options.service ||
      (!options.region.empty() && parsed.scope.region != options.region)) {
    return refuse(ApiError::invalid_argument, "the scope of x-amz-credential is not this store's");
  }
  VerifiedSignature out;
  out.kind = AuthKind::post_policy;
  out.key = options.cache ? options.cache->get(secret, parsed.scope)
                          : derive_signing_key(secret, parsed.scope);
  if (!constant_time_equal(sign_hex(out.key, *policy), parsed.signature)) {
    return refuse(ApiError::signature_does_not_match);
  }
  out.seed_signature = parsed.signature;
  out.scope = parsed.scope.text();
  out.amz_date = parsed.amz_date;
  out.timestamp = parsed.timestamp;
  return out;
}

SignedPolicy sign_post_policy(std::string_view policy_json, const Credentials& credentials,
                              const SignOptions& options) {
  SignedPolicy out;
  out.amz_date = to_amz_date(options.now);
  const Scope scope{out.amz_date.substr(0, 8), options.region, options.service};
  out.credential = credentials.access_key + "/" + scope.text();
  out.policy_base64 = to_base64(as_bytes(policy_json));
  out.signature = sign_hex(derive_signing_key(credentials.secret_key, scope), out.policy_base64);
  return out;
}

}  // namespace holdfast::s3
