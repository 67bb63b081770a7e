// StsClient: temporary credentials of an endpoint, narrowed by a session policy (AWS STS API
// reference, AssumeRole; also Ceph's radosgw and MinIO). Without a policy it asks for none: they
// would have all of the role's rights. Coroutines run on the caller's executor; thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "store/credentials.h"
#include "store/s3_address.h"

namespace holdfast::store {

struct StsOptions {
  std::string endpoint;  // http:// or https://
  std::string role;      // its ARN
  std::string region = "us-east-1";
  std::string ca_file;  // empty: the system's
};

struct Loan {
  std::string session;  // whom the endpoint's log names
  std::string policy;   // not empty
  std::chrono::seconds lifetime{900};
};

struct LentCredentials {
  s3::Credentials pair;
  TimePoint until{};
};

// What AWS and Ceph give at the least; ours at the most.
inline constexpr std::chrono::seconds min_loan{900};
inline constexpr std::chrono::seconds max_loan{3600};

class StsClient {
 public:
  // `credentials`, who assume the role, and `clock` outlive it. invalid_argument: the endpoint is
  // no URL, or the role is none.
  static Result<std::unique_ptr<StsClient>> open(StsOptions options,
                                                 CredentialsProvider& credentials,
                                                 const Clock& clock);

  // unavailable: the endpoint is away, refuses, or answers with something else. invalid_argument:
  // the lifetime is out of bounds, or the policy is empty or too long.
  Async<LentCredentials> lend(Loan loan);

 private:
  StsClient(StsOptions options, S3Address address, CredentialsProvider& credentials,
            const Clock& clock);

  StsOptions options_;
  S3Address address_;
  CredentialsProvider& credentials_;
  const Clock& clock_;
};

// The answer of AssumeRole: malformed where a part of it is missing.
Result<LentCredentials> parse_assume_role(std::string_view xml);

}  // namespace holdfast::store
