#include "cli/serve.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/server_parts.h"

namespace holdfast::cli {
namespace {

void greet(ServerParts& parts) {
  const auto& config = parts.config();
  fmt::print("\nHoldfast serves {}\n", config.data);
  fmt::print("  console  {}://{}:{}\n  S3 API   {}://{}:{}\n\n", scheme_of(config.web_tls),
             config.domain, port_of(config.web_listen), scheme_of(config.s3_tls), config.domain,
             port_of(config.s3_listen));
  if (auto link = parts.first_link()) {
    fmt::print("Sign in as the administrator, once, within 30 minutes:\n  {}\n\n", *link);
  }
  const std::string data = config.data;
  fmt::print(
      "Next:\n"
      "  1. holdfast --data {0} user add alice && holdfast --data {0} user link alice\n"
      "  2. holdfast --data {0} bucket create research && "
      "holdfast --data {0} grant add alice write research\n"
      "  3. open the link as alice, start Jupyter, save a file, and look at its versions:\n"
      "     holdfast --data {0} history home:alice/FILE\n\n",
      data);
  fmt::print("ready (Ctrl-C stops everything)\n");
  std::fflush(stdout);
}

// Signals are taken by sigwait on the main thread only; every other thread inherits the block.
sigset_t block_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return set;
}

// SIGHUP reads the certificates again; a changed file is noticed without it. To who sits at a
// terminal it means that the terminal is gone.
void wait_for_end(ServerParts& parts, const sigset_t& signals) {
  constexpr timespec between_looks{.tv_sec = 10, .tv_nsec = 0};
  for (;;) {
    const int signal = ::sigtimedwait(&signals, nullptr, &between_looks);
    if (signal == SIGINT || signal == SIGTERM) return;
    if (signal == SIGHUP && ::isatty(STDIN_FILENO) != 0) return;
    parts.reload_certificates(signal == SIGHUP ? ServerParts::Certificates::again
                                               : ServerParts::Certificates::if_changed);
  }
}

struct ServeOptions {
  std::string config_file, data, s3_listen, web_listen;
};

int run_serve(const ServeOptions& options, const std::string& default_data) {
  auto config = load_config(options.config_file);
  if (!config) return report(config.error());
  if (options.config_file.empty()) config->data = default_data;
  if (!options.data.empty()) config->data = options.data;
  if (!options.s3_listen.empty()) config->s3_listen = options.s3_listen;
  if (!options.web_listen.empty()) config->web_listen = options.web_listen;
  if (auto fine = finish_config(*config); !fine) return report(fine.error());
  return serve(std::move(*config));
}

}  // namespace

int serve(Config config) {
  start_logging(config.log_level, config.log_format == "json" ? LogFormat::json : LogFormat::text);
  const sigset_t signals = block_signals();
  auto parts = ServerParts::build(std::move(config));
  if (!parts) return report(parts.error());
  (*parts)->start_housekeeping();
  if (auto tools = (*parts)->start_tools(); !tools) {
    spdlog::warn("cli: {}; everything else works", tools.error().context);
  }
  greet(**parts);
  wait_for_end(**parts, signals);
  fmt::print("\nstopping: tools end, homes are uploaded and unmounted …\n");
  std::fflush(stdout);
  (*parts)->stop();
  fmt::print("stopped\n");
  return 0;
}

void add_serve_command(CLI::App& app, Invocation& invocation) {
  auto o = std::make_shared<ServeOptions>();
  auto* command = app.add_subcommand("serve", "Run the server: store, S3 API, console, tools");
  command->add_option("--config", o->config_file, "TOML file; docs/OPERATIONS.md lists the keys");
  command->add_option("--s3-listen", o->s3_listen, "ADDRESS:PORT of the S3 API");
  command->add_option("--web-listen", o->web_listen, "ADDRESS:PORT of the console and the tools");
  command->callback([&app, &invocation, o] {
    if (app.get_option("--data")->count() > 0) o->data = invocation.data;
    invocation.run = [&invocation, o] { return run_serve(*o, invocation.data); };
  });
}

}  // namespace holdfast::cli
