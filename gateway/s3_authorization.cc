#include "gateway/s3_authorization.h"

#include <spdlog/spdlog.h>

#include "base/log.h"

namespace holdfast::gateway {
namespace {

using control::Action;

bool is_true(std::string_view text) { return net::equal_ignoring_case(text, "true"); }

// What the path of the main need is: the key, or the prefix that a listing asks for.
std::string main_path(const S3Call& call) {
  switch (call.operation) {
    case Operation::list_objects:
    case Operation::list_objects_v2:
    case Operation::list_versions:
    case Operation::list_uploads:
    case Operation::watch_changes:
      return std::string(call.query("prefix"));
    default:
      return call.key().value;
  }
}

bool asks_for_lock(const S3Call& call) {
  return call.has_header("x-amz-object-lock-mode") ||
         call.has_header("x-amz-object-lock-retain-until-date") ||
         call.has_header("x-amz-object-lock-legal-hold");
}

void deny(const S3Call& call, const Need& need, std::string reason) {
  call.backend.counters.denied.fetch_add(1, std::memory_order_relaxed);
  AuditEvent event;
  event.time = call.backend.clock.now();
  event.request_id = call.request_id;
  event.principal = call.identity.principal.value;
  event.access_key = call.identity.key_id.value;
  event.operation = to_string(call.operation);
  event.bucket = need.bucket.value;
  event.path = need.path;
  event.peer = call.exchange.peer().address().to_string();
  event.outcome = AuditOutcome::denied;
  event.status = 403;
  event.reason = std::move(reason);
  call.backend.audit.record(std::move(event));
}

control::Decision decide(const control::PolicySnapshot& policy, const control::KeyRecord* key,
                         const PrincipalName& principal, const Need& need, TimePoint now) {
  control::AccessRequest request;
  request.key = key;
  request.principal = principal;
  request.action = need.action;
  request.bucket = need.bucket;
  request.path = need.path;
  request.now = now;
  return policy.decide(request);
}

// Where everyone makes buckets, who administers one removes it too. With the person's own key: one
// that was lent to a tool, a mount or a session only narrows.
bool may_by_making(const S3Call& call, const Need& need) {
  if (call.backend.options.bucket_creators != BucketCreators::everyone) return false;
  const control::KeyRecord& key = *call.identity.key;
  if (key.scope || key.purpose != "user" || !key.session_token.empty()) return false;
  if (need.action == Action::create_bucket) return true;
  return need.action == Action::delete_bucket &&
         may(call, {Action::write_bucket_config, need.bucket, {}});
}

}  // namespace

s3::ApiResult<std::vector<Need>> needs_of(const S3Call& call) {
  const bool versioned = call.target.query.has("versionId");
  std::vector<Need> needs;
  const auto add = [&](Action action) {
    needs.push_back({action, call.bucket(), main_path(call)});
  };
  switch (call.operation) {
    case Operation::preflight:
    case Operation::health:
    case Operation::list_buckets:
    case Operation::access_feed:
      return needs;  // answer only what the principal can see anyway
    case Operation::delete_objects:
      return needs;  // judged for each key, once the body tells it
    case Operation::post_form:
      if (!call.key().empty()) add(Action::write_object);  // known once the form was read
      return needs;
    default:
      add(action_of(call.operation, versioned));
  }
  switch (call.operation) {
    case Operation::get_tagging:
      if (versioned) add(Action::read_version);
      break;
    case Operation::put_tagging:
    case Operation::delete_tagging:
      if (versioned) add(Action::read_version);
      break;
    case Operation::put_object:
    case Operation::copy_object:
    case Operation::create_upload:
      if (asks_for_lock(call)) add(Action::write_retention);
      break;
    default:
      break;
  }
  if (is_true(call.header("x-amz-bypass-governance-retention"))) add(Action::bypass_governance);
  if (call.operation == Operation::copy_object || call.operation == Operation::copy_part) {
    if (!call.source)
      return s3::refuse(s3::ApiError::invalid_argument, "The copy source is missing.");
    const Action action = call.source->version ? Action::read_version : Action::read_object;
    needs.push_back({action, BucketName(call.source->bucket), call.source->key});
  }
  return needs;
}

s3::ApiResult<void> judge(const S3Call& call, const std::vector<Need>& needs) {
  const TimePoint now = call.backend.clock.now();
  for (const Need& need : needs) {
    auto decision =
        decide(*call.identity.policy, call.identity.key, call.identity.principal, need, now);
    // A drop grant may list its holder's own uploads only; the store does not know whose they are.
    const bool blind =
        decision.level == control::Level::drop && need.action == control::Action::list_uploads;
    if (decision.allowed && !blind) continue;
    if (may_by_making(call, need)) continue;
    deny(call, need, std::move(decision.reason));
    return s3::refuse(s3::ApiError::access_denied);
  }
  return {};
}

bool may(const S3Call& call, const Need& need) {
  return decide(*call.identity.policy, call.identity.key, call.identity.principal, need,
                call.backend.clock.now())
      .allowed;
}

Rejudge::Rejudge(const S3Call& call, std::vector<Need> needs)
    : policies_(call.backend.policies),
      clock_(call.backend.clock),
      key_(call.identity.key_id),
      principal_(call.identity.principal),
      needs_(std::move(needs)),
      epoch_(call.identity.policy->epoch()),
      valid_until_(call.identity.policy->next_expiry(clock_.now())) {
  // Whether someone may make or remove a bucket is judged once: their bodies are a few bytes, and
  // the answer may rest on more than grants.
  std::erase_if(needs_, [](const Need& need) {
    return need.action == Action::create_bucket || need.action == Action::delete_bucket;
  });
}

bool Rejudge::still_allowed() {
  const auto policy = policies_.current();
  const TimePoint now = clock_.now();
  if (policy->epoch() == epoch_ && (!valid_until_ || now < *valid_until_)) return true;
  const control::KeyRecord* key = policy->find_key(key_);
  if (key == nullptr || key->principal != principal_) return false;
  if (key->not_after && *key->not_after <= now) return false;
  const control::PrincipalRecord* principal = policy->find_principal(principal_);
  if (principal == nullptr || principal->disabled) return false;
  for (const Need& need : needs_) {
    if (!decide(*policy, key, principal_, need, now).allowed) return false;
  }
  epoch_ = policy->epoch();
  valid_until_ = policy->next_expiry(now);
  return true;
}

}  // namespace holdfast::gateway
