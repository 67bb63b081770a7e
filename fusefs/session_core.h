// What session.cc and session_ops.cc share. Included by those two only.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "fusefs/session.h"

struct fuse_session;
struct fuse_lowlevel_ops;

namespace holdfast::fusefs {

struct Session::Core : std::enable_shared_from_this<Session::Core> {
  SessionOptions options;
  std::shared_ptr<Filesystem> filesystem;
  std::function<void()> ended;
  fuse_session* session = nullptr;
  int device = -1;  // /dev/fuse; closed by fuse_session_destroy

  // INIT: seen by the worker that reads it, amended by the one that answers it.
  std::atomic<std::uint64_t> init_request{0};
  std::atomic<std::uint32_t> kernel_minor{0}, kernel_flags{0}, kernel_flags2{0};
  std::atomic<bool> passthrough{false};

  std::mutex mutex;
  std::condition_variable changed;
  std::size_t running = 0;  // workers
  std::vector<std::thread> workers;
  bool unmounted = false;
  unsigned device_number = 0;  // of the mount, as /sys/fs/fuse/connections names it

  ~Core();
};

// The table that libfuse dispatches by; its user data is a Session::Core.
const fuse_lowlevel_ops& session_operations();
std::size_t session_operations_size();

}  // namespace holdfast::fusefs
