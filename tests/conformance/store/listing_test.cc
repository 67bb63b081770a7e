#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "store_conformance.h"

namespace holdfast::store {
namespace {

using Names = std::vector<std::string>;

TEST_P(StoreConformance, ListingsComeInByteOrderWithWhatTheyName) {
  const auto bucket = new_bucket();
  const auto etag = put(bucket, "b", "22")->etag;
  ASSERT_EQ(outcome(put(bucket, "a", "1")), "ok");
  ASSERT_EQ(outcome(put(bucket, "B", "333")), "ok");
  const auto page = run(store().list({.bucket = bucket}));
  ASSERT_EQ(outcome(page), "ok");
  ASSERT_EQ(page->objects.size(), 3u);
  EXPECT_FALSE(page->truncated);
  EXPECT_EQ(page->objects[0].key.value, "B");
  EXPECT_EQ(page->objects[2].key.value, "b");
  EXPECT_EQ(page->objects[2].size, 2u);
  EXPECT_EQ(page->objects[2].etag, etag);
}

TEST_P(StoreConformance, ADelimiterRollsKeysUp) {
  const auto bucket = new_bucket();
  for (const char* key : {"a", "a/b", "a/c/d", "a/c/e", "a0", "b//c", "b/d"}) {
    ASSERT_EQ(outcome(put(bucket, key, "v")), "ok");
  }
  EXPECT_EQ(list_all({.bucket = bucket, .delimiter = "/"}), (Names{"a", "a0", "> a/", "> b/"}));
  EXPECT_EQ(list_all({.bucket = bucket, .prefix = "a/", .delimiter = "/"}),
            (Names{"a/b", "> a/c/"}));
  EXPECT_EQ(list_all({.bucket = bucket, .prefix = "a", .delimiter = "/"}),
            (Names{"a", "a0", "> a/"}));
  EXPECT_EQ(list_all({.bucket = bucket, .prefix = "b/", .delimiter = "/"}),
            (Names{"b/d", "> b//"}));
  EXPECT_EQ(list_all({.bucket = bucket, .prefix = "a/c"}), (Names{"a/c/d", "a/c/e"}));
  EXPECT_EQ(list_all({.bucket = bucket, .prefix = "z"}), Names{});
  EXPECT_EQ(list_all({.bucket = bucket, .delimiter = "c/"}),
            (Names{"a", "a/b", "a0", "b//c", "b/d", "> a/c/"}));
}

TEST_P(StoreConformance, PagesOfAnySizeGiveTheSameListing) {
  const auto bucket = new_bucket();
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(outcome(put(bucket, fmt::format("d{}/f{}", i / 3, i % 3), "v")), "ok");
    ASSERT_EQ(outcome(put(bucket, fmt::format("f{:02}", i), "v")), "ok");
  }
  const auto whole = list_all({.bucket = bucket});
  EXPECT_EQ(whole.size(), 24u);
  auto rolled = list_all({.bucket = bucket, .delimiter = "/"});
  EXPECT_EQ(rolled.size(), 16u);
  std::ranges::sort(rolled);
  for (std::uint32_t size = 1; size <= 25; size += 3) {
    EXPECT_EQ(list_all({.bucket = bucket, .max_keys = size}), whole) << size;
    auto paged = list_all({.bucket = bucket, .delimiter = "/", .max_keys = size});
    std::ranges::sort(paged);
    EXPECT_EQ(paged, rolled) << size;
  }
}

TEST_P(StoreConformance, StartAfterIsExclusiveAndSkipsAPrefixThatItNames) {
  const auto bucket = new_bucket();
  for (const char* key : {"a", "b/x", "b/y", "c"}) ASSERT_EQ(outcome(put(bucket, key, "v")), "ok");
  EXPECT_EQ(list_all({.bucket = bucket, .start_after = "a"}), (Names{"b/x", "b/y", "c"}));
  EXPECT_EQ(list_all({.bucket = bucket, .start_after = "aa"}), (Names{"b/x", "b/y", "c"}));
  EXPECT_EQ(list_all({.bucket = bucket, .start_after = "c"}), Names{});
  const auto page = run(store().list({.bucket = bucket, .delimiter = "/", .max_keys = 2}));
  ASSERT_EQ(outcome(page), "ok");
  EXPECT_TRUE(page->truncated);
  const auto rest = list_all({.bucket = bucket, .delimiter = "/", .start_after = page->next});
  EXPECT_EQ(rest, Names{"c"});
}

// Whoever may list a prefix sends markers as they like.
TEST_P(StoreConformance, AMarkerOutsideThePrefixShowsAndHidesNothing) {
  const auto bucket = new_bucket(Versioning::enabled);
  std::map<std::string, VersionId> versions;
  std::map<std::string, UploadId> uploads;
  for (const char* key : {"a", "m", "m/1", "m/2", "mm", "z"}) {
    auto done = put(bucket, key, "v");
    ASSERT_EQ(outcome(done), "ok");
    versions[key] = done->version;
    auto upload = start_upload(bucket, key);
    ASSERT_EQ(outcome(upload), "ok");
    uploads[key] = *upload;
  }
  const auto keys_of = [](const auto& entries) {
    Names names;
    for (const auto& entry : entries) names.push_back(entry.key.value);
    return names;
  };
  for (const char* marker : {"a", "m", "z", "mm"}) {
    const Names expected = std::string(marker) < "m/" ? Names{"m/1", "m/2"} : Names{};
    EXPECT_EQ(list_all({.bucket = bucket, .prefix = "m/", .start_after = marker}), expected);
    for (const bool exact : {false, true}) {
      ListVersionsRequest request{.bucket = bucket, .prefix = "m/", .key_marker = marker};
      if (exact) request.version_marker = versions[marker];
      EXPECT_EQ(keys_of(all_versions(request)), expected) << marker << exact;
      ListUploadsRequest started{.bucket = bucket, .prefix = "m/", .key_marker = marker};
      if (exact) started.upload_marker = uploads[marker].value;
      const auto page = run(store().list_uploads(started));
      ASSERT_EQ(outcome(page), "ok");
      EXPECT_EQ(keys_of(page->uploads), expected) << marker << exact;
    }
  }
}

TEST_P(StoreConformance, AFullLastPageIsNotTruncated) {
  const auto bucket = new_bucket();
  for (const char* key : {"a", "b"}) ASSERT_EQ(outcome(put(bucket, key, "v")), "ok");
  const auto page = run(store().list({.bucket = bucket, .max_keys = 2}));
  ASSERT_EQ(outcome(page), "ok");
  EXPECT_EQ(page->objects.size(), 2u);
  EXPECT_FALSE(page->truncated);
}

TEST_P(StoreConformance, MoreThanOnePageOfDeletedKeysIsPassedOver) {
  const auto bucket = new_bucket(Versioning::enabled);
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(outcome(put(bucket, fmt::format("k{:02}", i), "v")), "ok");
    if (i % 10 != 9) ASSERT_EQ(outcome(remove(bucket, fmt::format("k{:02}", i))), "ok");
  }
  EXPECT_EQ(list_all({.bucket = bucket, .max_keys = 2}), (Names{"k09", "k19", "k29"}));
}

}  // namespace
}  // namespace holdfast::store
