#include "gateway/access.h"

#include <string>

#include "control/scope.h"

namespace holdfast::gateway {
namespace {

using control::Action;
using s3::PolicyAction;
using s3::PolicyVerdict;

control::Decision denied(std::string reason) {
  control::Decision decision;
  decision.reason = std::move(reason);
  return decision;
}

// So that nobody locks the store's owners out of a bucket for good.
bool repairs_policy(PolicyAction action) {
  return action == PolicyAction::get_bucket_policy || action == PolicyAction::put_bucket_policy ||
         action == PolicyAction::delete_bucket_policy;
}

}  // namespace

control::Decision decide_access(const control::PolicySnapshot& policy,
                                const AccessQuestion& question) {
  const control::AccessRequest& request = question.request;
  const bool anonymous = request.principal.empty();
  control::Decision granted =
      anonymous ? denied("nobody signed this and no bucket policy allows it to everyone")
                : policy.decide(request);
  if (question.rules == nullptr && question.session == nullptr) return granted;

  const control::PrincipalRecord* principal =
      anonymous ? nullptr : policy.find_principal(request.principal);
  const bool admin = principal != nullptr && principal->admin && !principal->disabled;
  std::string resource = request.bucket.value;
  if (!control::concerns_bucket(request.action)) {
    resource.append("/").append(request.path);
  }
  s3::PolicyQuestion asked{question.action, resource, request.principal.value, {}, question.facts};
  if (principal != nullptr) asked.groups = principal->groups;

  PolicyVerdict verdict = PolicyVerdict::none;
  if (question.rules != nullptr && !(admin && repairs_policy(question.action))) {
    if (!question.rules->policy) {
      if (!admin) return denied("the bucket's policy cannot be read");
    } else {
      asked.ignore_public = question.rules->block.restrict_buckets;
      verdict = question.rules->policy->judge(asked);
    }
  }
  if (verdict == PolicyVerdict::deny) return denied("the bucket's policy denies it");
  if (question.session != nullptr) {
    asked.ignore_public = false;
    const PolicyVerdict session = question.session->judge(asked);
    if (session == PolicyVerdict::deny) return denied("the session's policy denies it");
    if (session == PolicyVerdict::none && !question.unless_denied &&
        question.action != PolicyAction::none) {
      return denied("the session's policy does not allow it");
    }
  }
  if (granted.allowed) return granted;
  const bool allowable = anonymous || granted.lacks_grant;
  if (allowable && (verdict == PolicyVerdict::allow || question.unless_denied)) {
    return {.allowed = true, .level = control::Level::write};
  }
  return granted;
}

PolicyAction policy_action_of(Action action) {
  switch (action) {
    case Action::list_buckets:
      return PolicyAction::list_all_my_buckets;
    case Action::head_bucket:
    case Action::list_objects:
    case Action::watch_changes:
      return PolicyAction::list_bucket;
    case Action::list_versions:
      return PolicyAction::list_bucket_versions;
    case Action::list_uploads:
      return PolicyAction::list_bucket_multipart_uploads;
    case Action::read_object:
      return PolicyAction::get_object;
    case Action::read_version:
      return PolicyAction::get_object_version;
    case Action::write_object:
      return PolicyAction::put_object;
    case Action::delete_object:
      return PolicyAction::delete_object;
    case Action::delete_version:
      return PolicyAction::delete_object_version;
    case Action::abort_upload:
      return PolicyAction::abort_multipart_upload;
    case Action::list_parts:
      return PolicyAction::list_multipart_upload_parts;
    case Action::read_tags:
      return PolicyAction::get_object_tagging;
    case Action::write_tags:
      return PolicyAction::put_object_tagging;
    case Action::create_bucket:
      return PolicyAction::create_bucket;
    case Action::delete_bucket:
      return PolicyAction::delete_bucket;
    case Action::write_retention:
      return PolicyAction::put_object_retention;
    case Action::bypass_governance:
      return PolicyAction::bypass_governance_retention;
    case Action::read_bucket_config:
    case Action::write_bucket_config:
      break;
  }
  return PolicyAction::none;
}

}  // namespace holdfast::gateway
