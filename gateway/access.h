// The one judgement of every request for data, from whichever door: grants, the key's scope, the
// bucket's policy and the session's. An explicit deny wins; then the session policy has to allow;
// then a grant or the bucket's policy has to. Everything else is denied. Pure; any thread.
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
};

control::Decision decide_access(const control::PolicySnapshot& policy,
                                const AccessQuestion& question);

// The policy's name of what the console does, where one call is one action.
s3::PolicyAction policy_action_of(control::Action action);

}  // namespace holdfast::gateway
