#include "gateway/access.h"

#include <optional>
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

// The level that an ACL gives for this. drop where it lets write: whoever comes this way handles
// their own uploads only. Nobody has uploads of their own who does not say who they are.
std::optional<control::Level> level_by_acl(const control::PolicySnapshot& policy,
                                           const AccessQuestion& question) {
  using control::Level;
  const BucketRules* rules = question.rules;
  const control::AccessRequest& request = question.request;
  if (rules == nullptr || !rules->acls_count || request.bucket == policy.homes_bucket()) return {};
  const bool anonymous = request.principal.empty();
  const auto when = [](bool open, Level level) {
    return open ? std::optional(level) : std::nullopt;
  };
  switch (question.action) {
    case PolicyAction::list_bucket:
    case PolicyAction::list_bucket_versions:
    case PolicyAction::list_bucket_multipart_uploads:
      // The change feed is no action of AWS's, and holds on to connections.
      return when(request.action != Action::watch_changes && rules->acl.reads(anonymous),
                  Level::read);
    case PolicyAction::get_object:
    case PolicyAction::get_object_version:
      return when(question.object_acl != nullptr && question.object_acl->reads(anonymous),
                  Level::read);
    case PolicyAction::put_object:
      return when(rules->acl.writes(anonymous), Level::drop);
    case PolicyAction::put_object_acl:
      return when(question.of_new_object && rules->acl.writes(anonymous), Level::drop);
    case PolicyAction::abort_multipart_upload:
    case PolicyAction::list_multipart_upload_parts:
      return when(!anonymous && rules->acl.writes(anonymous), Level::drop);
    default:
      return {};
  }
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
    if (!question.rules->readable) {
      if (!admin) return denied("the bucket's policy cannot be read");
    } else if (question.rules->policy) {
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
  if (!allowable || (question.rules != nullptr && !question.rules->readable)) return granted;
  if (const auto level = level_by_acl(policy, question)) return {.allowed = true, .level = *level};
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
    case Action::share_object:
      return PolicyAction::put_object_acl;
    case Action::read_bucket_config:
    case Action::write_bucket_config:
      break;
  }
  return PolicyAction::none;
}

}  // namespace holdfast::gateway
