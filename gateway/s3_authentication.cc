#include "gateway/s3_authentication.h"

#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "s3/digest.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

s3::SigningRequest as_signed(const net::RequestHead& request) {
  return {request.method, request.path(), request.query(), request.headers.items()};
}

}  // namespace

Authenticator::Authenticator(const Clock& clock, const S3ServiceOptions& options,
                             const SessionSealer* sessions)
    : clock_(clock), v2_forms_(options.v2_forms), sessions_(sessions) {
  for (auto& shard : shards_) {
    const std::size_t keys = options.signing_keys / shards_.size();
    shard = std::make_unique<Shard>(std::max<std::size_t>(16, keys));
  }
}

Authenticator::Shard& Authenticator::shard() {
  const std::size_t id = std::hash<std::thread::id>{}(std::this_thread::get_id());
  return *shards_[(id ^ (id >> 12)) % shards_.size()];
}

// The key that signed, if it may still be used: known, not expired, token right, principal enabled.
s3::ApiResult<Identity> Authenticator::find_identity(
    const s3::ParsedAuthorization& parsed, std::shared_ptr<const control::PolicySnapshot> policy,
    TimePoint now) const {
  Identity identity;
  identity.key_id = AccessKeyId(parsed.access_key);
  identity.kind = parsed.kind;
  identity.key = policy->find_key(identity.key_id);
  if (identity.key == nullptr && sessions_ != nullptr && is_sealed(parsed.session_token)) {
    auto session = sessions_->open(parsed.session_token, identity.key_id, *policy, now);
    if (!session) return std::unexpected(std::move(session.error()));
    identity.session = std::move(*session);
    identity.key = &identity.session->key;
  }
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

s3::ApiResult<Identity> Authenticator::prove(
    s3::ParsedAuthorization parsed, const s3::SigningRequest& message, std::string_view service,
    std::shared_ptr<const control::PolicySnapshot> policy) {
  const TimePoint now = clock_.now();
  auto identity = find_identity(parsed, std::move(policy), now);
  if (!identity) return identity;
  Shard& own = shard();
  const std::lock_guard lock(own.mutex);
  s3::VerifyOptions options;
  options.now = now;
  options.service = service;
  options.cache = &own.keys;
  auto verified = s3::verify(std::move(parsed), identity->key->secret, message, options);
  if (!verified) return std::unexpected(std::move(verified.error()));
  identity->signature = std::move(*verified);
  return identity;
}

s3::ApiResult<Identity> Authenticator::authenticate(
    const net::RequestHead& request, std::shared_ptr<const control::PolicySnapshot> policy,
    Strangers strangers) {
  const s3::SigningRequest message = as_signed(request);
  auto parsed = s3::parse_authorization(message);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  switch (parsed->kind) {
    case s3::AuthKind::header:
    case s3::AuthKind::presigned:
      return prove(std::move(*parsed), message, "s3", std::move(policy));
    case s3::AuthKind::anonymous: {
      if (strangers == Strangers::refused) break;
      Identity nobody;
      nobody.policy = std::move(policy);
      nobody.signature = s3::unsigned_request(*parsed);
      return nobody;
    }
    case s3::AuthKind::post_policy:
    case s3::AuthKind::post_policy_v2:
      break;
  }
  return s3::refuse(ApiError::access_denied, "The request is not signed.");
}

s3::ApiResult<Identity> Authenticator::authenticate_sts(
    const net::RequestHead& request, std::string_view body,
    std::shared_ptr<const control::PolicySnapshot> policy) {
  const s3::SigningRequest message = as_signed(request);
  auto parsed = s3::parse_authorization(message, s3::sha256_hex(body));
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  if (parsed->kind != s3::AuthKind::header) {
    return s3::refuse(ApiError::access_denied, "The request is not signed.");
  }
  auto identity = prove(std::move(*parsed), message, "sts", std::move(policy));
  if (!identity) return identity;
  if (identity->signature.payload_hash != s3::sha256_hex(body)) {
    return s3::refuse(ApiError::content_sha256_mismatch);
  }
  return identity;
}

s3::ApiResult<Identity> Authenticator::authenticate_form(
    const s3::PostFields& fields, std::shared_ptr<const control::PolicySnapshot> policy,
    Strangers strangers) {
  auto parsed = s3::parse_post_authorization(fields);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  if (!*parsed && strangers == Strangers::judged) {
    Identity nobody;
    nobody.policy = std::move(policy);
    return nobody;
  }
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
