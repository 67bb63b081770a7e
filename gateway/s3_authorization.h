// The one place that judges S3 requests: everything that an operation needs is listed by needs_of
// and decided against the policy snapshot that authenticated it. DeleteObjects and POST forms,
// whose keys are in the body, ask `judge` for each key. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/policy.h"
#include "gateway/s3_call.h"
#include "s3/error.h"

namespace holdfast::gateway {

struct Need {
  control::Action action = control::Action::list_buckets;
  BucketName bucket;
  std::string path;  // key, or prefix of a listing
};

// Both sides of copies, versioned access, governance bypass and retention headers included.
s3::ApiResult<std::vector<Need>> needs_of(const S3Call& call);

// AccessDenied for the first need that is not met; the denial is audited. The reason never reaches
// the client, and is the same whether or not the bucket or key exists.
s3::ApiResult<void> judge(const S3Call& call, const std::vector<Need>& needs);

// Whether the caller could do this: for answers that show only what is visible. Audits nothing.
bool may(const S3Call& call, const Need& need);

// Judges again under the policy of this moment, for streams in flight. Cheap while the epoch stays.
class Rejudge {
 public:
  Rejudge(const S3Call& call, std::vector<Need> needs);
  bool still_allowed();

 private:
  const control::PolicySource& policies_;
  const Clock& clock_;
  AccessKeyId key_;
  PrincipalName principal_;
  std::vector<Need> needs_;
  std::uint64_t epoch_;
  std::optional<TimePoint> valid_until_;  // when the next grant or key expires
};

}  // namespace holdfast::gateway
