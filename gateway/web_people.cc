// Sessions, people and keys of the JSON API.
#include "base/encoding.h"
#include "gateway/web_request.h"
#include "gateway/web_routes.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;

json::object principal_json(const control::Principal& p) {
  return {{"name", p.name.value}, {"kind", control::to_string(p.kind)},
          {"admin", p.admin},     {"disabled", p.disabled},
          {"uid", p.uid},         {"created", to_rfc3339(p.created)}};
}

}  // namespace

JsonAnswer get_session(WebApi& api, ApiRequest request) {
  const auto& options = api.options();
  co_return json::object{{"principal", request.caller.actor.principal.value},
                         {"admin", request.caller.admin},
                         {"csrf", request.caller.csrf},
                         {"s3_endpoint", options.s3_endpoint},
                         {"region", options.region},
                         {"homes_bucket", api.parts().policy.current()->homes_bucket().value},
                         {"domain", options.domain},
                         {"version", options.version}};
}

JsonAnswer get_users(WebApi& api, ApiRequest request) {
  if (auto ok = require_admin(request.caller); !ok) co_return std::unexpected(ok.error());
  auto list = co_await api.parts().pool.run([&api] { return api.parts().registry.principals(); });
  if (!list) co_return std::unexpected(list.error());
  json::array rows;
  for (const auto& principal : *list) rows.push_back(principal_json(principal));
  co_return json::object{{"users", std::move(rows)}};
}

JsonAnswer post_users(WebApi& api, ApiRequest request) {
  auto name = text_field(request.body, "name");
  if (!name) co_return std::unexpected(name.error());
  const auto kind = control::principal_kind_from(text_field_or(request.body, "kind", "user"));
  if (!kind) co_return fail(ErrorCode::invalid_argument, "\"kind\" is user, group, app or service");
  const control::NewPrincipal wanted{.name = PrincipalName(*name),
                                     .kind = *kind,
                                     .admin = flag_field(request.body, "admin", Otherwise::no)};
  auto made = co_await api.parts().pool.run([&api, actor = request.caller.actor, wanted] {
    return api.parts().registry.create_principal(actor, wanted);
  });
  if (!made) co_return std::unexpected(made.error());
  co_return principal_json(*made);
}

JsonAnswer delete_user(WebApi& api, ApiRequest request) {
  const PrincipalName name(request.path[1]);
  auto done = co_await api.parts().pool.run([&api, actor = request.caller.actor, name] {
    return api.parts().registry.remove_principal(actor, name);
  });
  if (!done) co_return std::unexpected(done.error());
  if (api.parts().tools != nullptr) api.parts().tools->user_changed(name);
  co_return json::object{};
}

JsonAnswer post_user(WebApi& api, ApiRequest request) {
  const PrincipalName name(request.path[1]);
  const auto& verb = request.path[2];
  const auto& actor = request.caller.actor;
  if (verb == "link") {
    auto link = co_await api.parts().pool.run(
        [&api, actor, name] { return api.parts().sessions.create_link(actor, name); });
    if (!link) co_return std::unexpected(link.error());
    co_return json::object{{"url", fmt::format("{}://{}/signin/{}", api.options().scheme,
                                               api.options().domain, link->token)},
                           {"expires", to_rfc3339(link->expires)}};
  }
  auto& registry = api.parts().registry;
  using Change = Result<void> (control::Registry::*)(const control::Actor&, const PrincipalName&);
  Change change = nullptr;
  if (verb == "disable") change = &control::Registry::disable_principal;
  if (verb == "enable") change = &control::Registry::enable_principal;
  if (verb == "make-admin") change = &control::Registry::make_admin;
  if (verb == "take-admin") change = &control::Registry::take_admin;
  if (change == nullptr) {
    co_return fail(ErrorCode::not_found,
                   "a user takes link, disable, enable, make-admin or take-admin");
  }
  auto done = co_await api.parts().pool.run(
      [&registry, change, actor, name] { return (registry.*change)(actor, name); });
  if (!done) co_return std::unexpected(done.error());
  if (api.parts().tools != nullptr) api.parts().tools->user_changed(name);
  co_return json::object{};
}

JsonAnswer get_keys(WebApi& api, ApiRequest request) {
  PrincipalName user(query_or(request, "user", request.caller.actor.principal.value));
  if (user != request.caller.actor.principal) {
    if (auto ok = require_admin(request.caller); !ok) co_return std::unexpected(ok.error());
  }
  auto list =
      co_await api.parts().pool.run([&api, user] { return api.parts().registry.keys(user); });
  if (!list) co_return std::unexpected(list.error());
  json::array rows;
  for (const auto& key : *list) {
    rows.push_back(json::object{
        {"access_key_id", key.id.value},
        {"user", key.principal.value},
        {"purpose", key.purpose},
        {"not_after", key.not_after ? json::value(to_rfc3339(*key.not_after)) : nullptr}});
  }
  co_return json::object{{"keys", std::move(rows)}};
}

JsonAnswer post_keys(WebApi& api, ApiRequest request) {
  control::NewKey wanted{.principal = PrincipalName(text_field_or(
                             request.body, "user", request.caller.actor.principal.value)),
                         .not_after = std::nullopt,
                         .scope = std::nullopt};
  if (const auto text = text_field_or(request.body, "not_after", ""); !text.empty()) {
    wanted.not_after = from_rfc3339(text);
    if (!wanted.not_after) {
      co_return fail(ErrorCode::invalid_argument,
                     "\"not_after\" takes a time such as "
                     "2026-12-31T23:59:59Z");
    }
  }
  auto key = co_await api.parts().pool.run([&api, actor = request.caller.actor, wanted] {
    return api.parts().registry.create_key(actor, wanted);
  });
  if (!key) co_return std::unexpected(key.error());
  co_return json::object{{"access_key_id", key->id.value},
                         {"secret_access_key", key->secret},
                         {"user", key->principal.value}};
}

JsonAnswer delete_key(WebApi& api, ApiRequest request) {
  const AccessKeyId id(request.path[1]);
  auto done = co_await api.parts().pool.run([&api, actor = request.caller.actor, id] {
    return api.parts().registry.revoke_key(actor, id);
  });
  if (!done) co_return std::unexpected(done.error());
  co_return json::object{};
}

}  // namespace holdfast::gateway
