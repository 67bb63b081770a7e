// Who sends an S3 request: the one switch over the authentication type, default deny, before
// anything is dispatched (AWS Signature Version 4). Thread-safe; derived signing keys are cached in
// bounded shards.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "control/policy.h"
#include "gateway/s3_service_options.h"
#include "net/http_message.h"
#include "s3/error.h"
#include "s3/post_policy.h"
#include "s3/sigv4.h"

namespace holdfast::gateway {

// A principal that proved a key. `key` lives as long as `policy`.
struct Identity {
  std::shared_ptr<const control::PolicySnapshot> policy;
  const control::KeyRecord* key = nullptr;
  AccessKeyId key_id;
  PrincipalName principal;
  s3::AuthKind kind = s3::AuthKind::anonymous;
  s3::VerifiedSignature signature;  // what the body still has to prove
};

class Authenticator {
 public:
  Authenticator(const Clock& clock, const S3ServiceOptions& options);

  // Header or presigned signature. Anonymous is access_denied.
  s3::ApiResult<Identity> authenticate(const net::RequestHead& request,
                                       std::shared_ptr<const control::PolicySnapshot> policy);
  // The signature over a POST form's policy. The caller checks the policy's conditions.
  s3::ApiResult<Identity> authenticate_form(const s3::PostFields& fields,
                                            std::shared_ptr<const control::PolicySnapshot> policy);

 private:
  // By thread, so that connections of different threads hardly ever wait for each other.
  struct Shard {
    std::mutex mutex;
    s3::SigningKeyCache keys;
    explicit Shard(std::size_t capacity) : keys(capacity) {}
  };
  Shard& shard();

  const Clock& clock_;
  const bool v2_forms_;
  std::array<std::unique_ptr<Shard>, 16> shards_;
};

}  // namespace holdfast::gateway
