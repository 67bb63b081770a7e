// Runs one coroutine to its end on this thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>

namespace holdfast::test {

template <class T>
T run(boost::asio::io_context& context, boost::asio::awaitable<T> task) {
  std::optional<T> answer;
  std::exception_ptr thrown;
  boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr error, T value) {
    thrown = error;
    answer = std::move(value);
  });
  context.restart();
  context.run();
  if (thrown) std::rethrow_exception(thrown);
  return std::move(*answer);
}

// This thread's. It lives as long as the program: the thread that posted the last answer may still
// be within its post() when that answer has been handled here.
inline boost::asio::io_context& own_context() {
  static std::mutex mutex;
  static std::deque<boost::asio::io_context> contexts;
  thread_local boost::asio::io_context* const mine = [] {
    const std::lock_guard lock(mutex);
    return &contexts.emplace_back();
  }();
  return *mine;
}

template <class T>
T run(boost::asio::awaitable<T> task) {
  return run(own_context(), std::move(task));
}

inline void run(boost::asio::io_context& context, boost::asio::awaitable<void> task) {
  std::exception_ptr thrown;
  boost::asio::co_spawn(context, std::move(task),
                        [&](std::exception_ptr error) { thrown = error; });
  context.restart();
  context.run();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace holdfast::test
