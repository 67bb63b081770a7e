// Policies in JSON, compiled once and judged for every request: bucket policies and the session
// policies of temporary credentials (AWS IAM user guide, "IAM JSON policy elements reference"; S3
// user guide, "Bucket policies"). What cannot be enforced is refused when the policy is put, by
// name: a Deny that is not carried out would be a false safety. Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "s3/error.h"
#include "s3/policy_actions.h"
#include "s3/policy_condition.h"

namespace holdfast::s3 {

// The one account of a store, as ARNs and STS name it. An empty account in an ARN means it too.
inline constexpr std::string_view store_account = "000000000000";

enum class PolicyVerdict : std::uint8_t { none, allow, deny };

struct PolicyQuestion {
  PolicyAction action = PolicyAction::none;
  std::string_view resource;   // "bucket" or "bucket/key"; empty: the service
  std::string_view principal;  // empty: anonymous
  std::span<const PrincipalName> groups;
  const PolicyFacts& facts;
  // Public statements of Effect Allow are passed over (RestrictPublicBuckets).
  bool ignore_public = false;
};

class PolicyDocument {
 public:
  // Every statement has a principal and resources of this bucket only. malformed_policy.
  static ApiResult<PolicyDocument> parse_bucket_policy(std::string_view json,
                                                       std::string_view bucket);
  // No statement has a principal.
  static ApiResult<PolicyDocument> parse_session_policy(std::string_view json);

  // Deny before allow; none where no statement fits.
  PolicyVerdict judge(const PolicyQuestion& question) const;

  // Some statement allows something to everyone, not confined by place or person.
  bool is_public() const;
  // Judging needs the tags that the object has, or those that the request brings.
  bool reads_object_tags() const { return reads_object_tags_; }
  bool reads_request_tags() const { return reads_request_tags_; }

 private:
  struct Principals {
    bool everyone = false;       // anonymous too
    bool whole_account = false;  // everyone who is signed in
    std::vector<std::string> users, groups;
  };
  struct Statement {
    bool allow = false;
    bool negated_principal = false, negated_action = false, negated_resource = false;
    Principals principals;
    std::vector<bool> actions;  // by PolicyAction
    std::vector<PolicyPattern> resources;
    std::vector<PolicyCondition> conditions;
    bool is_public() const;
  };
  class Parser;
  static bool concerns(const Statement& statement, const PolicyQuestion& question);

  std::vector<Statement> statements_;
  bool for_bucket_ = true;
  bool reads_object_tags_ = false, reads_request_tags_ = false;
};

}  // namespace holdfast::s3
