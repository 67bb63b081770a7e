// The one judgement of every request for data, from whichever door: grants, the key's scope, the
// bucket's policy, the session's, and ACLs. An explicit deny wins; then the session policy has to
// allow; then a grant, the bucket's policy or an ACL has to. Everything else is denied. ACLs allow
// what AWS lists for them (S3 user guide, "Mapping of ACL permissions and access policy
// permissions"), never in homes and never beyond a key's scope. Pure; any thread.
#pragma once

#include <string_view>

#include "control/policy.h"
#include "gateway/bucket_rules.h"
#include "s3/policy_actions.h"
#include "s3/policy_document.h"

namespace holdfast::gateway {

struct AccessQuestion {
  // principal empty: nobody proved who they are; only a bucket's policy can allow that.
  control::AccessRequest request;
  s3::PolicyAction action = s3::PolicyAction::none;
  const BucketRules* rules = nullptr;           // of the bucket; null: none
  const s3::PolicyDocument* session = nullptr;  // of temporary credentials; null: none
  const s3::PolicyFacts& facts;
  // An action beside the main one: it is held against explicit denials only.
  bool unless_denied = false;
  const Acl* object_acl = nullptr;  // of the version that is asked for; null: unknown, or none
  bool of_new_object = false;       // the ACL that is put is that of what this request writes
};

control::Decision decide_access(const control::PolicySnapshot& policy,
                                const AccessQuestion& question);

// The policy's name of what the console does, where one call is one action.
s3::PolicyAction policy_action_of(control::Action action);

}  // namespace holdfast::gateway
