// ToolLauncher: starts, watches and ends the tools. Stores only what is desired (in the registry);
// a level-triggered loop compares it with what the engine lists and acts: on start, after every
// change, on engine events and every 30 s. Adopts what runs already, so a killed server loses and
// doubles nothing. What it cannot see it does not touch.
//
// Construct, run(), then call from any thread: each coroutine hops to the launcher's strand and
// comes back to its caller's executor; status(), list() and address() answer from memory at once.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/error.h"
#include "control/engine_driver.h"
#include "control/mount_supervisor.h"
#include "control/registry.h"
#include "control/tool_state.h"

namespace holdfast::control {

struct LauncherOptions {
  std::string s3_endpoint;  // as tools reach it; "{host}" is EngineDriver::host_address()
  std::string region = "us-east-1";
  std::string public_domain = "localhost:7080";  // a tool's host is TOOL-USER.<public_domain>
  std::string public_scheme = "http";
  std::vector<std::string> hidden_paths;  // the data directory
  std::chrono::seconds stop_grace{10};
  // How long a stop waits for containers that are being made, so that it can remove them.
  std::chrono::milliseconds making_limit{30'000};
  std::chrono::milliseconds full_scan_every{30'000};
  std::chrono::milliseconds ready_poll_every{100};
};

struct ToolStatus {
  ToolId id;
  std::string title;
  ShownState shown;
  TimePoint since{};  // of the shown state
  std::uint64_t generation = 0;
  std::uint32_t template_version = 0;
};

// Where the proxy connects; only from the driver, never from a client.
struct ToolAddress {
  std::string ip;
  std::uint16_t port = 0;
  std::uint64_t generation = 0;  // a connection is of one generation; cut it when this changes
};

class ToolLauncher {
 public:
  struct Parts {  // all must outlive the launcher
    Registry& registry;
    EngineDriver& engine;
    MountSupervisor& mounts;
    BlockingPool& pool;
    const Clock& clock;
  };
  // `executor` must not run on several threads at once (a strand, or one thread's context).
  ToolLauncher(boost::asio::any_io_executor executor, Parts parts, LauncherOptions options);
  ~ToolLauncher();
  ToolLauncher(const ToolLauncher&) = delete;
  ToolLauncher& operator=(const ToolLauncher&) = delete;

  // Prepares the engine and starts the loop; without an engine it answers why, and tools show as
  // unknown until one appears.
  boost::asio::awaitable<Result<void>> run();
  // keep_tools: they go on running and are adopted by the next server. remove_tools: Ctrl-C of
  // scripts/run; desired state stays as it is, containers and mounts go. Either waits for what the
  // engine is making: it goes on with that whether or not somebody waits for the answer.
  enum class Ending : std::uint8_t { keep_tools, remove_tools };
  boost::asio::awaitable<void> stop(Ending ending);

  boost::asio::awaitable<Result<ToolStatus>> start(Actor actor, ToolId id);
  boost::asio::awaitable<Result<ToolStatus>> stop_tool(Actor actor, ToolId id);
  boost::asio::awaitable<Result<ToolStatus>> restart(Actor actor, ToolId id);
  boost::asio::awaitable<Result<std::string>> logs(ToolId id, std::size_t lines);
  // Stops every tool of a user that is disabled or gone.
  void user_changed(const PrincipalName& user);

  // A tool that was never started but has a template is Stopped; without template: nullopt.
  std::optional<ToolStatus> status(const ToolId& id) const;
  std::vector<ToolStatus> list(const PrincipalName& user) const;  // one row a template
  std::vector<ToolStatus> list_all() const;                       // every known instance
  std::optional<ToolAddress> address(const ToolId& id) const;     // only while Ready
  // "jupyter-alice" → {alice, jupyter}: the template's name is all before the first '-'.
  static std::optional<ToolId> parse_host_label(std::string_view label);

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::control
