// What a home's sync engine has parked for a person, and their answer.
#include "base/log.h"
#include "gateway/web_request.h"
#include "gateway/web_routes.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;

// The caller's own home, or anybody's for administrators.
Result<PrincipalName> home_of(const Caller& caller, std::string user) {
  PrincipalName name(user.empty() ? caller.actor.principal.value : std::move(user));
  if (name == caller.actor.principal) return name;
  if (auto ok = require_admin(caller); !ok) return std::unexpected(ok.error());
  return name;
}

Result<void> check_homes(WebApi& api) {
  if (api.parts().homes.status && api.parts().homes.decide_parked) return {};
  return fail(ErrorCode::not_supported, "this server mounts no homes");
}

json::array parked_of(const json::value& homes, const PrincipalName& user) {
  for (const auto& row : homes.as_array()) {
    if (row.at("user").as_string() != user.value) continue;
    const auto* parked = row.as_object().if_contains("parked");
    return parked != nullptr ? parked->as_array() : json::array();
  }
  return {};
}

}  // namespace

JsonAnswer get_parked(WebApi& api, ApiRequest request) {
  auto user = home_of(request.caller, query_or(request, "user", ""));
  if (!user) co_return std::unexpected(user.error());
  if (auto ok = check_homes(api); !ok) co_return std::unexpected(ok.error());
  const auto homes = co_await api.parts().pool.run(api.parts().homes.status);
  co_return json::object{{"user", user->value}, {"parked", parked_of(homes, *user)}};
}

JsonAnswer post_parked(WebApi& api, ApiRequest request) {
  auto user = home_of(request.caller, text_field_or(request.body, "user", ""));
  if (!user) co_return std::unexpected(user.error());
  if (auto ok = check_homes(api); !ok) co_return std::unexpected(ok.error());
  ParkedAnswer answer{*user, text_field_or(request.body, "path", ""), false};
  const auto decision = text_field(request.body, "decision");
  if (!decision) co_return std::unexpected(decision.error());
  answer.bring_back = *decision == "bring_back";
  if (!answer.bring_back && *decision != "let_go") {
    co_return fail(ErrorCode::invalid_argument, "\"decision\" takes bring_back or let_go");
  }
  auto done = co_await api.parts().pool.run(
      [&api, answer] { return api.parts().homes.decide_parked(answer); });
  api.parts().registry.audit().record(
      {.actor = request.caller.actor.principal,
       .action = "home.parked",
       .target = fmt::format("{}/{}", user->value, answer.path),
       .outcome = done ? "ok" : "failed",
       .request_id = request.caller.actor.request_id,
       .source = request.caller.actor.source,
       .detail = fmt::format("{{\"decision\":\"{}\"}}", *decision)});
  if (!done) co_return std::unexpected(done.error());
  co_return json::object{};
}

}  // namespace holdfast::gateway
