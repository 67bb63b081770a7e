#include "base/event.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "base/task_group.h"
#include "run.h"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;

awaitable<void> wait_once(Event& event, std::chrono::milliseconds limit, int& woken) {
  co_await event.wait(limit);
  ++woken;
}

TEST(Event, NotifyWakesEveryWaiter) {
  boost::asio::io_context context;
  Event event(context.get_executor());
  int woken = 0;
  for (int i = 0; i < 3; ++i) {
    boost::asio::co_spawn(context, wait_once(event, 1h, woken), boost::asio::detached);
  }
  context.poll();
  EXPECT_LT(woken, 3);
  event.notify();
  context.run();  // ends only when nobody waits any more
  EXPECT_EQ(woken, 3);
}

TEST(Event, AWaitEndsAtItsLimit) {
  boost::asio::io_context context;
  Event event(context.get_executor());
  int woken = 0;
  const auto start = std::chrono::steady_clock::now();
  test::run(context, wait_once(event, 20ms, woken));
  EXPECT_EQ(woken, 1);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
  // And again: the limit that passed is not remembered.
  const auto again = std::chrono::steady_clock::now();
  test::run(context, wait_once(event, 20ms, woken));
  EXPECT_GE(std::chrono::steady_clock::now() - again, 20ms);
}

awaitable<void> sleep_long(bool& ended) {
  co_await sleep_for(1h);
  ended = true;
}

awaitable<void> cancel_sleep(TaskGroup& group, bool& ended) {
  group.spawn("sleep", sleep_long(ended));
  co_await sleep_for(1ms);
  co_await group.stop(0ms);
}

TEST(SleepFor, EndsEarlyWhenCancelled) {
  boost::asio::io_context context;
  TaskGroup group(context.get_executor());
  bool ended = false;
  test::run(context, cancel_sleep(group, ended));
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace holdfast
