// EngineDriver: how the launcher drives a container engine. Level-triggered: ensure makes it so,
// list tells how it is, watch only hints that it changed. All calls on the launcher's executor.
// `unavailable` and `timed_out` mean "unknown": the launcher then changes nothing.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "control/records.h"

namespace holdfast::control {

struct ContainerMount {
  std::string source;       // absolute path on the host
  std::string destination;  // absolute path in the container
  enum class Mode : std::uint8_t { read_write, read_only } mode = Mode::read_write;
};

// What is to run. The name is deterministic, so that making it twice makes one.
struct ContainerSpec {
  std::string name;
  ToolId tool;
  std::uint64_t generation = 0;
  std::string spec_hash;
  std::uint32_t uid = 0;        // and gid
  std::string user_name, home;  // the passwd entry inside
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  std::vector<ContainerMount> mounts;
  std::vector<std::string> hidden;  // host paths that the overlay must not show (data directory)
  std::string image;                // empty: the host's root as an overlay
  std::uint64_t memory_bytes = 0;
  std::uint32_t pids = 0;
  ToolTemplate::Network network = ToolTemplate::Network::gateway_only;
};

// What the engine says of one of our containers.
struct ContainerState {
  enum class Phase : std::uint8_t { created, running, exited };
  std::string name;
  std::string engine_id;  // the engine's own number for it
  ToolId tool;
  std::uint64_t generation = 0;
  std::string spec_hash;
  Phase phase = Phase::created;
  std::string address;  // IP on the bridge, while running
  TimePoint started{}, finished{};
  int exit_code = 0;
  bool out_of_memory = false;
};

class EngineDriver {
 public:
  virtual ~EngineDriver() = default;
  // Connects or starts the engine, makes the network. Idempotent. Errors say what to install.
  virtual boost::asio::awaitable<Result<void>> prepare() = 0;
  // Makes and starts the container; one of that name that runs with the same spec hash is left
  // alone, any other state of it is `conflict` (remove first).
  virtual boost::asio::awaitable<Result<ContainerState>> ensure(ContainerSpec spec) = 0;
  // Ends it politely, after `grace` by force, and removes it. Gone already is success.
  virtual boost::asio::awaitable<Result<void>> remove(std::string name,
                                                      std::chrono::seconds grace) = 0;
  // All containers of this data directory, running or not.
  virtual boost::asio::awaitable<Result<std::vector<ContainerState>>> list() = 0;
  // Calls `changed` when something may have; returns when the stream ends or is cancelled.
  virtual boost::asio::awaitable<Result<void>> watch(std::function<void()> changed) = 0;
  virtual boost::asio::awaitable<Result<std::string>> logs(std::string name, std::size_t lines) = 0;
  // No tool is left and the server ends: takes the network down.
  virtual boost::asio::awaitable<void> retire() = 0;
  // The host's address as tools see it (the bridge's gateway): serve listens for S3 there.
  // Empty before prepare().
  virtual std::string host_address() const = 0;
};

}  // namespace holdfast::control
