#include "store/memory_store.h"

#include "store_test.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

TEST_F(StoreTest, TheTimeOfAVersionIsThatOfItsCommit) {
  const auto done = write("k", "v");
  EXPECT_EQ(done.modified, clock_.now());
  clock_.advance(1h);
  const auto upload = run(memory_.create_upload({.bucket = bucket_, .key = ObjectKey("m")}));
  auto body = make_string_reader("part");
  const auto part = run(memory_.put_part(
      {.bucket = bucket_, .key = ObjectKey("m"), .upload = *upload, .number = 1}, *body));
  clock_.advance(1h);
  const auto whole = run(memory_.complete_upload({.bucket = bucket_,
                                                  .key = ObjectKey("m"),
                                                  .upload = *upload,
                                                  .parts = {{1, part->etag, {}}}}));
  ASSERT_EQ(outcome(whole), "ok");
  EXPECT_EQ(whole->modified, clock_.now()) << "not the time of the upload's start";
}

TEST_F(StoreTest, TheSameSeedGivesTheSameVersions) {
  SeededRandom random(7);
  ManualClock clock;
  MemoryStore twin(io_.get_executor(), clock, random);
  ASSERT_EQ(outcome(run(twin.create_bucket(bucket_, false))), "ok");
  ASSERT_EQ(outcome(run(twin.set_versioning(bucket_, Versioning::enabled))), "ok");
  EXPECT_EQ(write("k", "v").version, write(twin, "k", "v").version);
}

TEST_F(StoreTest, AFeedThatWasCutShortAsksForAListing) {
  SeededRandom random(1);
  MemoryStore brief(io_.get_executor(), clock_, random, {.feed_entries = 3});
  ASSERT_EQ(outcome(run(brief.create_bucket(bucket_, false))), "ok");
  const auto start = run(brief.changes({.bucket = bucket_}))->next;
  for (int i = 0; i < 3; ++i) write(brief, "k", "v");
  EXPECT_FALSE(run(brief.changes({.bucket = bucket_, .after = start}))->reset);
  write(brief, "k", "v");
  const auto page = run(brief.changes({.bucket = bucket_, .after = start}));
  EXPECT_TRUE(page->reset);
  EXPECT_TRUE(page->changes.empty());
  EXPECT_FALSE(run(brief.changes({.bucket = bucket_, .after = page->next}))->reset);
}

TEST_F(StoreTest, AFeedOfAnotherLifeAsksForAListing) {
  EXPECT_TRUE(run(memory_.changes({.bucket = bucket_, .after = 1'000'000}))->reset);
}

TEST_F(StoreTest, AWaiterLearnsThatItsBucketWasDeleted) {
  const BucketName other("other");
  ASSERT_EQ(outcome(run(memory_.create_bucket(other, false))), "ok");
  const auto start = run(memory_.changes({.bucket = other}))->next;
  std::optional<Result<ChangesPage>> answer;
  boost::asio::co_spawn(io_, memory_.changes({.bucket = other, .after = start, .wait = 20s}),
                        [&](std::exception_ptr, Result<ChangesPage> page) { answer = page; });
  ASSERT_EQ(outcome(run(memory_.delete_bucket(other))), "ok");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(outcome(*answer), "no such bucket");
}

class ObjectLock : public StoreTest {
 protected:
  ObjectLock() { EXPECT_EQ(outcome(run(memory_.create_bucket(locked_, true))), "ok"); }

  VersionId put_with(Retention retention) {
    PutRequest request{.bucket = locked_, .key = ObjectKey("k"), .retention = retention};
    auto body = make_string_reader("v");
    return run(memory_.put(std::move(request), *body))->version;
  }
  std::string remove(const VersionId& version, bool bypass = false) {
    return outcome(run(memory_.remove({.bucket = locked_,
                                       .key = ObjectKey("k"),
                                       .version = version,
                                       .bypass_governance = bypass})));
  }
  std::string retain(const VersionId& version, Retention retention, bool bypass = false) {
    LockRequest request{.bucket = locked_,
                        .key = ObjectKey("k"),
                        .version = version,
                        .period = LockPeriod{retention.mode, retention.until},
                        .bypass_governance = bypass};
    return outcome(run(memory_.set_lock(std::move(request))));
  }
  std::string hold(const VersionId& version, bool on) {
    LockRequest request{
        .bucket = locked_, .key = ObjectKey("k"), .version = version, .legal_hold = on};
    return outcome(run(memory_.set_lock(std::move(request))));
  }
  BucketName locked_{"locked"};
};

TEST_F(ObjectLock, ComplianceHoldsUntilItsTimeWhateverIsAsked) {
  const auto until = clock_.now() + 1h;
  const auto version = put_with({.mode = Retention::Mode::compliance, .until = until});
  EXPECT_EQ(remove(version, true), "locked");
  EXPECT_EQ(retain(version, {}, true), "locked");
  EXPECT_EQ(retain(version, {.mode = Retention::Mode::compliance, .until = until - 1min}),
            "locked");
  EXPECT_EQ(retain(version, {.mode = Retention::Mode::compliance, .until = until + 1h}), "ok");
  clock_.advance(2h + 1s);
  EXPECT_EQ(remove(version), "ok");
}

TEST_F(ObjectLock, GovernanceYieldsToWhoMayBypassIt) {
  const auto version = put_with({.mode = Retention::Mode::governance, .until = clock_.now() + 1h});
  EXPECT_EQ(remove(version), "locked");
  EXPECT_EQ(remove(version, true), "ok");
}

TEST_F(ObjectLock, ALegalHoldHasNoEndButItsRemoval) {
  const auto version = put_with({.legal_hold = true});
  clock_.advance(24h * 365);
  EXPECT_EQ(remove(version, true), "locked");
  EXPECT_EQ(retain(version, {}), "ok");
  EXPECT_EQ(remove(version, true), "locked");
  EXPECT_EQ(hold(version, false), "ok");
  EXPECT_EQ(remove(version), "ok");
}

TEST_F(ObjectLock, AMarkerHidesALockedVersionWithoutTouchingIt) {
  const auto version = put_with({.legal_hold = true});
  EXPECT_EQ(outcome(run(memory_.remove({.bucket = locked_, .key = ObjectKey("k")}))), "ok");
  EXPECT_EQ(
      outcome(run(memory_.head({.bucket = locked_, .key = ObjectKey("k"), .version = version}))),
      "ok");
}

TEST_F(ObjectLock, ADefaultThatCannotBeReadStopsTheWrite) {
  const auto rule = [](const std::string& inner) {
    return "<ObjectLockConfiguration><Rule>" + inner + "</Rule></ObjectLockConfiguration>";
  };
  const auto period = [&](const std::string& inner) {
    return rule("<DefaultRetention>" + inner + "</DefaultRetention>");
  };
  for (const std::string& text :
       {std::string("no XML"), std::string("<Other/>"), rule(""), period("<Days>1</Days>"),
        period("<Mode>SOMETHING</Mode><Days>1</Days>"), period("<Mode>COMPLIANCE</Mode>"),
        period("<Mode>COMPLIANCE</Mode><Days>0</Days>"),
        period("<Mode>COMPLIANCE</Mode><Years>36501</Years>")}) {
    ASSERT_EQ(outcome(run(memory_.set_bucket_document(locked_, BucketDocument::object_lock, text))),
              "ok");
    PutRequest request{.bucket = locked_, .key = ObjectKey("k")};
    auto body = make_string_reader("v");
    EXPECT_EQ(outcome(run(memory_.put(std::move(request), *body))), "corrupted") << text;
  }
}

TEST_F(ObjectLock, RetentionNeedsABucketMadeForIt) {
  write("plain", "v");
  LockRequest request{.bucket = bucket_, .key = ObjectKey("plain"), .legal_hold = true};
  EXPECT_EQ(outcome(run(memory_.set_lock(std::move(request)))), "invalid argument");
  EXPECT_EQ(outcome(run(memory_.set_versioning(locked_, Versioning::suspended))), "conflict");
}

}  // namespace
}  // namespace holdfast::store
