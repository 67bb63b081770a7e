// Session: one FUSE mount on libfuse's low-level API: mounts, runs bounded workers, asks the kernel
// for passthrough (FUSE_PASSTHROUGH, 7.40 and later; needs CAP_SYS_ADMIN) and parallel directory
// operations by amending libfuse 3.14's INIT answer, and unmounts.
// mount() and unmount() on one thread; unmount() is not called from a worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "fusefs/filesystem.h"

namespace holdfast::fusefs {

struct SessionOptions {
  std::string mount_point;        // created when it is missing
  std::string name = "holdfast";  // shown by mount(8) and df(1) as the source
  std::size_t workers = 16;
  bool passthrough = true;  // where the kernel allows
};

class Session {
 public:
  // conflict: something is mounted there already. A dead mount ("Transport endpoint is not
  // connected") is taken away first. not_supported: no /dev/fuse. access_denied: not root.
  // `ended` is called once, from a thread of the session, when the mount has gone away, by
  // unmount() or from outside.
  static Result<std::unique_ptr<Session>> mount(SessionOptions options,
                                                std::shared_ptr<Filesystem> filesystem,
                                                std::function<void()> ended);
  ~Session();  // unmount(0)
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Waits up to `grace` for the last user to leave, then takes the mount away under them (their
  // next request answers ENOTCONN). True when nobody was left. Idempotent.
  bool unmount(std::chrono::milliseconds grace);
  bool passthrough() const;

  struct Core;  // of this folder's sources

 private:
  struct Kernel;
  explicit Session(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

// True when `path` is the root of a mount whose server is gone.
bool is_dead_mount(const std::string& path);

}  // namespace holdfast::fusefs
