// The console's view of tools: states, start, stop, restart, logs, templates.
#include "base/encoding.h"
#include "gateway/web_request.h"
#include "gateway/web_routes.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;
using control::ToolId;

json::object tool_json(const WebApiOptions& options, const control::ToolStatus& status) {
  return {{"template", status.id.tool},
          {"user", status.id.user.value},
          {"title", status.title},
          {"state", control::to_string(status.shown.state)},
          {"reason", status.shown.reason},
          {"log_tail", status.shown.log_tail},
          {"progress", status.shown.progress},
          {"since", to_rfc3339(status.since)},
          {"generation", status.generation},
          {"url", fmt::format("{}://{}-{}.{}/", options.scheme, status.id.tool,
                              status.id.user.value, options.domain)}};
}

// Whose tool it is: one's own, or anybody's for an administrator.
Result<ToolId> tool_of(const ApiRequest& request, std::string_view named_user) {
  ToolId id{request.caller.actor.principal, request.path.size() > 1 ? request.path[1] : ""};
  if (!named_user.empty()) id.user = PrincipalName(std::string(named_user));
  if (id.user != request.caller.actor.principal) {
    if (auto ok = require_admin(request.caller); !ok) return std::unexpected(ok.error());
  }
  return id;
}

Result<control::ToolLauncher*> launcher(WebApi& api) {
  if (api.parts().tools != nullptr) return api.parts().tools;
  return fail(ErrorCode::not_supported,
              "this server launches no tools; set tools.enabled = true in its configuration");
}

}  // namespace

JsonAnswer get_tools(WebApi& api, ApiRequest request) {
  auto tools = launcher(api);
  if (!tools) co_return json::object{{"tools", json::array()}};
  const auto user = query_or(request, "user", "");
  const bool all = query_or(request, "all", "") == "1";
  if (all || !user.empty()) {
    if (auto ok = require_admin(request.caller); !ok) co_return std::unexpected(ok.error());
  }
  json::array rows;
  const auto list =
      all ? (*tools)->list_all()
          : (*tools)->list(user.empty() ? request.caller.actor.principal : PrincipalName(user));
  for (const auto& status : list) rows.push_back(tool_json(api.options(), status));
  co_return json::object{{"tools", std::move(rows)}};
}

JsonAnswer post_tool(WebApi& api, ApiRequest request) {
  auto tools = launcher(api);
  if (!tools) co_return std::unexpected(tools.error());
  auto id = tool_of(request, text_field_or(request.body, "user", ""));
  if (!id) co_return std::unexpected(id.error());
  const auto& verb = request.path[2];
  Result<control::ToolStatus> status =
      fail(ErrorCode::not_found, "a tool takes start, stop or restart, not {}", verb);
  if (verb == "start") status = co_await (*tools)->start(request.caller.actor, *id);
  if (verb == "stop") status = co_await (*tools)->stop_tool(request.caller.actor, *id);
  if (verb == "restart") status = co_await (*tools)->restart(request.caller.actor, *id);
  if (!status) co_return std::unexpected(status.error());
  co_return tool_json(api.options(), *status);
}

JsonAnswer get_tool_logs(WebApi& api, ApiRequest request) {
  auto tools = launcher(api);
  if (!tools) co_return std::unexpected(tools.error());
  auto id = tool_of(request, query_or(request, "user", ""));
  if (!id) co_return std::unexpected(id.error());
  auto text = co_await (*tools)->logs(*id, 500);
  if (!text) co_return std::unexpected(text.error());
  co_return json::object{{"text", *text}};
}

JsonAnswer get_templates(WebApi& api, ApiRequest) {
  auto templates =
      co_await api.parts().pool.run([&api] { return api.parts().registry.templates(); });
  if (!templates) co_return std::unexpected(templates.error());
  json::array rows;
  for (const auto& t : *templates) {
    rows.push_back(json::object{{"name", t.name},
                                {"version", t.version},
                                {"title", t.title},
                                {"port", t.port},
                                {"memory_bytes", t.memory_bytes},
                                {"pids", t.pids}});
  }
  co_return json::object{{"templates", std::move(rows)}};
}

JsonAnswer post_templates(WebApi& api, ApiRequest request) {
  auto name = text_field(request.body, "name");
  if (!name) co_return std::unexpected(name.error());
  control::ToolTemplate wanted;
  wanted.name = *name;
  wanted.title = text_field_or(request.body, "title", *name);
  wanted.image = text_field_or(request.body, "image", "");
  wanted.ready_path = text_field_or(request.body, "ready_path", "/");
  const auto* command = request.body.if_contains("command");
  if (command == nullptr || !command->is_array() || command->get_array().empty()) {
    co_return fail(ErrorCode::invalid_argument, "the body needs \"command\", a list of words");
  }
  for (const auto& word : command->get_array()) {
    if (word.is_string()) wanted.command.emplace_back(word.get_string());
  }
  if (auto port = number_field(request.body, "port")) {
    wanted.port = static_cast<std::uint16_t>(*port);
  }
  if (auto bytes = number_field(request.body, "memory_bytes")) wanted.memory_bytes = *bytes;
  if (auto pids = number_field(request.body, "pids")) {
    wanted.pids = static_cast<std::uint32_t>(*pids);
  }
  auto added = co_await api.parts().pool.run([&api, actor = request.caller.actor, wanted] {
    return api.parts().registry.add_template(actor, wanted);
  });
  if (!added) co_return std::unexpected(added.error());
  co_return json::object{{"name", added->name}, {"version", added->version}};
}

}  // namespace holdfast::gateway
