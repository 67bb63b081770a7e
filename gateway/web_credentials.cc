// Temporary credentials of the endpoint behind the gateway: what a person's grants give there for a
// while, by a session policy. Whoever holds them goes past this gateway until they end.
#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/encoding.h"
#include "control/scope.h"
#include "gateway/web_request.h"
#include "gateway/web_routes.h"
#include "store/direct_urls.h"
#include "store/session_policy.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;
using control::Level;
using store::SessionRight;

struct Wish {
  PrincipalName person;
  BucketName bucket;   // empty: all
  std::string prefix;  // within it
  std::chrono::seconds lifetime{};
};

// Themselves; at the admin socket anyone, by name.
Result<PrincipalName> person_of(WebApi& api, const ApiRequest& request) {
  PrincipalName person = request.caller.actor.principal;
  const auto named = text_field_or(request.body, "user", "");
  if (request.caller.actor.kind == control::Actor::Kind::administrator) {
    if (named.empty()) return fail(ErrorCode::invalid_argument, "the body needs \"user\"");
    person = PrincipalName(named);
  } else if (!named.empty() && named != person.value) {
    return fail(ErrorCode::access_denied, "credentials are lent for oneself only");
  }
  const auto policy = api.parts().policy.current();
  const auto* record = policy->find_principal(person);
  if (record == nullptr) return fail(ErrorCode::not_found, "there is no user {}", person.value);
  if (record->disabled) return fail(ErrorCode::access_denied, "{} is disabled", person.value);
  return person;
}

Result<Wish> wish_of(WebApi& api, const ApiRequest& request) {
  auto person = person_of(api, request);
  if (!person) return std::unexpected(person.error());
  Wish wish{*person, BucketName(text_field_or(request.body, "bucket", "")),
            text_field_or(request.body, "prefix", ""), store::max_loan};
  if (wish.bucket.empty() && !wish.prefix.empty()) {
    return fail(ErrorCode::invalid_argument, "a \"prefix\" needs its \"bucket\"");
  }
  if (!request.body.contains("seconds")) return wish;
  auto seconds = number_field(request.body, "seconds");
  if (!seconds) return std::unexpected(seconds.error());
  if (*seconds < std::uint64_t(store::min_loan.count()) ||
      *seconds > std::uint64_t(store::max_loan.count())) {
    return fail(ErrorCode::invalid_argument, "\"seconds\" goes from {} to {}",
                store::min_loan.count(), store::max_loan.count());
  }
  wish.lifetime = std::chrono::seconds(*seconds);
  return wish;
}

// What is both granted and wished for; false: nothing.
bool narrow(control::Visible& place, const Wish& wish) {
  if (wish.bucket.empty()) return true;
  if (place.bucket != wish.bucket) return false;
  if (control::covers_scope(place.prefix, wish.prefix)) {
    place.prefix = wish.prefix;
    return true;
  }
  return control::covers_scope(wish.prefix, place.prefix);
}

// Why this one cannot be lent; empty: it can.
std::string_view obstacle(WebApi& api, const control::Visible& place, const Wish& wish) {
  if (place.level == Level::drop) return "a drop grant has limits that the endpoint does not know";
  if (place.not_after && *place.not_after < api.parts().clock.now() + wish.lifetime) {
    return "the grant ends before the credentials would";
  }
  const auto rules = api.parts().rules != nullptr ? api.parts().rules->find(place.bucket) : nullptr;
  if (rules != nullptr && (!rules->readable || rules->policy)) return "the bucket has a policy";
  if (!store::can_be_named(place.prefix)) return "no session policy can name the prefix";
  return {};
}

struct Lending {
  std::vector<store::SessionPlace> places;
  json::array lent, left_out;
};

Lending lending_of(WebApi& api, const Wish& wish) {
  Lending out;
  const auto& options = api.parts().direct->options();
  const auto now = api.parts().clock.now();
  for (auto& place : api.parts().policy.current()->visible(wish.person, now)) {
    if (!narrow(place, wish)) continue;
    json::object row{{"bucket", place.bucket.value}};
    set_key(row, "prefix", place.prefix);
    if (const auto why = obstacle(api, place, wish); !why.empty()) {
      row["reason"] = why;
      out.left_out.push_back(std::move(row));
      continue;
    }
    const bool writes = options.lend_writes && place.level != Level::read;
    const auto theirs = options.names.theirs(place.bucket);
    row["upstream_bucket"] = theirs.value;
    row["level"] = writes ? "write" : "read";
    out.lent.push_back(std::move(row));
    out.places.push_back({theirs, place.prefix, writes ? SessionRight::write : SessionRight::read});
  }
  return out;
}

}  // namespace

JsonAnswer post_credentials(WebApi& api, ApiRequest request) {
  store::DirectUrls* direct = api.parts().direct;
  if (direct == nullptr || direct->sts() == nullptr) {
    co_return fail(ErrorCode::not_supported,
                   "this server lends no credentials: store.sts is not configured");
  }
  auto wish = wish_of(api, request);
  if (!wish) co_return std::unexpected(wish.error());
  auto lending = lending_of(api, *wish);
  if (lending.places.empty()) {
    co_return fail(ErrorCode::access_denied,
                   "{} has no grant there that credentials could be lent for: {}",
                   wish->person.value, json::serialize(lending.left_out));
  }
  store::Loan loan{wish->person.value, store::session_policy(lending.places), wish->lifetime};
  if (loan.policy.size() > store::max_session_policy_bytes) {
    co_return fail(ErrorCode::invalid_argument,
                   "the grants of {} do not fit into one session policy: name a bucket or a folder",
                   wish->person.value);
  }
  auto lent = co_await direct->sts()->lend(std::move(loan));
  if (!lent) co_return std::unexpected(lent.error());
  const json::object detail{{"for", wish->person.value},
                            {"key", lent->pair.access_key},
                            {"until", to_rfc3339(lent->until)},
                            {"places", lending.places.size()}};
  api.parts().registry.audit().record({.actor = request.caller.actor.principal,
                                       .action = "direct.credentials",
                                       .target = wish->person.value,
                                       .request_id = request.caller.actor.request_id,
                                       .source = request.caller.actor.source,
                                       .detail = json::serialize(detail)});
  const auto& options = direct->options();
  co_return json::object{{"access_key_id", lent->pair.access_key},
                         {"secret_access_key", lent->pair.secret_key},
                         {"session_token", lent->pair.session_token},
                         {"expires", to_rfc3339(lent->until)},
                         {"endpoint", options.endpoint},
                         {"region", options.region},
                         {"path_style", options.path_style},
                         {"places", std::move(lending.lent)},
                         {"left_out", std::move(lending.left_out)}};
}

}  // namespace holdfast::gateway
