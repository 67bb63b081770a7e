// Buckets, grants, audit and status of the JSON API.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "base/encoding.h"
#include "gateway/web_request.h"
#include "gateway/web_routes.h"
#include "store/quota.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;
using control::Action;

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view versioning_word(store::Versioning versioning) {
  switch (versioning) {
    case store::Versioning::unversioned:
      return "off";
    case store::Versioning::enabled:
      return "enabled";
    case store::Versioning::suspended:
      return "suspended";
  }
  return "off";
}

json::object grant_json(const control::Grant& grant) {
  return {{"id", grant.id},
          {"principal", grant.principal.value},
          {"bucket", grant.bucket.value},
          {"prefix", grant.prefix},
          {"level", control::to_string(grant.level)},
          {"not_after", grant.not_after ? json::value(to_rfc3339(*grant.not_after)) : nullptr},
          {"granted_by", grant.granted_by.value}};
}

json::object event_json(const control::AuditEvent& event) {
  boost::system::error_code error;
  json::value detail = event.detail.empty() ? json::value() : json::parse(event.detail, error);
  if (error) detail = json::string(event.detail);
  return {{"seq", event.sequence},          {"time", to_rfc3339(event.time)},
          {"actor", event.actor.value},     {"on_behalf_of", event.on_behalf_of.value},
          {"action", event.action},         {"target", event.target},
          {"outcome", event.outcome},       {"grant", event.grant},
          {"request_id", event.request_id}, {"source", event.source},
          {"detail", std::move(detail)}};
}

json::object usage_json(const store::BucketUsage& usage) {
  return {{"bytes", usage.bytes}, {"objects", usage.objects}};
}

json::value limit_json(const std::optional<std::uint64_t>& limit) {
  return limit ? json::value(*limit) : json::value(nullptr);
}

void audit_bucket(WebApi& api, const Caller& caller, std::string action, const BucketName& name) {
  api.parts().registry.audit().record({.actor = caller.actor.principal,
                                       .action = std::move(action),
                                       .target = name.value,
                                       .request_id = caller.actor.request_id,
                                       .source = caller.actor.source,
                                       .detail = {}});
}

}  // namespace

JsonAnswer get_buckets(WebApi& api, ApiRequest request) {
  auto list = co_await api.parts().store.list_buckets();
  if (!list) co_return std::unexpected(list.error());
  json::array rows;
  for (const auto& bucket : *list) {
    if (!request.caller.admin &&
        !authorise(api, request.caller, Action::head_bucket, bucket.name, "")) {
      continue;
    }
    json::object row{{"name", bucket.name.value},
                     {"created", to_rfc3339(bucket.created)},
                     {"versioning", versioning_word(bucket.versioning)}};
    if (bucket.usage && request.caller.admin) row["usage"] = usage_json(*bucket.usage);
    rows.push_back(std::move(row));
  }
  co_return json::object{{"buckets", std::move(rows)}};
}

JsonAnswer get_quota(WebApi& api, ApiRequest request) {
  const BucketName bucket(request.path[1]);
  auto ok = authorise(api, request.caller, Action::read_bucket_config, bucket, "");
  if (!ok) co_return std::unexpected(ok.error());
  auto info = co_await api.parts().store.head_bucket(bucket);
  if (!info) co_return std::unexpected(info.error());
  auto text = co_await api.parts().store.bucket_document(bucket, store::BucketDocument::quota);
  if (!text && text.error().code != ErrorCode::not_found) co_return std::unexpected(text.error());
  auto quota = text ? store::parse_quota(*text) : store::Quota();
  if (!quota) co_return std::unexpected(quota.error());
  json::object out{{"bytes", limit_json(quota->bytes)}, {"objects", limit_json(quota->objects)}};
  if (info->usage) out["usage"] = usage_json(*info->usage);
  co_return out;
}

JsonAnswer post_quota(WebApi& api, ApiRequest request) {
  if (auto ok = require_admin(request.caller); !ok) co_return std::unexpected(ok.error());
  const BucketName bucket(request.path[1]);
  auto quota = store::parse_quota(json::serialize(request.body));
  if (!quota) co_return std::unexpected(quota.error());
  auto done = co_await api.parts().store.set_bucket_document(
      bucket, store::BucketDocument::quota, quota->limits() ? store::to_json(*quota) : "");
  if (!done) co_return std::unexpected(done.error());
  audit_bucket(api, request.caller, "bucket.quota", bucket);
  co_return json::object{{"bytes", limit_json(quota->bytes)},
                         {"objects", limit_json(quota->objects)}};
}

JsonAnswer post_buckets(WebApi& api, ApiRequest request) {
  if (auto ok = require_admin(request.caller); !ok) co_return std::unexpected(ok.error());
  auto name = text_field(request.body, "name");
  if (!name) co_return std::unexpected(name.error());
  const BucketName bucket(*name);
  auto made = co_await api.parts().store.create_bucket(bucket, false);
  if (!made) co_return std::unexpected(made.error());
  if (flag_field(request.body, "versioning", Otherwise::yes)) {
    auto set = co_await api.parts().store.set_versioning(bucket, store::Versioning::enabled);
    if (!set) co_return std::unexpected(set.error());
  }
  audit_bucket(api, request.caller, "bucket.create", bucket);
  co_return json::object{{"name", *name}};
}

JsonAnswer delete_bucket(WebApi& api, ApiRequest request) {
  if (auto ok = require_admin(request.caller); !ok) co_return std::unexpected(ok.error());
  const BucketName bucket(request.path[1]);
  if (bucket == api.parts().policy.current()->homes_bucket()) {
    co_return fail(ErrorCode::access_denied, "{} holds everybody's homes; it cannot be removed",
                   bucket.value);
  }
  auto gone = co_await api.parts().store.delete_bucket(bucket);
  if (api.parts().rules != nullptr) co_await api.parts().rules->reload(bucket);
  if (!gone) co_return std::unexpected(gone.error());
  audit_bucket(api, request.caller, "bucket.delete", bucket);
  auto grants = co_await api.parts().pool.run([&api, actor = request.caller.actor, bucket] {
    return api.parts().registry.remove_grants_of_bucket(actor, bucket);
  });
  if (!grants) co_return std::unexpected(grants.error());
  co_return json::object{};
}

JsonAnswer get_grants(WebApi& api, ApiRequest request) {
  control::GrantFilter filter{PrincipalName(query_or(request, "principal", "")),
                              BucketName(query_or(request, "bucket", ""))};
  if (!request.caller.admin) filter.principal = request.caller.actor.principal;
  auto list =
      co_await api.parts().pool.run([&api, filter] { return api.parts().registry.grants(filter); });
  if (!list) co_return std::unexpected(list.error());
  json::array rows;
  for (const auto& grant : *list) rows.push_back(grant_json(grant));
  co_return json::object{{"grants", std::move(rows)}};
}

JsonAnswer post_grants(WebApi& api, ApiRequest request) {
  auto principal = text_field(request.body, "principal");
  auto bucket = text_field(request.body, "bucket");
  auto level_text = text_field(request.body, "level");
  if (!principal) co_return std::unexpected(principal.error());
  if (!bucket) co_return std::unexpected(bucket.error());
  if (!level_text) co_return std::unexpected(level_text.error());
  const auto level = control::level_from(*level_text);
  if (!level) co_return fail(ErrorCode::invalid_argument, "a level is read, write, drop or admin");
  control::NewGrant wanted{.principal = PrincipalName(*principal),
                           .bucket = BucketName(*bucket),
                           .prefix = text_field_or(request.body, "prefix", ""),
                           .level = *level,
                           .not_after = std::nullopt};
  if (const auto text = text_field_or(request.body, "not_after", ""); !text.empty()) {
    wanted.not_after = from_rfc3339(text);
    if (!wanted.not_after) {
      co_return fail(ErrorCode::invalid_argument,
                     "\"not_after\" takes a time such as 2026-12-31T23:59:59Z");
    }
  }
  // A grant on a bucket that is not there is a typing error today and a surprise later.
  auto head = co_await api.parts().store.head_bucket(wanted.bucket);
  if (!head) co_return std::unexpected(head.error());
  auto made = co_await api.parts().pool.run([&api, actor = request.caller.actor, wanted] {
    return api.parts().registry.add_grant(actor, wanted);
  });
  if (!made) co_return std::unexpected(made.error());
  co_return grant_json(*made);
}

JsonAnswer delete_grant(WebApi& api, ApiRequest request) {
  const auto id = to_number(request.path[1]);
  if (!id) co_return fail(ErrorCode::invalid_argument, "a grant's id is a number");
  auto done = co_await api.parts().pool.run(
      [&api, actor = request.caller.actor, id = static_cast<std::int64_t>(*id)] {
        return api.parts().registry.remove_grant(actor, id);
      });
  if (!done) co_return std::unexpected(done.error());
  co_return json::object{};
}

JsonAnswer get_audit(WebApi& api, ApiRequest request) {
  if (auto ok = require_admin(request.caller); !ok) co_return std::unexpected(ok.error());
  const auto limit =
      std::min<std::uint64_t>(to_number(query_or(request, "limit", "100")).value_or(100), 10'000);
  const control::AuditFilter filter{
      .actor = PrincipalName(query_or(request, "actor", "")),
      .action = query_or(request, "action", ""),
      .before = to_number(query_or(request, "before", "0")).value_or(0),
      .after = to_number(query_or(request, "after", "0")).value_or(0)};
  auto events = co_await api.parts().pool.run(
      [&api, limit, filter] { return api.parts().registry.audit().tail(limit, filter); });
  if (!events) co_return std::unexpected(events.error());
  json::array rows;
  for (const auto& event : *events) rows.push_back(event_json(event));
  co_return json::object{{"events", std::move(rows)}};
}

JsonAnswer get_audit_verify(WebApi& api, ApiRequest request) {
  if (auto ok = require_admin(request.caller); !ok) co_return std::unexpected(ok.error());
  auto verdict =
      co_await api.parts().pool.run([&api] { return api.parts().registry.audit().verify(); });
  if (!verdict) co_return std::unexpected(verdict.error());
  co_return json::object{
      {"ok", verdict->ok()},
      {"events", verdict->events},
      {"first_bad", verdict->first_bad ? json::value(*verdict->first_bad) : nullptr},
      {"reason", verdict->reason},
      {"head", verdict->head}};
}

JsonAnswer get_status(WebApi& api, ApiRequest request) {
  if (auto ok = require_admin(request.caller); !ok) co_return std::unexpected(ok.error());
  json::object out{{"version", api.options().version},
                   {"data", api.options().data_directory},
                   {"s3_endpoint", api.options().s3_endpoint},
                   {"console", api.options().scheme + "://" + api.options().domain},
                   {"epoch", api.parts().policy.current()->epoch()}};
  json::array tools;
  if (api.parts().tools != nullptr) {
    for (const auto& status : api.parts().tools->list_all()) {
      tools.push_back(json::object{{"tool", status.id.tool},
                                   {"user", status.id.user.value},
                                   {"state", control::to_string(status.shown.state)},
                                   {"reason", status.shown.reason}});
    }
  }
  out["tools"] = std::move(tools);
  out["homes"] = api.parts().homes.status ? co_await api.parts().pool.run(api.parts().homes.status)
                                          : json::value(json::array());
  out["scrub"] = scrub_summary(api);
  out["webhooks"] = api.parts().webhooks ? api.parts().webhooks() : json::array();
  co_return out;
}

}  // namespace holdfast::gateway
