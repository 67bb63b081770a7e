// The `holdfast` program.
#include <CLI/CLI.hpp>
#include <exception>

#include "cli/commands.h"
#include "cli/version.h"

int main(int argc, char** argv) {
  using namespace holdfast::cli;
  CLI::App app("Holdfast: homes with every save a version, buckets, tools", "holdfast");
  app.set_version_flag("--version", std::string(version));
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  Invocation invocation;
  app.add_option("--data", invocation.data, "Data directory of the server (default: var)")
      ->envname("HOLDFAST_DATA");
  app.add_flag("--json", invocation.json, "Print JSON");
  app.fallthrough();

  add_serve_command(app, invocation);
  add_mount_command(app, invocation);
  add_sync_command(app, invocation);
  add_people_commands(app, invocation);
  add_access_commands(app, invocation);
  add_tool_commands(app, invocation);
  add_object_commands(app, invocation);
  add_history_commands(app, invocation);
  add_audit_commands(app, invocation);
  add_check_command(app, invocation);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and --version "fail" with 0; everything else is a wrong command line.
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return invocation.run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "holdfast: a bug: {}\n", error.what());
    return 1;
  }
}
