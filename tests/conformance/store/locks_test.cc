#include "store_conformance.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

constexpr const char* one_day_of_compliance =
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
    "<DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
    "</ObjectLockConfiguration>";

TEST_P(StoreConformance, APeriodAndAHoldChangeWithoutEachOther) {
  const auto bucket = new_locked_bucket();
  ASSERT_EQ(outcome(put(bucket, "k", "v")), "ok");
  const TimePoint until = std::chrono::ceil<std::chrono::seconds>(
      TimePoint(std::chrono::system_clock::now().time_since_epoch()) + 24h);
  ASSERT_EQ(change(bucket, LockPeriod{Retention::Mode::compliance, until}, std::nullopt), "ok");
  ASSERT_EQ(change(bucket, std::nullopt, true), "ok");
  EXPECT_EQ(retention_of(bucket, "k").mode, Retention::Mode::compliance);
  EXPECT_EQ(retention_of(bucket, "k").until, until);
  EXPECT_TRUE(retention_of(bucket, "k").legal_hold);
  EXPECT_NE(change(bucket, LockPeriod{Retention::Mode::compliance, until - 1h}, std::nullopt),
            "ok");
  EXPECT_NE(change(bucket, LockPeriod{Retention::Mode::governance, until + 1h}, std::nullopt),
            "ok");
  ASSERT_EQ(change(bucket, std::nullopt, false), "ok");
  EXPECT_EQ(retention_of(bucket, "k").until, until);
  EXPECT_FALSE(retention_of(bucket, "k").legal_hold);
}

TEST_P(StoreConformance, EveryKindOfWriteGetsTheBucketsDefault) {
  const auto bucket = new_locked_bucket();
  ASSERT_EQ(outcome(put(bucket, "before", "v")), "ok");
  ASSERT_EQ(outcome(run(store().set_bucket_document(bucket, BucketDocument::object_lock,
                                                    one_day_of_compliance))),
            "ok");
  EXPECT_EQ(retention_of(bucket, "before").mode, Retention::Mode::none);
  ASSERT_EQ(outcome(put(bucket, "put", "v")), "ok");
  CopyRequest copy;
  copy.source_bucket = copy.bucket = bucket;
  copy.source_key = ObjectKey("before");
  copy.key = ObjectKey("copied");
  ASSERT_EQ(outcome(run(store().copy(std::move(copy)))), "ok");
  auto upload = start_upload(bucket, "assembled");
  ASSERT_EQ(outcome(upload), "ok");
  auto part = put_part(bucket, "assembled", *upload, 1, "v");
  ASSERT_EQ(outcome(part), "ok");
  CompleteRequest complete{.bucket = bucket, .key = ObjectKey("assembled"), .upload = *upload};
  complete.parts.push_back({1, part->etag, {}});
  ASSERT_EQ(outcome(run(store().complete_upload(std::move(complete)))), "ok");
  for (const char* key : {"put", "copied", "assembled"}) {
    const Retention retention = retention_of(bucket, key);
    EXPECT_EQ(retention.mode, Retention::Mode::compliance) << key;
    const auto left =
        retention.until - TimePoint(std::chrono::system_clock::now().time_since_epoch());
    EXPECT_GT(left, 23h) << key;
    EXPECT_LE(left, 24h) << key;
  }
}

TEST_P(StoreConformance, ACopyIsLockedAsItAsksFromItsFirstMoment) {
  const auto bucket = new_locked_bucket();
  ASSERT_EQ(outcome(put(bucket, "from", "v")), "ok");
  CopyRequest copy;
  copy.source_bucket = copy.bucket = bucket;
  copy.source_key = ObjectKey("from");
  copy.key = ObjectKey("to");
  copy.retention.legal_hold = true;
  auto made = run(store().copy(std::move(copy)));
  ASSERT_EQ(outcome(made), "ok");
  EXPECT_TRUE(retention_of(bucket, "to").legal_hold);
  EXPECT_NE(outcome(remove(bucket, "to", made->version)), "ok");
}

}  // namespace
}  // namespace holdfast::store
