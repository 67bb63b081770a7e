// TaskGroup: structured concurrency for coroutines. Whatever is spawned is waited for.
// Usage: group.spawn(f(args)); …; co_await group.stop(grace). All calls on the group's executor
// (a strand where the context has several threads). Destroying a group that still runs is a bug.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <string>

namespace holdfast {

class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor executor);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts the task; refused (destroyed unstarted, false) after stop() began. `name` is logged when
  // the task ends by an exception, which is a bug but must not take its siblings with it.
  bool spawn(std::string name, boost::asio::awaitable<void> task);

  std::size_t running() const;
  bool stopping() const;

  // Refuses new tasks, waits `grace` for the running ones, cancels what is left (cancellation type
  // terminal) and waits for it. Idempotent.
  boost::asio::awaitable<void> stop(std::chrono::milliseconds grace);
  // Waits until nothing runs, without refusing anything.
  boost::asio::awaitable<void> wait_idle();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace holdfast
