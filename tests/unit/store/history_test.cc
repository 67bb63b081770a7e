#include "store/history.h"

#include <fmt/format.h>

#include "store_test.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

TEST_F(StoreTest, TheHistoryOfAKeyIsItsVersionsNewestFirst) {
  const auto one = write("a", "one");
  const auto two = write("a", "twelve");
  erase("a");
  write("a/b", "other");
  write("ab", "other");
  const auto versions = run(history(memory_, bucket_, ObjectKey("a")));
  ASSERT_EQ(outcome(versions), "ok");
  ASSERT_EQ(versions->size(), 3u);
  EXPECT_TRUE((*versions)[0].delete_marker);
  EXPECT_EQ((*versions)[1].version, two.version);
  EXPECT_EQ((*versions)[1].size, 6u);
  EXPECT_EQ((*versions)[2].version, one.version);
  EXPECT_TRUE(run(history(memory_, bucket_, ObjectKey("never")))->empty());
  EXPECT_EQ(outcome(run(history(memory_, BucketName("none"), ObjectKey("a")))), "no such bucket");
}

TEST_F(StoreTest, ALongHistoryIsReadPageByPageAndBounded) {
  for (int i = 0; i < 250; ++i) write("a", fmt::format("{}", i));
  EXPECT_EQ(run(history(memory_, bucket_, ObjectKey("a")))->size(), 250u);
  EXPECT_EQ(run(history(memory_, bucket_, ObjectKey("a"), 120))->size(), 120u);
}

TEST_F(StoreTest, WhatWasDeletedIsListedWithWhatItHeld) {
  write("alice/docs/a", "first");
  const auto last = write("alice/docs/a", "last text");
  write("alice/docs/kept", "k");
  write("alice/docs/", "");
  write("alice/x", "x");
  write("bob/a", "b");
  erase("alice/docs/a");
  const auto deleted_at = clock_.now();
  erase("alice/docs/");
  erase("bob/a");
  write("alice/back", "1");
  erase("alice/back");
  write("alice/back", "2");

  const auto page = run(list_deleted(memory_, bucket_, "alice/"));
  ASSERT_EQ(outcome(page), "ok");
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[0].key.value, "alice/docs/");
  EXPECT_EQ(page->objects[1].key.value, "alice/docs/a");
  EXPECT_EQ(page->objects[1].deleted, deleted_at);
  EXPECT_EQ(page->objects[1].version, last.version);
  EXPECT_EQ(page->objects[1].size, 9u);
  EXPECT_FALSE(page->truncated);

  const auto groups = group_by_directory(page->objects);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].directory, "alice/docs/");
  EXPECT_EQ(groups[0].files, 1u);
  EXPECT_EQ(groups[0].bytes, 9u);
  EXPECT_EQ(groups[0].first, deleted_at);
  EXPECT_EQ(groups[0].last, deleted_at + 1s);
}

TEST_F(StoreTest, AListOfDeletedObjectsSaysThatItIsCut) {
  for (int i = 0; i < 5; ++i) {
    write(fmt::format("k{}", i), "v");
    erase(fmt::format("k{}", i));
  }
  const auto page = run(list_deleted(memory_, bucket_, "", 3));
  EXPECT_EQ(page->objects.size(), 3u);
  EXPECT_TRUE(page->truncated);
  EXPECT_FALSE(run(list_deleted(memory_, bucket_, "", 5))->truncated);
}

}  // namespace
}  // namespace holdfast::store
