#include "gateway/s3_authorization.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/log.h"
#include "control/scope.h"
#include "gateway/access.h"
#include "gateway/s3_acl_request.h"
#include "gateway/s3_policy_facts.h"

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

const BucketRules* rules_of(const S3Call& call, const BucketName& bucket) {
  if (bucket == call.bucket()) return call.rules.get();
  return call.source_rules.get();
}

control::Decision decide(const S3Call& call, const control::PolicySnapshot& policy,
                         const control::KeyRecord* key, const BucketRules* rules,
                         const Need& need) {
  const CallFacts facts(call, need);
  const TemporarySession* session = call.identity.session.get();
  AccessQuestion question{{}, need.policy_action, rules, nullptr, facts, need.unless_denied};
  question.object_acl = need.object_acl.get();
  question.of_new_object = need.of_new_object;
  question.request.key = key;
  question.request.principal = call.identity.principal;
  question.request.action = need.action;
  question.request.bucket = need.bucket;
  question.request.path = need.path;
  question.request.now = call.backend.clock.now();
  if (session != nullptr && session->policy) question.session = &*session->policy;
  return decide_access(policy, question);
}

bool wants_tags(const BucketRules* rules, const S3Call& call) {
  if (rules != nullptr && rules->policy && rules->policy->reads_object_tags()) return true;
  const TemporarySession* session = call.identity.session.get();
  return session != nullptr && session->policy && session->policy->reads_object_tags();
}

// Only where everything else says no: whoever has a right of their own costs no look at the object.
bool wants_acl(const S3Call& call, const BucketRules* rules, const Need& need) {
  if (rules == nullptr || !rules->acls_count) return false;
  if (need.policy_action != s3::PolicyAction::get_object &&
      need.policy_action != s3::PolicyAction::get_object_version) {
    return false;
  }
  return !decide(call, *call.identity.policy, call.identity.key, rules, need).allowed;
}

std::shared_ptr<const Acl> acl_of(const store::ObjectInfo& info) {
  return std::make_shared<const Acl>(acl_from_text(info.acl).value_or(Acl()));
}

// Where everyone makes buckets, who administers one removes it too. With the person's own key: one
// that was lent to a tool, a mount or a session only narrows.
bool may_by_making(const S3Call& call, const Need& need) {
  if (call.backend.options.bucket_creators != BucketCreators::everyone) return false;
  if (call.identity.key == nullptr) return false;
  const control::KeyRecord& key = *call.identity.key;
  if (key.scope || key.purpose != "user" || !key.session_token.empty()) return false;
  if (need.action == Action::create_bucket) return true;
  return need.action == Action::delete_bucket &&
         may(call, {Action::write_bucket_config, need.bucket, {}, {}, {}, false, nullptr});
}

}  // namespace

s3::ApiResult<std::vector<Need>> needs_of(const S3Call& call) {
  const bool versioned = call.target.query.has("versionId");
  const s3::PolicyAction named = policy_action_of(call);
  std::vector<Need> needs;
  const auto add = [&](Action action, s3::PolicyAction policy_action) {
    needs.push_back({action, call.bucket(), main_path(call), policy_action, {}, false, nullptr});
    if (versioned) needs.back().version = std::string(call.query("versionId"));
  };
  // What goes with the main need: grants know no finer, policies may deny it by its own name.
  const auto add_unless_denied = [&](s3::PolicyAction policy_action) {
    add(action_of(call.operation, versioned), policy_action);
    needs.back().unless_denied = true;
  };
  switch (call.operation) {
    case Operation::preflight:
    case Operation::health:
    case Operation::sts:
    case Operation::access_feed:
      return needs;  // answer only what the principal can see anyway
    case Operation::delete_objects:
      return needs;  // judged for each key, once the body tells it
    case Operation::post_form:
      if (call.key().empty()) return needs;  // known once the form was read
      add(Action::write_object, named);
      break;
    default:
      add(action_of(call.operation, versioned), named);
  }
  switch (call.operation) {
    case Operation::get_tagging:
    case Operation::put_tagging:
    case Operation::delete_tagging:
      if (versioned) add(Action::read_version, named);
      break;
    case Operation::get_attributes:
      add(action_of(call.operation, versioned),
          versioned ? s3::PolicyAction::get_object_version : s3::PolicyAction::get_object);
      break;
    case Operation::put_object:
    case Operation::copy_object:
    case Operation::create_upload:
    case Operation::post_form: {
      if (asks_for_lock(call)) {
        add(Action::write_retention, call.has_header("x-amz-object-lock-mode")
                                         ? s3::PolicyAction::put_object_retention
                                         : s3::PolicyAction::put_object_legal_hold);
        if (call.has_header("x-amz-object-lock-legal-hold")) {
          add_unless_denied(s3::PolicyAction::put_object_legal_hold);
        }
      }
      if (request_tags_of(call)) add_unless_denied(s3::PolicyAction::put_object_tagging);
      const auto acl = named_acl(call);
      if (!acl) return std::unexpected(acl.error());
      if (*acl && (*acl)->is_public()) {
        add(Action::share_object, s3::PolicyAction::put_object_acl);
        needs.back().of_new_object = true;
      } else if (*acl) {
        add_unless_denied(s3::PolicyAction::put_object_acl);
      }
      break;
    }
    default:
      break;
  }
  if (is_true(call.header("x-amz-bypass-governance-retention"))) {
    add(Action::bypass_governance, s3::PolicyAction::bypass_governance_retention);
  }
  if (call.operation == Operation::copy_object || call.operation == Operation::copy_part) {
    if (!call.source)
      return s3::refuse(s3::ApiError::invalid_argument, "The copy source is missing.");
    const bool old = call.source->version.has_value();
    needs.push_back({old ? Action::read_version : Action::read_object,
                     BucketName(call.source->bucket), call.source->key,
                     old ? s3::PolicyAction::get_object_version : s3::PolicyAction::get_object,
                     call.source->version, false, nullptr});
  }
  return needs;
}

boost::asio::awaitable<s3::ApiResult<void>> add_object_facts(const S3Call& call,
                                                             std::vector<Need>& needs) {
  for (Need& need : needs) {
    if (control::concerns_bucket(need.action) || need.path.empty()) continue;
    const BucketRules* rules = rules_of(call, need.bucket);
    const bool tags = wants_tags(rules, call);
    const bool acl = wants_acl(call, rules, need);
    if (!tags && !acl) continue;
    store::GetRequest request{need.bucket, ObjectKey(need.path), {}, {}, {}, {}};
    if (need.version) request.version = VersionId(*need.version);
    auto found = co_await call.store().head(std::move(request));
    if (found) {
      if (tags) {
        need.object_tags = std::make_shared<const s3::Tags>(std::move(found->info.attributes.tags));
      }
      if (acl) {
        need.object_acl = acl_of(found->info);
        need.acl_of = std::move(found->info.etag);
      }
    } else if (s3::describe(s3::to_s3_error(found.error())).status >= 500) {
      co_return refuse_with(found.error());  // not knowing is not having none
    }
  }
  co_return s3::ApiResult<void>();
}

s3::ApiResult<void> judge_found(const S3Call& call, const store::ObjectInfo& info) {
  if (call.needs.empty() || call.needs.front().object_acl == nullptr) return {};
  Need need = call.needs.front();
  need.object_acl = acl_of(info);
  return judge(call, {std::move(need)});
}

s3::ApiResult<void> pin_source(const S3Call& call, store::ReadConditions& conditions) {
  for (const Need& need : call.needs) {
    if (need.object_acl == nullptr) continue;
    const auto fits = [&](const ETag& tag) { return tag.value == "*" || tag == need.acl_of; };
    if (!conditions.if_match.empty() && std::ranges::none_of(conditions.if_match, fits)) {
      return s3::refuse(s3::ApiError::precondition_failed);
    }
    conditions.if_match = {need.acl_of};
  }
  return {};
}

bool may_list(const S3Call& call, const BucketName& bucket, const std::string& key) {
  Need need{Action::list_objects, bucket, key, s3::PolicyAction::list_bucket, {}, false, nullptr};
  const auto decision =
      decide(call, *call.identity.policy, call.identity.key, rules_of(call, bucket), need);
  return decision.allowed && decision.level != control::Level::drop;
}

bool judges_body(const S3Call& call) {
  if (call.operation != Operation::put_tagging) return false;
  const TemporarySession* session = call.identity.session.get();
  return (call.rules != nullptr && call.rules->policy &&
          call.rules->policy->reads_request_tags()) ||
         (session != nullptr && session->policy && session->policy->reads_request_tags());
}

s3::ApiResult<void> judge(const S3Call& call, const std::vector<Need>& needs) {
  for (const Need& need : needs) {
    auto decision =
        decide(call, *call.identity.policy, call.identity.key, rules_of(call, need.bucket), need);
    if (decision.allowed) continue;
    if (decision.lacks_grant && may_by_making(call, need)) continue;
    return refuse_access(call, need, std::move(decision.reason));
  }
  return {};
}

s3::ApiResult<void> refuse_access(const S3Call& call, const Need& need, std::string reason) {
  deny(call, need, std::move(reason));
  return s3::refuse(s3::ApiError::access_denied);
}

bool may(const S3Call& call, const Need& need) {
  return decide(call, *call.identity.policy, call.identity.key, nullptr, need).allowed;
}

bool allows(const S3Call& call, const Need& need) {
  return decide(call, *call.identity.policy, call.identity.key, rules_of(call, need.bucket), need)
      .allowed;
}

bool lacks_grant(const S3Call& call, const Need& need) { return !may(call, need); }

control::Level level_of(const S3Call& call, const Need& need) {
  return decide(call, *call.identity.policy, call.identity.key, rules_of(call, need.bucket), need)
      .level;
}

Rejudge::Rejudge(const S3Call& call, std::vector<Need> needs)
    : call_(call),
      policies_(call.backend.policies),
      clock_(call.backend.clock),
      needs_(std::move(needs)),
      epoch_(call.identity.policy->epoch()),
      rules_(call.rules_generation),
      valid_until_(call.identity.policy->next_expiry(clock_.now())) {
  // Whether someone may make or remove a bucket is judged once: their bodies are a few bytes, and
  // the answer may rest on more than grants.
  std::erase_if(needs_, [](const Need& need) {
    return need.action == Action::create_bucket || need.action == Action::delete_bucket;
  });
  const auto& session = call.identity.session;
  if (session == nullptr || !session->key.not_after) return;
  valid_until_ = std::min(valid_until_.value_or(*session->key.not_after), *session->key.not_after);
}

// The key as it is now; null: it is gone. A temporary one lasts while what it stands on does.
const control::KeyRecord* Rejudge::present_key(const control::PolicySnapshot& policy) const {
  const auto& session = call_.identity.session;
  if (session == nullptr) return policy.find_key(call_.identity.key_id);
  if (!session->parent.empty() && policy.find_key(session->parent) == nullptr) return nullptr;
  return &session->key;
}

bool Rejudge::still_allowed() {
  const auto policy = policies_.current();
  const TimePoint now = clock_.now();
  const BucketRulesBook& book = call_.backend.rules;
  const std::uint64_t rules = book.generation();
  if (policy->epoch() == epoch_ && rules == rules_ && (!valid_until_ || now < *valid_until_)) {
    return true;
  }
  const control::KeyRecord* key = nullptr;
  if (call_.identity.key != nullptr) {
    key = present_key(*policy);
    if (key == nullptr || key->principal != call_.identity.principal) return false;
    if (key->not_after && *key->not_after <= now) return false;
    const control::PrincipalRecord* principal = policy->find_principal(key->principal);
    if (principal == nullptr || principal->disabled) return false;
  }
  for (const Need& need : needs_) {
    if (!decide(call_, *policy, key, book.find(need.bucket).get(), need).allowed) return false;
  }
  epoch_ = policy->epoch();
  rules_ = rules;
  valid_until_ = policy->next_expiry(now);
  if (key != nullptr && key->not_after) {
    valid_until_ = std::min(valid_until_.value_or(*key->not_after), *key->not_after);
  }
  return true;
}

}  // namespace holdfast::gateway
