#include "store_conformance.h"

namespace holdfast::store {
namespace {

TEST_P(StoreConformance, EveryWriteToAVersionedBucketIsAVersion) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto one = put(bucket, "k", "one");
  const auto two = put(bucket, "k", "two");
  ASSERT_EQ(outcome(one), "ok");
  ASSERT_EQ(outcome(two), "ok");
  EXPECT_FALSE(one->version.empty());
  EXPECT_NE(one->version, two->version);
  EXPECT_EQ(*read(bucket, "k"), "two");
  EXPECT_EQ(*read(bucket, "k", one->version), "one");
  EXPECT_EQ(head(bucket, "k", one->version)->info.version, one->version);
  const auto all = all_versions({.bucket = bucket});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].version, two->version) << "the newest comes first";
  EXPECT_TRUE(all[0].latest);
  EXPECT_FALSE(all[1].latest);
  if (GetParam().tells_sequences) EXPECT_LT(one->sequence, two->sequence);
}

TEST_P(StoreConformance, RemovingMakesAMarkerThatHidesTheKey) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto one = put(bucket, "k", "one");
  const auto gone = remove(bucket, "k");
  ASSERT_EQ(outcome(gone), "ok");
  EXPECT_TRUE(gone->delete_marker);
  EXPECT_FALSE(gone->version.empty());
  EXPECT_EQ(outcome(read(bucket, "k")), "no such key");
  EXPECT_EQ(*read(bucket, "k", one->version), "one");
  EXPECT_EQ(outcome(read(bucket, "k", gone->version)),
            departs(Departure::names_no_marker) ? "no such version" : "method not allowed");
  EXPECT_TRUE(list_all({.bucket = bucket}).empty());
  const auto all = all_versions({.bucket = bucket});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_TRUE(all[0].delete_marker);
  EXPECT_TRUE(all[0].latest);
}

TEST_P(StoreConformance, RemovingTheMarkerBringsTheObjectBack) {
  const auto bucket = new_bucket(Versioning::enabled);
  ASSERT_EQ(outcome(put(bucket, "k", "one")), "ok");
  const auto marker = remove(bucket, "k");
  const auto undone = remove(bucket, "k", marker->version);
  ASSERT_EQ(outcome(undone), "ok");
  EXPECT_TRUE(undone->delete_marker) << "what was removed was a marker";
  EXPECT_EQ(*read(bucket, "k"), "one");
}

TEST_P(StoreConformance, AMarkerIsMadeForAKeyThatNeverWas) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto marker = remove(bucket, "never");
  ASSERT_EQ(outcome(marker), "ok");
  EXPECT_TRUE(marker->delete_marker);
  EXPECT_EQ(all_versions({.bucket = bucket}).size(), 1u);
}

TEST_P(StoreConformance, RemovingAVersionLeavesTheOthers) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto one = put(bucket, "k", "one");
  const auto two = put(bucket, "k", "two");
  const auto three = put(bucket, "k", "three");
  ASSERT_EQ(outcome(remove(bucket, "k", two->version)), "ok");
  EXPECT_EQ(outcome(read(bucket, "k", two->version)), "no such version");
  EXPECT_EQ(*read(bucket, "k"), "three");
  ASSERT_EQ(outcome(remove(bucket, "k", three->version)), "ok");
  EXPECT_EQ(*read(bucket, "k"), "one") << "the next older one is the latest now";
  EXPECT_EQ(outcome(remove(bucket, "k", three->version)), "ok") << "again is no error";
  ASSERT_EQ(outcome(remove(bucket, "k", one->version)), "ok");
  EXPECT_EQ(outcome(read(bucket, "k")), "no such key");
}

TEST_P(StoreConformance, AnObjectFromBeforeVersioningIsTheNullVersion) {
  const auto bucket = new_bucket();
  ASSERT_EQ(outcome(put(bucket, "k", "before")), "ok");
  ASSERT_EQ(outcome(run(store().set_versioning(bucket, Versioning::enabled))), "ok");
  ASSERT_EQ(outcome(put(bucket, "k", "after")), "ok");
  EXPECT_EQ(*read(bucket, "k"), "after");
  EXPECT_EQ(*read(bucket, "k", VersionId("null")), "before");
  EXPECT_EQ(all_versions({.bucket = bucket}).size(), 2u);
}

TEST_P(StoreConformance, SuspendedVersioningReplacesOnlyTheNullVersion) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto kept = put(bucket, "k", "kept");
  ASSERT_EQ(outcome(run(store().set_versioning(bucket, Versioning::suspended))), "ok");
  const auto one = put(bucket, "k", "null one");
  ASSERT_EQ(outcome(one), "ok");
  EXPECT_EQ(one->version.value, "");
  ASSERT_EQ(outcome(put(bucket, "k", "null two")), "ok");
  auto all = all_versions({.bucket = bucket});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].version.value, "null");
  EXPECT_EQ(*read(bucket, "k"), "null two");
  EXPECT_EQ(*read(bucket, "k", VersionId("null")), "null two");
  EXPECT_EQ(*read(bucket, "k", kept->version), "kept");

  const auto marker = remove(bucket, "k");
  ASSERT_EQ(outcome(marker), "ok");
  EXPECT_TRUE(marker->delete_marker);
  EXPECT_EQ(marker->version.value, "null");
  all = all_versions({.bucket = bucket});
  ASSERT_EQ(all.size(), 2u) << "the marker took the null version's place";
  EXPECT_TRUE(all[0].delete_marker);
  EXPECT_EQ(all[1].version, kept->version);
}

TEST_P(StoreConformance, AnOldVersionIsCopiedOverTheLatest) {
  const auto bucket = new_bucket(Versioning::enabled);
  PutRequest request{.bucket = bucket, .key = ObjectKey("k")};
  request.attributes.metadata = {{"mode", "33261"}};
  const auto one = put(std::move(request), "one");
  ASSERT_EQ(outcome(put(bucket, "k", "two")), "ok");
  ASSERT_EQ(outcome(remove(bucket, "k")), "ok");
  const auto back = run(store().copy({.source_bucket = bucket,
                                      .source_key = ObjectKey("k"),
                                      .source_version = one->version,
                                      .bucket = bucket,
                                      .key = ObjectKey("k")}));
  ASSERT_EQ(outcome(back), "ok");
  EXPECT_EQ(back->version, head(bucket, "k")->info.version);
  EXPECT_EQ(*read(bucket, "k"), "one");
  EXPECT_EQ(head(bucket, "k")->info.attributes.metadata.at("mode"), "33261");
  EXPECT_EQ(all_versions({.bucket = bucket}).size(), 4u);
}

TEST_P(StoreConformance, ManyRemovalsMixMarkersAndVersions) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto one = put(bucket, "a", "one");
  ASSERT_EQ(outcome(put(bucket, "b", "two")), "ok");
  const auto answers =
      run(store().remove_many({{.bucket = bucket, .key = ObjectKey("a"), .version = one->version},
                               {.bucket = bucket, .key = ObjectKey("b")}}));
  ASSERT_EQ(answers.size(), 2u);
  ASSERT_EQ(outcome(answers[0]), "ok");
  ASSERT_EQ(outcome(answers[1]), "ok");
  EXPECT_FALSE(answers[0]->delete_marker);
  EXPECT_TRUE(answers[1]->delete_marker);
  EXPECT_EQ(all_versions({.bucket = bucket}).size(), 2u);
}

TEST_P(StoreConformance, VersionListingsPageWithoutLossOrRepetition) {
  const auto bucket = new_bucket(Versioning::enabled);
  for (int round = 0; round < 3; ++round) {
    for (const char* key : {"a", "a/b", "a/c", "b", "c/d/e"}) {
      ASSERT_EQ(outcome(put(bucket, key, std::to_string(round))), "ok");
    }
  }
  ASSERT_EQ(outcome(remove(bucket, "a/b")), "ok");
  const auto whole = all_versions({.bucket = bucket});
  ASSERT_EQ(whole.size(), 16u);
  for (std::uint32_t size = 1; size <= 7; ++size) {
    const auto paged = all_versions({.bucket = bucket, .max_keys = size});
    ASSERT_EQ(paged.size(), whole.size()) << size;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_EQ(paged[i].key, whole[i].key) << size;
      EXPECT_EQ(paged[i].version, whole[i].version) << size;
      EXPECT_EQ(paged[i].latest, whole[i].latest) << size;
    }
  }
  const auto under = all_versions({.bucket = bucket, .prefix = "a/", .max_keys = 2});
  EXPECT_EQ(under.size(), 7u);
  const auto page = run(store().list_versions({.bucket = bucket, .delimiter = "/"}));
  ASSERT_EQ(outcome(page), "ok");
  EXPECT_EQ(page->versions.size(), 6u);
  EXPECT_EQ(page->common_prefixes, (std::vector<std::string>{"a/", "c/"}));
}

TEST_P(StoreConformance, AListingOfVersionsGoesOnBehindAKey) {
  const auto bucket = new_bucket(Versioning::enabled);
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_EQ(outcome(put(bucket, key, "1")), "ok");
    ASSERT_EQ(outcome(put(bucket, key, "2")), "ok");
  }
  const auto rest = all_versions({.bucket = bucket, .key_marker = "a"});
  ASSERT_EQ(rest.size(), 4u);
  EXPECT_EQ(rest[0].key.value, "b");
}

}  // namespace
}  // namespace holdfast::store
