#include "base/blocking_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <latch>
#include <memory>
#include <thread>

#include "run.h"

namespace holdfast {
namespace {

using boost::asio::awaitable;

awaitable<bool> works_elsewhere_and_comes_home(BlockingPool& pool) {
  const auto home = std::this_thread::get_id();
  const auto away = co_await pool.run([] { return std::this_thread::get_id(); });
  co_return away != home&& std::this_thread::get_id() == home;
}

TEST(BlockingPool, WorksOnItsThreadsAndResumesOnTheCallers) {
  BlockingPool pool(2);
  EXPECT_TRUE(test::run(works_elsewhere_and_comes_home(pool)));
}

awaitable<std::unique_ptr<int>> moves_through(BlockingPool& pool, std::unique_ptr<int> value) {
  co_return co_await pool.run([value = std::move(value)]() mutable {
    ++*value;
    return std::move(value);
  });
}

TEST(BlockingPool, CarriesMoveOnlyWorkAndAnswers) {
  BlockingPool pool(1);
  EXPECT_EQ(*test::run(moves_through(pool, std::make_unique<int>(6))), 7);
}

awaitable<void> meet(BlockingPool& pool, std::latch& all_here, std::atomic<int>& met) {
  // Each call waits for all the others: it ends only if they run at once.
  met += co_await pool.run([&all_here] {
    all_here.arrive_and_wait();
    return 1;
  });
}

TEST(BlockingPool, RunsAsManyCallsAtOnceAsItHasThreads) {
  boost::asio::io_context context;  // outlives the threads that answer to it
  BlockingPool pool(4);
  std::latch all_here(4);
  std::atomic<int> met = 0;
  for (int i = 0; i < 4; ++i) {
    boost::asio::co_spawn(context, meet(pool, all_here, met), boost::asio::detached);
  }
  context.run();
  EXPECT_EQ(met, 4);
}

}  // namespace
}  // namespace holdfast
