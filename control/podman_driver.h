// PodmanDriver: EngineDriver over podman's REST API (libpod 4.0.0,
// docs.podman.io/en/latest/_static/api.html) on a unix socket. Without a configured socket it runs
// `podman system service` itself as a child process and ends it with itself; containers outlive
// both.
//
// Tools sit on a bridge of their own, "hf<instance id>": internal (no default route, so no network
// but the host on that bridge, where serve listens for S3), each port isolated (no tool reaches
// another), without capabilities, with limits, as the person's uid.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "base/clock.h"
#include "control/engine_driver.h"

namespace holdfast::control {

struct PodmanOptions {
  std::string socket;            // of a running service; empty: start one
  std::string run_dir;           // for our own service's socket and the generated passwd files
  std::string instance_id;       // Registry::instance_id(): names and labels
  std::string runtime = "auto";  // "auto": runc where it is installed, else podman's own choice
};

std::unique_ptr<EngineDriver> make_podman_driver(boost::asio::any_io_executor executor,
                                                 PodmanOptions options, const Clock& clock);

}  // namespace holdfast::control
