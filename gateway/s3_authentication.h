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
#include "gateway/sts_session.h"
#include "net/http_message.h"
#include "s3/error.h"
#include "s3/post_policy.h"
#include "s3/sigv4.h"

namespace holdfast::gateway {

// A principal that proved a key, or nobody. `key` lives as long as `policy` and `session`.
struct Identity {
  std::shared_ptr<const control::PolicySnapshot> policy;
  std::shared_ptr<const TemporarySession> session;  // null: no temporary credentials
  const control::KeyRecord* key = nullptr;          // null: anonymous
  AccessKeyId key_id;
  PrincipalName principal;
  s3::AuthKind kind = s3::AuthKind::anonymous;
  s3::VerifiedSignature signature;  // what the body still has to prove
};

class Authenticator {
 public:
  // `sessions` opens temporary credentials; null: there are none.
  Authenticator(const Clock& clock, const S3ServiceOptions& options, const SessionSealer* sessions);

  // Whether a request without any credentials becomes an identity of nobody, whom only a bucket's
  // policy can allow something, or is access_denied.
  enum class Strangers : std::uint8_t { refused, judged };
  // Header or presigned signature.
  s3::ApiResult<Identity> authenticate(const net::RequestHead& request,
                                       std::shared_ptr<const control::PolicySnapshot> policy,
                                       Strangers strangers = Strangers::refused);
  // A header signature for STS, over a body that was read already.
  s3::ApiResult<Identity> authenticate_sts(const net::RequestHead& request, std::string_view body,
                                           std::shared_ptr<const control::PolicySnapshot> policy);
  // The signature over a POST form's policy. The caller checks the policy's conditions. A
  // stranger's form has no policy.
  s3::ApiResult<Identity> authenticate_form(const s3::PostFields& fields,
                                            std::shared_ptr<const control::PolicySnapshot> policy,
                                            Strangers strangers = Strangers::refused);

 private:
  s3::ApiResult<Identity> find_identity(const s3::ParsedAuthorization& parsed,
                                        std::shared_ptr<const control::PolicySnapshot> policy,
                                        TimePoint now) const;
  s3::ApiResult<Identity> prove(s3::ParsedAuthorization parsed, const s3::SigningRequest& message,
                                std::string_view service,
                                std::shared_ptr<const control::PolicySnapshot> policy);
  // By thread, so that connections of different threads hardly ever wait for each other.
  struct Shard {
    std::mutex mutex;
    s3::SigningKeyCache keys;
    explicit Shard(std::size_t capacity) : keys(capacity) {}
  };
  Shard& shard();

  const Clock& clock_;
  const bool v2_forms_;
  const SessionSealer* sessions_;
  std::array<std::unique_ptr<Shard>, 16> shards_;
};

}  // namespace holdfast::gateway
