#include "base/task_group.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <stdexcept>

#include "base/event.h"
#include "run.h"

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;

awaitable<void> count(int& counter, std::chrono::milliseconds after) {
  co_await sleep_for(after);
  ++counter;
}

awaitable<void> spawn_three_and_wait(TaskGroup& group, int& counter) {
  for (int i = 0; i < 3; ++i) group.spawn("count", count(counter, std::chrono::milliseconds(i)));
  EXPECT_EQ(group.running(), 3u);
  co_await group.wait_idle();
  EXPECT_EQ(group.running(), 0u);
  EXPECT_FALSE(group.stopping());
}

TEST(TaskGroup, WaitIdleWaitsForEveryTask) {
  boost::asio::io_context context;
  TaskGroup group(context.get_executor());
  int counter = 0;
  test::run(context, spawn_three_and_wait(group, counter));
  EXPECT_EQ(counter, 3);
}

awaitable<void> stop_within_grace(TaskGroup& group, int& counter) {
  group.spawn("count", count(counter, 5ms));
  co_await group.stop(1h);  // returns when the task is done, not after the hour
  EXPECT_EQ(counter, 1);
  EXPECT_FALSE(group.spawn("late", count(counter, 0ms)));
  co_await group.stop(1h);  // idempotent
}

TEST(TaskGroup, StopLetsTasksFinishAndRefusesNewOnes) {
  boost::asio::io_context context;
  TaskGroup group(context.get_executor());
  int counter = 0;
  test::run(context, stop_within_grace(group, counter));
  EXPECT_EQ(counter, 1);
}

awaitable<void> forever(int& ended) {
  struct Mark {
    int& ended;
    ~Mark() { ++ended; }
  } mark{ended};
  for (;;) co_await sleep_for(1h);
}

awaitable<void> stop_endless_tasks(TaskGroup& group, int& ended) {
  for (int i = 0; i < 5; ++i) group.spawn("forever", forever(ended));
  co_await sleep_for(1ms);
  co_await group.stop(1ms);
  EXPECT_EQ(group.running(), 0u);
}

TEST(TaskGroup, StopCancelsWhatOutlastsItsGrace) {
  boost::asio::io_context context;
  TaskGroup group(context.get_executor());
  int ended = 0;
  test::run(context, stop_endless_tasks(group, ended));
  EXPECT_EQ(ended, 5);
}

awaitable<void> throw_soon() {
  co_await sleep_for(1ms);
  throw std::runtime_error("a bug");
}

awaitable<void> one_throws(TaskGroup& group, int& counter) {
  group.spawn("throws", throw_soon());
  group.spawn("count", count(counter, 5ms));
  co_await group.wait_idle();
}

TEST(TaskGroup, ATaskThatThrowsDoesNotTakeItsSiblings) {
  boost::asio::io_context context;
  TaskGroup group(context.get_executor());
  int counter = 0;
  test::run(context, one_throws(group, counter));
  EXPECT_EQ(counter, 1);
}

}  // namespace
}  // namespace holdfast
