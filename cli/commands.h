// The subcommands of `holdfast`, each added to the parser by its group. A command stores what it is
// to do in `Invocation::run`; main runs it after the whole command line has been understood.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/admin_client.h"
#include "cli/output.h"

namespace holdfast::cli {

struct Invocation {
  std::string data = "var";  // --data, for commands that talk to a server
  bool json = false;         // --json
  std::function<int()> run;  // answers the exit code

  Format format() const { return json ? Format::json : Format::table; }
  AdminClient client() const { return AdminClient(data); }
};

void add_serve_command(CLI::App& app, Invocation& invocation);
void add_mount_command(CLI::App& app, Invocation& invocation);
void add_sync_command(CLI::App& app, Invocation& invocation);
void add_check_command(CLI::App& app, Invocation& invocation);
void add_people_commands(CLI::App& app, Invocation& invocation);   // user, key
void add_access_commands(CLI::App& app, Invocation& invocation);   // bucket, grant
void add_tool_commands(CLI::App& app, Invocation& invocation);     // tool, template
void add_object_commands(CLI::App& app, Invocation& invocation);   // ls, cat, cp, rm, presign
void add_history_commands(CLI::App& app, Invocation& invocation);  // history, restore, parked
void add_audit_commands(CLI::App& app, Invocation& invocation);    // audit, status

// Marks `option` strings that live as long as the parser: one per registered option.
CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& description);

}  // namespace holdfast::cli
