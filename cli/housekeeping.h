// Housekeeping: what `holdfast serve` does to its store beside the traffic: carrying out lifecycle
// rules, compacting the log, scrubbing. Each task runs in its own coroutine on the first context,
// paced, until stop(). start() and stop() from the main thread; they block.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/event.h"
#include "base/task_group.h"
#include "cli/scrubbing.h"
#include "control/audit.h"
#include "net/io_pool.h"
#include "store/lifecycle.h"
#include "store/local_store.h"

namespace holdfast::cli {

struct HousekeepingOptions {
  std::string cursor_file;  // where a lifecycle pass that was cut short goes on
  std::chrono::seconds lifecycle_day{86'400};
  Scrubbing* scrubbing = nullptr;  // outlives this; null: nothing is to be scrubbed
};

class Housekeeping {
 public:
  // The references outlive this.
  Housekeeping(net::IoPool& io, store::LocalStore& store, control::AuditLog& audit,
               const Clock& clock, HousekeepingOptions options);
  ~Housekeeping();  // stop()

  void start();
  void stop();

 private:
  boost::asio::awaitable<bool> spawn_all();
  boost::asio::awaitable<bool> end_all();
  boost::asio::awaitable<void> carry_out_lifecycle();
  boost::asio::awaitable<void> compact_log();
  void note_removal(const store::LifecycleEvent& event);
  void save_cursor(const store::LifecycleCursor& cursor);
  store::LifecycleCursor load_cursor() const;

  net::IoPool& io_;
  store::LocalStore& store_;
  control::AuditLog& audit_;
  const Clock& clock_;
  HousekeepingOptions options_;
  std::stop_source stop_;
  Event stopped_;
  TaskGroup tasks_;
  MonotonicTime cursor_saved_{};
  bool running_ = false;
};

}  // namespace holdfast::cli
