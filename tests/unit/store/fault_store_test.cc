#include "store/fault_store.h"

#include <fmt/format.h>

#include "store_test.h"

namespace holdfast::store {
namespace {

class Faults : public StoreTest {
 protected:
  std::string put(ObjectStore& store, const std::string& key, std::string text) {
    auto body = make_string_reader(std::move(text));
    return outcome(run(store.put({.bucket = bucket_, .key = ObjectKey(key)}, *body)));
  }
  ScriptedFaults faults_;
  FaultStore store_{memory_, faults_};
};

TEST_F(Faults, ARequestLostBeforeHasNoEffectAndOneLostAfterHas) {
  faults_.add(Operation::write, {.kind = Fault::Kind::before});
  EXPECT_EQ(put(store_, "k", "v"), "unavailable");
  EXPECT_EQ(text("k"), "<no such key>");
  faults_.add(Operation::write, {.kind = Fault::Kind::after, .code = ErrorCode::timed_out});
  EXPECT_EQ(put(store_, "k", "v"), "timed out");
  EXPECT_EQ(text("k"), "v");
  EXPECT_EQ(put(store_, "k", "w"), "ok");
}

TEST_F(Faults, ACutBodyIsNotStoredAndNotReadWhole) {
  faults_.add(Operation::write, {.kind = Fault::Kind::cut, .cut_after = 3});
  EXPECT_EQ(put(store_, "k", "whole"), "unavailable");
  EXPECT_EQ(text("k"), "<no such key>");
  EXPECT_EQ(put(store_, "k", "whole"), "ok");
  faults_.add(Operation::read, {.kind = Fault::Kind::cut, .cut_after = 3});
  auto got = run(store_.get({.bucket = bucket_, .key = ObjectKey("k")}));
  ASSERT_EQ(outcome(got), "ok");
  auto reader = make_reader(std::move(got->body));
  EXPECT_EQ(outcome(run(read_all(*reader, 100))), "unavailable");
}

TEST_F(Faults, TheSameSeedGivesTheSameFaults) {
  const auto draw = [](std::uint64_t seed) {
    SeededFaults faults(seed, {.before = 200, .after = 200, .cut = 200});
    std::string kinds;
    for (int i = 0; i < 100; ++i) {
      kinds += static_cast<char>('0' + static_cast<int>(faults.next(Operation::write).kind));
    }
    return kinds;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
  for (const char kind : {'0', '1', '2', '3'}) EXPECT_TRUE(draw(1).contains(kind));
}

}  // namespace
}  // namespace holdfast::store
