#include "control/publisher.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>

#include "tests/unit/control/fixtures.h"

namespace holdfast::control {
namespace {

namespace asio = boost::asio;
using testing::administrator;
using namespace std::chrono_literals;

class PublisherTest : public testing::RegistryTest {
 protected:
  PublisherTest() : publisher(clock) { EXPECT_TRUE(publisher.attach(*registry)); }
  ~PublisherTest() override { registry->on_access_change(nullptr); }
  bool may_read(std::string_view who) {
    return publisher.current()
        ->decide({.principal = PrincipalName(std::string(who)),
                  .action = Action::read_object,
                  .bucket = BucketName("research"),
                  .path = "x",
                  .now = clock.now()})
        .allowed;
  }
  PolicyPublisher publisher;
};

TEST_F(PublisherTest, AChangeIsInForceWhenItsCallReturns) {
  user("bob");
  EXPECT_FALSE(may_read("bob"));
  auto grant = registry->add_grant(administrator(), wanted("bob", "", Level::read));
  EXPECT_TRUE(may_read("bob"));
  ASSERT_TRUE(registry->remove_grant(administrator(), grant->id));
  EXPECT_FALSE(may_read("bob"));
}

TEST_F(PublisherTest, WhatDoesNotTouchAccessPublishesNothing) {
  user("alice");
  const auto before = publisher.current();
  ASSERT_TRUE(registry->start_tool(administrator(), testing::jupyter_of("alice")));
  EXPECT_EQ(publisher.current(), before);
}

TEST_F(PublisherTest, AnOlderEpochNeverReplacesANewerOne) {
  user("alice");
  const auto epoch = publisher.current()->epoch();
  publisher.publish({.epoch = epoch - 1});
  EXPECT_EQ(publisher.current()->epoch(), epoch);
}

TEST_F(PublisherTest, WaitersOnOtherThreadsWakeAtTheNextEpoch) {
  const auto epoch = publisher.current()->epoch();
  std::vector<std::thread> threads;
  std::atomic<int> woken = 0;
  std::vector<std::unique_ptr<asio::io_context>> contexts;
  for (int i = 0; i < 4; ++i) {
    auto& context = *contexts.emplace_back(std::make_unique<asio::io_context>(1));
    for (int waiter = 0; waiter < 10; ++waiter) {
      asio::co_spawn(context, publisher.wait_for_epoch(epoch, 60s),
                     [&](std::exception_ptr, std::uint64_t seen) {
                       if (seen > epoch) ++woken;
                     });
    }
    threads.emplace_back([&context] { context.run(); });
  }
  user("bob");
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(woken, 40);
}

TEST_F(PublisherTest, AWaiterWakesAtTheNearestExpiry) {
  user("bob");
  auto grant = wanted("bob", "", Level::read);
  grant.not_after = clock.now() + 30ms;  // the clock stands still: only the timer runs
  ASSERT_TRUE(registry->add_grant(administrator(), grant));
  asio::io_context context(1);
  const auto begun = std::chrono::steady_clock::now();
  auto done = asio::co_spawn(context, publisher.wait_for_epoch(publisher.current()->epoch(), 60s),
                             asio::use_future);
  context.run();
  (void)done.get();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
}

}  // namespace
}  // namespace holdfast::control
