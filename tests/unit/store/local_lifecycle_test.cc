// Lifecycle rules over the local store, whose listings leave out what only tags say.
#include "store/lifecycle.h"
#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

class LocalLifecycle : public LocalStoreTest {
 protected:
  void SetUp() override {
    open();
    make_bucket("data", Versioning::enabled);
  }
  void tag(const std::string& key, std::map<std::string, std::string> tags) {
    ASSERT_TRUE(
        run(store->set_tags(BucketName("data"), ObjectKey(key), std::nullopt, std::move(tags))));
  }
  LifecycleCounts pass_with(const std::string& rule) {
    EXPECT_TRUE(run(store->set_bucket_document(
        BucketName("data"), BucketDocument::lifecycle,
        "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status>" + rule +
            "</Rule></LifecycleConfiguration>")));
    LaterClock later;
    LifecycleRunner runner(*store, later, {.versions_per_second = 0, .removals_per_second = 0}, {});
    auto counts = run(runner.run_pass({}, {}));
    EXPECT_TRUE(counts);
    return counts.value_or(LifecycleCounts());
  }

  class LaterClock final : public Clock {
   public:
    TimePoint now() const override { return clock_.now() + std::chrono::days(3); }
    MonotonicTime monotonic() const override { return clock_.monotonic(); }

   private:
    SystemClock clock_;
  };
};

TEST_F(LocalLifecycle, ARuleWithATagExpiresWhatHasTheTag) {
  for (const char* key : {"both", "one", "none"}) ASSERT_TRUE(put("data", key, "text"));
  tag("both", {{"tom", "sawyer"}, {"huck", "finn"}});
  tag("one", {{"tom", "sawyer"}});
  const auto counts = pass_with(
      "<Filter><And><Tag><Key>tom</Key><Value>sawyer</Value></Tag><Tag><Key>huck</Key>"
      "<Value>finn</Value></Tag></And></Filter><Expiration><Days>1</Days></Expiration>");
  EXPECT_EQ(counts.expired, 1u);
  EXPECT_FALSE(get("data", "both"));
  EXPECT_TRUE(get("data", "one"));
  EXPECT_TRUE(get("data", "none"));
}

TEST_F(LocalLifecycle, ARuleWithATagRemovesTheOldVersionsThatHaveIt) {
  ASSERT_TRUE(put("data", "k", "1"));
  tag("k", {{"a", "b"}});
  ASSERT_TRUE(put("data", "k", "2"));
  ASSERT_TRUE(put("data", "k", "3"));
  const auto counts = pass_with(
      "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter><NoncurrentVersionExpiration>"
      "<NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>");
  EXPECT_EQ(counts.noncurrent, 1u) << "the second version has no tag";
}

}  // namespace
}  // namespace holdfast::store
