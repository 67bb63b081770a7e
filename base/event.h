// Event: lets one coroutine wait for another. notify() wakes every waiter of now; a waiter passes a
// deadline and looks at its own condition again. All calls on one executor (strand).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace holdfast {

class Event {
 public:
  explicit Event(boost::asio::any_io_executor executor);
  void notify();
  // Returns at notify(), after `limit`, or when the coroutine is cancelled.
  boost::asio::awaitable<void> wait(std::chrono::milliseconds limit);

 private:
  boost::asio::steady_timer timer_;
};

// Sleeps, or returns early when the coroutine is cancelled.
boost::asio::awaitable<void> sleep_for(std::chrono::milliseconds time);

}  // namespace holdfast
