#include "fusefs/invalidator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace holdfast::fusefs {
namespace {

TEST(Invalidator, RunsWhatIsPostedOnceAnIdentity) {
  std::atomic<int> runs = 0;
  std::promise<void> gate;
  Invalidator invalidator([] {}, 100);
  invalidator.post("hold", [&] { gate.get_future().wait(); });
  for (int n = 0; n < 5; ++n) invalidator.post("same", [&] { ++runs; });
  gate.set_value();
  invalidator.wait_idle();
  EXPECT_EQ(runs, 1);
}

TEST(Invalidator, TurnsWhatDoesNotFitIntoEverything) {
  std::atomic<int> everything = 0, singles = 0;
  std::promise<void> gate, held;
  Invalidator invalidator([&] { ++everything; }, 3);
  invalidator.post("hold", [&] {
    held.set_value();
    gate.get_future().wait();
  });
  held.get_future().wait();
  for (int n = 0; n < 10; ++n) invalidator.post(std::to_string(n), [&] { ++singles; });
  gate.set_value();
  invalidator.wait_idle();
  EXPECT_EQ(everything, 1);
  EXPECT_EQ(singles, 0);
}

}  // namespace
}  // namespace holdfast::fusefs
