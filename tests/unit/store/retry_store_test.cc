#include "store/retry_store.h"

#include "store/fault_store.h"
#include "store_test.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

class Retry : public StoreTest {
 protected:
  Retry()
      : broken_(memory_, faults_),
        store_(broken_, random_, {.attempts = 3, .first = 1ms, .longest = 2ms}) {}

  void fail_times(Operation operation, int times, ErrorCode code = ErrorCode::unavailable) {
    for (int i = 0; i < times; ++i) {
      faults_.add(operation, {.kind = Fault::Kind::before, .code = code});
    }
  }
  ScriptedFaults faults_;
  FaultStore broken_;
  RetryStore store_;
};

TEST_F(Retry, AReadIsAskedAgainWhileTheStoreIsAway) {
  write("k", "v");
  for (const auto code : {ErrorCode::unavailable, ErrorCode::timed_out, ErrorCode::throttled}) {
    fail_times(Operation::read, 2, code);
    EXPECT_EQ(outcome(run(store_.head({.bucket = bucket_, .key = ObjectKey("k")}))), "ok");
  }
  EXPECT_TRUE(faults_.used_up());
}

TEST_F(Retry, AfterTheLastAttemptTheErrorIsTold) {
  fail_times(Operation::list, 3);
  EXPECT_EQ(outcome(run(store_.list({.bucket = bucket_}))), "unavailable");
  EXPECT_TRUE(faults_.used_up());
}

TEST_F(Retry, WhatWillNotGoAwayIsToldAtOnce) {
  fail_times(Operation::list, 1, ErrorCode::access_denied);
  EXPECT_EQ(outcome(run(store_.list({.bucket = bucket_}))), "access denied");
  EXPECT_EQ(outcome(run(store_.head({.bucket = bucket_, .key = ObjectKey("none")}))),
            "no such key");
}

TEST_F(Retry, WhatMakesAVersionIsNeverRepeated) {
  write("k", "v");
  faults_.add(Operation::write, {.kind = Fault::Kind::after});
  auto body = make_string_reader("v2");
  EXPECT_EQ(outcome(run(store_.put({.bucket = bucket_, .key = ObjectKey("k")}, *body))),
            "unavailable");
  EXPECT_EQ(versions("k"), 2u) << "its answer was lost, its effect was not";
  faults_.add(Operation::remove, {.kind = Fault::Kind::after});
  EXPECT_EQ(outcome(run(store_.remove({.bucket = bucket_, .key = ObjectKey("k")}))), "unavailable");
  EXPECT_EQ(versions("k"), 3u);
}

TEST_F(Retry, RemovingAVersionIsRepeated) {
  const auto version = write("k", "v").version;
  faults_.add(Operation::remove, {.kind = Fault::Kind::after});
  EXPECT_EQ(
      outcome(run(store_.remove({.bucket = bucket_, .key = ObjectKey("k"), .version = version}))),
      "ok");
  EXPECT_EQ(versions("k"), 0u);
}

}  // namespace
}  // namespace holdfast::store
