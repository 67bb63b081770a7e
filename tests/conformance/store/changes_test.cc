#include <algorithm>
#include <chrono>

#include "store_conformance.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

TEST_P(StoreConformance, TheFeedTellsEveryWriteInCommitOrder) {
  const auto bucket = new_bucket(Versioning::enabled);
  if (has_no_feed(bucket)) return;
  const auto start = run(store().changes({.bucket = bucket}));
  ASSERT_EQ(outcome(start), "ok");
  EXPECT_TRUE(start->changes.empty()) << "without a place to start, only the end is told";
  const auto one = put(bucket, "b", "one");
  const auto two = put(bucket, "a", "twelve");
  const auto gone = remove(bucket, "b");
  ASSERT_EQ(outcome(remove(bucket, "a", two->version)), "ok");

  const auto page = run(store().changes({.bucket = bucket, .after = start->next}));
  ASSERT_EQ(outcome(page), "ok");
  EXPECT_FALSE(page->reset);
  ASSERT_EQ(page->changes.size(), 4u);
  const auto& entries = page->changes;
  EXPECT_EQ(entries[0].kind, ChangeKind::put);
  EXPECT_EQ(entries[0].key.value, "b");
  EXPECT_EQ(entries[0].version, one->version);
  EXPECT_EQ(entries[0].etag, one->etag);
  EXPECT_EQ(entries[1].key.value, "a");
  EXPECT_EQ(entries[1].size, 6u);
  EXPECT_EQ(entries[2].kind, ChangeKind::delete_marker);
  EXPECT_EQ(entries[2].key.value, "b");
  EXPECT_EQ(entries[2].version, gone->version);
  EXPECT_EQ(entries[3].kind, ChangeKind::version_removed);
  EXPECT_EQ(entries[3].version, two->version);
  EXPECT_TRUE(std::ranges::is_sorted(entries, {}, &Change::sequence));
  EXPECT_TRUE(run(store().changes({.bucket = bucket, .after = page->next}))->changes.empty());
}

TEST_P(StoreConformance, TheFeedIsReadInPagesAndByPrefix) {
  const auto bucket = new_bucket();
  if (has_no_feed(bucket)) return;
  const auto other = new_bucket();
  const auto start = run(store().changes({.bucket = bucket}))->next;
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(outcome(put(bucket, "in/" + std::to_string(i), "v")), "ok");
    ASSERT_EQ(outcome(put(bucket, "out/" + std::to_string(i), "v")), "ok");
    ASSERT_EQ(outcome(put(other, "in/other", "v")), "ok");
  }
  std::vector<std::string> seen;
  ChangesRequest request{.bucket = bucket, .prefix = "in/", .after = start, .limit = 2};
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = run(store().changes(request));
    ASSERT_EQ(outcome(page), "ok");
    if (page->changes.empty()) break;
    for (const auto& change : page->changes) seen.push_back(change.key.value);
    request.after = page->next;
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"in/0", "in/1", "in/2", "in/3", "in/4"}));
}

TEST_P(StoreConformance, CompletedUploadsAndCopiesAreInTheFeed) {
  const auto bucket = new_bucket();
  if (has_no_feed(bucket)) return;
  const auto start = run(store().changes({.bucket = bucket}))->next;
  const auto upload = start_upload(bucket, "multi");
  const auto part = put_part(bucket, "multi", *upload, 1, "part");
  ASSERT_EQ(outcome(run(store().complete_upload({.bucket = bucket,
                                                 .key = ObjectKey("multi"),
                                                 .upload = *upload,
                                                 .parts = {{1, part->etag, {}}}}))),
            "ok");
  ASSERT_EQ(outcome(run(store().copy({.source_bucket = bucket,
                                      .source_key = ObjectKey("multi"),
                                      .bucket = bucket,
                                      .key = ObjectKey("copy")}))),
            "ok");
  const auto page = run(store().changes({.bucket = bucket, .after = start}));
  ASSERT_EQ(outcome(page), "ok");
  ASSERT_EQ(page->changes.size(), 2u);
  EXPECT_EQ(page->changes[0].key.value, "multi");
  EXPECT_EQ(page->changes[1].key.value, "copy");
}

TEST_P(StoreConformance, AWaitForChangesEndsWhenOneComes) {
  const auto bucket = new_bucket();
  if (has_no_feed(bucket)) return;
  const auto start = run(store().changes({.bucket = bucket}))->next;
  std::optional<Result<ChangesPage>> answer;
  boost::asio::co_spawn(
      io(), store().changes({.bucket = bucket, .prefix = "in/", .after = start, .wait = 30'000ms}),
      [&](std::exception_ptr, Result<ChangesPage> page) { answer = std::move(page); });
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_EQ(outcome(put(bucket, "out/x", "v")), "ok");
  ASSERT_EQ(outcome(put(bucket, "in/x", "v")), "ok");
  while (!answer && std::chrono::steady_clock::now() - begun < 20s) io().run_one_for(100ms);
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(outcome(*answer), "ok");
  ASSERT_EQ((*answer)->changes.size(), 1u);
  EXPECT_EQ((*answer)->changes[0].key.value, "in/x");
}

TEST_P(StoreConformance, AWaitForChangesEndsEmptyWhenNoneComes) {
  const auto bucket = new_bucket();
  if (has_no_feed(bucket)) return;
  const auto start = run(store().changes({.bucket = bucket}))->next;
  const auto page = run(store().changes({.bucket = bucket, .after = start, .wait = 1000ms}));
  ASSERT_EQ(outcome(page), "ok");
  EXPECT_TRUE(page->changes.empty());
  EXPECT_EQ(page->next, start);
}

}  // namespace
}  // namespace holdfast::store
