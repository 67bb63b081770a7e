// holdfast tool …, holdfast template …
#include <memory>

#include "cli/commands.h"
#include "s3/names.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

struct ToolOptions {
  std::string tool, user;
};

int change_tool(const Invocation& invocation, const ToolOptions& o, const std::string& verb) {
  auto answer = invocation.client().post(fmt::format("tools/{}/{}", s3::uri_encode(o.tool), verb),
                                         {{"user", o.user}});
  if (!answer) return report(answer.error());
  if (invocation.json) {
    print_value(*answer);
  } else {
    fmt::print("{} of {} is {}: {}\n", o.tool, o.user, text_of(*answer, "state"),
               text_of(*answer, "url"));
  }
  return 0;
}

void add_tool_group(CLI::App& app, Invocation& invocation) {
  auto* tool = add_group(app, "tool", "Tools of people");
  auto o = std::make_shared<ToolOptions>();
  for (const auto& [verb, text] :
       {std::pair("start", "Start a person's tool"), std::pair("stop", "Stop it; its home stays"),
        std::pair("restart", "Stop and start it")}) {
    auto* command = tool->add_subcommand(verb, text);
    command->add_option("tool", o->tool, "Template, such as jupyter")->required();
    command->add_option("--user", o->user)->required();
    command->callback([&invocation, o, word = std::string(verb)] {
      invocation.run = [&invocation, o, word] { return change_tool(invocation, *o, word); };
    });
  }
  tool->add_subcommand("list", "Show what runs")->callback([&invocation] {
    invocation.run = [&invocation] {
      auto answer = invocation.client().get("tools", {{"all", "1"}});
      if (!answer) return report(answer.error());
      print_rows(answer->at("tools").as_array(),
                 {{"TOOL", "template"},
                  {"USER", "user"},
                  {"STATE", "state"},
                  {"SINCE", "since"},
                  {"REASON", "reason"},
                  {"URL", "url"}},
                 invocation.format());
      return 0;
    };
  });
  auto* logs = tool->add_subcommand("logs", "Show a tool's last lines");
  logs->add_option("tool", o->tool)->required();
  logs->add_option("--user", o->user)->required();
  logs->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      auto answer = invocation.client().get(fmt::format("tools/{}/logs", s3::uri_encode(o->tool)),
                                            {{"user", o->user}});
      if (!answer) return report(answer.error());
      fmt::print("{}\n", std::string_view(answer->at("text").as_string()));
      return 0;
    };
  });
}

void add_template_group(CLI::App& app, Invocation& invocation) {
  auto* group = add_group(app, "template", "What tools can be started");
  struct Options {
    std::string name, title, image;
    std::vector<std::string> command;
    std::uint16_t port = 8888;
  };
  auto o = std::make_shared<Options>();
  auto* add = group->add_subcommand("add", "Add a template, or its next version");
  add->add_option("name", o->name)->required();
  add->add_option("--title", o->title);
  add->add_option("--image", o->image, "Container image; default: the host's root as an overlay");
  add->add_option("--port", o->port);
  add->add_option("command", o->command, "Command; {home}, {user}, {port}, {host} are replaced")
      ->required();
  add->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      json::array command(o->command.begin(), o->command.end());
      auto answer =
          invocation.client().post("templates", {{"name", o->name},
                                                 {"title", o->title.empty() ? o->name : o->title},
                                                 {"image", o->image},
                                                 {"port", o->port},
                                                 {"command", std::move(command)}});
      if (!answer) return report(answer.error());
      fmt::print("{} version {}\n", o->name, text_of(*answer, "version"));
      return 0;
    };
  });
  group->add_subcommand("list", "Show templates")->callback([&invocation] {
    invocation.run = [&invocation] {
      auto answer = invocation.client().get("templates");
      if (!answer) return report(answer.error());
      print_rows(answer->at("templates").as_array(),
                 {{"NAME", "name"},
                  {"VERSION", "version"},
                  {"TITLE", "title"},
                  {"PORT", "port"},
                  {"MEMORY", "memory_bytes"},
                  {"PIDS", "pids"}},
                 invocation.format());
      return 0;
    };
  });
}

}  // namespace

void add_tool_commands(CLI::App& app, Invocation& invocation) {
  add_tool_group(app, invocation);
  add_template_group(app, invocation);
}

}  // namespace holdfast::cli
