#include "gateway/s3_authentication.h"

#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "base/encoding.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

// The key that signed, if it may still be used: known, not expired, token right, principal enabled.
s3::ApiResult<Identity> find_identity(const s3::ParsedAuthorization& parsed,
                                      std::shared_ptr<const control::PolicySnapshot> policy,
                                      TimePoint now) {
  Identity identity;
  identity.key_id = AccessKeyId(parsed.access_key);
  identity.kind = parsed.kind;
  identity.key = policy->find_key(identity.key_id);
  if (identity.key == nullptr) return s3::refuse(ApiError::invalid_access_key_id);
  const control::KeyRecord& key = *identity.key;
  if (!constant_time_equal(key.session_token, parsed.session_token)) {
    return s3::refuse(ApiError::invalid_token);
  }
  if (key.not_after && *key.not_after <= now) {
    return s3::refuse(key.session_token.empty() ? ApiError::invalid_access_key_id
                                                : ApiError::expired_token);
  }
  const control::PrincipalRecord* principal = policy->find_principal(key.principal);
  if (principal == nullptr || principal->disabled) return s3::refuse(ApiError::access_denied);
  identity.principal = key.principal;
  identity.policy = std::move(policy);
  return identity;
}

}  // namespace

Authenticator::Authenticator(const Clock& clock, const S3ServiceOptions& options)
    : clock_(clock), v2_forms_(options.v2_forms) {
  for (auto& shard : shards_) {
    const std::size_t keys = options.signing_keys / shards_.size();
    shard = std::make_unique<Shard>(std::max<std::size_t>(16, keys));
  }
}

Authenticator::Shard& Authenticator::shard() {
  const std::size_t id = std::hash<std::thread::id>{}(std::this_thread::get_id());
  return *shards_[(id ^ (id >> 12)) % shards_.size()];
}

s3::ApiResult<Identity> Authenticator::authenticate(
    const net::RequestHead& request, std::shared_ptr<const control::PolicySnapshot> policy) {
  std::vector<s3::HeaderView> headers;
  headers.reserve(request.headers.items().size());
  for (const auto& header : request.headers.items()) headers.push_back({header.name, header.value});
  const s3::SigningRequest message{request.method, request.path(), request.query(), headers};
  auto parsed = s3::parse_authorization(message);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  switch (parsed->kind) {
    case s3::AuthKind::header:
    case s3::AuthKind::presigned: {
      const TimePoint now = clock_.now();
      auto identity = find_identity(*parsed, std::move(policy), now);
      if (!identity) return identity;
      Shard& own = shard();
      const std::lock_guard lock(own.mutex);
      s3::VerifyOptions options;
      options.now = now;
      options.cache = &own.keys;
      auto verified = s3::verify(*parsed, identity->key->secret, message, options);
      if (!verified) return std::unexpected(std::move(verified.error()));
      identity->signature = std::move(*verified);
      return identity;
    }
    case s3::AuthKind::anonymous:
    case s3::AuthKind::post_policy:
    case s3::AuthKind::post_policy_v2:
      break;
  }
  return s3::refuse(ApiError::access_denied, "The request is not signed.");
}

s3::ApiResult<Identity> Authenticator::authenticate_form(
    const s3::PostFields& fields, std::shared_ptr<const control::PolicySnapshot> policy) {
  auto parsed = s3::parse_post_authorization(fields);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  if (!*parsed) return s3::refuse(ApiError::access_denied, "The form is not signed.");
  const TimePoint now = clock_.now();
  auto identity = find_identity(**parsed, std::move(policy), now);
  if (!identity) return identity;
  Shard& own = shard();
  const std::lock_guard lock(own.mutex);
  s3::VerifyOptions options;
  options.now = now;
  options.cache = &own.keys;
  options.v2_forms = v2_forms_;
  auto verified = s3::verify_post(**parsed, identity->key->secret, fields, options);
  if (!verified) return std::unexpected(std::move(verified.error()));
  identity->signature = std::move(*verified);
  return identity;
}

}  // namespace holdfast::gateway
