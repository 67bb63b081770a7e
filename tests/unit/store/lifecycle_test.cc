#include "store/lifecycle.h"

#include <gtest/gtest.h>

#include <functional>

#include "store/fault_store.h"
#include "tests/unit/store/store_test.h"

namespace holdfast::store {
namespace {

constexpr std::chrono::seconds day{10};

class LifecycleTest : public StoreTest {
 protected:
  void set_rules(const std::string& inside) {
    const std::string text = "<LifecycleConfiguration><Rule><ID>rule</ID><Status>Enabled</Status>" +
                             inside + "</Rule></LifecycleConfiguration>";
    ASSERT_EQ(outcome(run(memory_.set_bucket_document(bucket_, BucketDocument::lifecycle, text))),
              "ok");
  }
  void pass_days(int days) { clock_.advance(days * day); }
  LifecycleCounts run_pass(LifecycleCursor from = {}) {
    LifecycleRunner runner(memory_, clock_,
                           {.day = day, .versions_per_second = 0, .removals_per_second = 0},
                           {.removed = [this](const auto& event) { events_.push_back(event); },
                            .passed = [this](const auto& cursor) { cursors_.push_back(cursor); }});
    auto counts = run(runner.run_pass(std::move(from), {}));
    EXPECT_EQ(outcome(counts), "ok");
    return counts.value_or(LifecycleCounts());
  }

  std::vector<LifecycleEvent> events_;
  std::vector<LifecycleCursor> cursors_;
};

const std::string one_day =
    "<Filter><Prefix>tmp/</Prefix></Filter>"
    "<Expiration><Days>1</Days></Expiration>";

TEST_F(LifecycleTest, ExpiresWhatIsOldEnoughAndUnderThePrefix) {
  set_rules(one_day);
  write("tmp/old", "1");
  write("kept", "1");
  pass_days(1);
  write("tmp/young", "1");
  EXPECT_EQ(run_pass().expired, 1u);
  EXPECT_EQ(text("tmp/old"), "<no such key>");
  EXPECT_EQ(versions("tmp/old"), 2u) << "a delete marker covers the version";
  EXPECT_EQ(text("tmp/young"), "1");
  EXPECT_EQ(text("kept"), "1");
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].key.value, "tmp/old");
  EXPECT_EQ(events_[0].rule, "rule");
}

TEST_F(LifecycleTest, OnePassExpiresAKeyAndRemovesItsOldVersions) {
  set_rules(
      "<Filter/><Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration>"
      "<NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>");
  write("k", "1");
  write("k", "2");
  pass_days(2);
  const auto counts = run_pass();
  EXPECT_EQ(counts.expired, 1u);
  EXPECT_EQ(counts.noncurrent, 1u);
  EXPECT_EQ(versions("k"), 2u) << "the marker and what it covers";
}

TEST_F(LifecycleTest, RemovesNoncurrentVersionsCountedFromWhenTheyWereReplaced) {
  set_rules(
      "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>"
      "<NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>");
  for (const char* body : {"1", "2", "3"}) write("k", body);
  pass_days(1);
  write("k", "4");
  pass_days(1);
  EXPECT_EQ(run_pass().noncurrent, 2u) << "the third is too young, and kept by count";
  EXPECT_EQ(versions("k"), 2u);
  pass_days(5);
  EXPECT_EQ(run_pass().noncurrent, 0u) << "kept by count";
  write("k", "5");
  EXPECT_EQ(run_pass().noncurrent, 1u);
  EXPECT_EQ(text("k"), "5");
}

TEST_F(LifecycleTest, RemovesAMarkerOnlyWhenNothingIsBehindIt) {
  set_rules(
      "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
      "</Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
      "</NoncurrentVersionExpiration>");
  write("k", "1");
  erase("k");
  EXPECT_EQ(run_pass().markers, 0u);
  pass_days(1);
  EXPECT_EQ(run_pass().noncurrent, 1u);
  EXPECT_EQ(run_pass().markers, 1u);
  EXPECT_EQ(versions("k"), 0u);
}

TEST_F(LifecycleTest, AbortsOldUploads) {
  set_rules(
      "<Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation>"
      "</AbortIncompleteMultipartUpload>");
  auto old = run(memory_.create_upload({.bucket = bucket_, .key = ObjectKey("a")}));
  pass_days(2);
  auto young = run(memory_.create_upload({.bucket = bucket_, .key = ObjectKey("a")}));
  EXPECT_EQ(run_pass().uploads, 1u);
  auto left = run(memory_.list_uploads({.bucket = bucket_}));
  ASSERT_EQ(left->uploads.size(), 1u);
  EXPECT_EQ(left->uploads[0].upload, *young);
  EXPECT_EQ(events_.at(0).version, old->value);
}

TEST_F(LifecycleTest, WhatObjectLockKeepsStaysAndIsCounted) {
  bucket_ = BucketName("locked");
  ASSERT_EQ(outcome(run(memory_.create_bucket(bucket_, true))), "ok");
  set_rules(
      "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
      "</NoncurrentVersionExpiration>");
  const auto held = write("k", "1");
  const auto retained = write("k", "2");
  write("k", "3");
  LockRequest hold{.bucket = bucket_, .key = ObjectKey("k"), .version = held.version};
  hold.legal_hold = true;
  ASSERT_EQ(outcome(run(memory_.set_lock(std::move(hold)))), "ok");
  LockRequest retain{.bucket = bucket_, .key = ObjectKey("k"), .version = retained.version};
  retain.period = LockPeriod{Retention::Mode::compliance, clock_.now() + 3 * day};
  ASSERT_EQ(outcome(run(memory_.set_lock(std::move(retain)))), "ok");
  pass_days(1);
  EXPECT_EQ(run_pass().locked, 2u);
  EXPECT_EQ(versions("k"), 3u);
  pass_days(3);
  const auto counts = run_pass();
  EXPECT_EQ(counts.noncurrent, 1u);
  EXPECT_EQ(counts.locked, 1u) << "the legal hold has no end";
}

// Someone writes between the look at the versions and the removals.
class RacingPlan final : public FaultPlan {
 public:
  explicit RacingPlan(std::function<void()> race) : race_(std::move(race)) {}
  Fault next(Operation operation) override {
    if (operation != Operation::remove || !race_) return {};
    std::exchange(race_, nullptr)();
    return {.latency = std::chrono::milliseconds(20)};
  }

 private:
  std::function<void()> race_;
};

TEST_F(LifecycleTest, AWriteThatComesBetweenIsNotUndone) {
  set_rules(one_day);
  write("tmp/k", "old");
  pass_days(1);
  auto body = make_string_reader("new");
  RacingPlan plan([&] {
    boost::asio::co_spawn(io_, memory_.put({.bucket = bucket_, .key = ObjectKey("tmp/k")}, *body),
                          [](std::exception_ptr, Result<PutResult>) {});
  });
  FaultStore racing(memory_, plan);
  LifecycleRunner runner(racing, clock_, {.day = day, .removals_per_second = 0}, {});
  const auto counts = run(runner.run_pass({}, {}));
  EXPECT_EQ(counts->expired, 0u);
  EXPECT_EQ(text("tmp/k"), "new");
}

TEST_F(LifecycleTest, APassGoesOnBehindItsCursor) {
  set_rules(one_day);
  for (const char* key : {"tmp/a", "tmp/b", "tmp/c"}) write(key, "1");
  pass_days(1);
  EXPECT_EQ(run_pass({bucket_.value, "tmp/b"}).expired, 1u);
  EXPECT_EQ(text("tmp/a"), "1");
  EXPECT_EQ(text("tmp/c"), "<no such key>");
  ASSERT_FALSE(cursors_.empty());
  EXPECT_EQ(cursors_.back().bucket, "") << "the next pass starts at the start";
}

TEST_F(LifecycleTest, OneUnreadableConfigurationDoesNotStopTheOthers) {
  const BucketName other("another");
  ASSERT_EQ(outcome(run(memory_.create_bucket(other, false))), "ok");
  ASSERT_EQ(outcome(run(memory_.set_bucket_document(other, BucketDocument::lifecycle, "<bad"))),
            "ok");
  set_rules(one_day);
  write("tmp/k", "1");
  pass_days(1);
  const auto counts = run_pass();
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_EQ(counts.expired, 1u);
}

}  // namespace
}  // namespace holdfast::store
