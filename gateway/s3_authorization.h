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

// Both sides of copies, versioned access, governance bypass and retention headers included.
s3::ApiResult<std::vector<Need>> needs_of(const S3Call& call);

// The body says what a policy asks for: the handler judges `call.needs` once it has read it.
bool judges_body(const S3Call& call);

// AccessDenied for the first need that is not met; the denial is audited. The reason never reaches
// the client, and is the same whether or not the bucket or key exists.
s3::ApiResult<void> judge(const S3Call& call, const std::vector<Need>& needs);

// The same refusal, for a handler that found out more than `judge` could know.
s3::ApiResult<void> refuse_access(const S3Call& call, const Need& need, std::string reason);

// Finds what the objects themselves say: their tags where a policy asks for them, their ACLs where
// nothing else allows to read them. To be called before judge.
boost::asio::awaitable<s3::ApiResult<void>> add_object_facts(const S3Call& call,
                                                             std::vector<Need>& needs);

// Judges a read again by the ACL of the version that was found: it may have been replaced since.
s3::ApiResult<void> judge_found(const S3Call& call, const store::ObjectInfo& info);
// Ties the source of a copy to the version whose ACL was judged. precondition_failed.
s3::ApiResult<void> pin_source(const S3Call& call, store::ReadConditions& conditions);

// Whether the caller may list the bucket there, all of it: then a key that is missing may be told.
bool may_list(const S3Call& call, const BucketName& bucket, const std::string& key);

// Whether the caller could do this: for answers that show only what is visible. Audits nothing.
bool may(const S3Call& call, const Need& need);
// Whether `judge` would let it pass. Audits nothing.
bool allows(const S3Call& call, const Need& need);
// Whether no more than the bucket's policy or an ACL allows it: the caller has no grant for it.
bool lacks_grant(const S3Call& call, const Need& need);
// The level that allows it; drop: only what the caller uploaded may be shown.
control::Level level_of(const S3Call& call, const Need& need);

// Judges again under the policies of this moment, for streams in flight. Cheap while nothing
// changes. The call must live.
class Rejudge {
 public:
  Rejudge(const S3Call& call, std::vector<Need> needs);
  bool still_allowed();

 private:
  const control::KeyRecord* present_key(const control::PolicySnapshot& policy) const;

  const S3Call& call_;
  const control::PolicySource& policies_;
  const Clock& clock_;
  std::vector<Need> needs_;
  std::uint64_t epoch_, rules_;
  std::optional<TimePoint> valid_until_;  // when the next grant or key expires
};

}  // namespace holdfast::gateway
