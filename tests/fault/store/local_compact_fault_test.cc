// Compaction that stops dead at each of its instants: whatever the files then are, the store opens
// from them, with its index, without it, and with an index of before, and shows what it showed.
#include <fmt/format.h>

#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

struct Stop {
  CompactInstant instant;
  int after;  // of that instant
};

class CompactFaultTest : public LocalStoreTest, public ::testing::WithParamInterface<Stop> {
 protected:
  LocalStoreOptions at(const std::string& path) const {
    auto wanted = options();
    wanted.directory = path;
    wanted.segment_bytes = 16u << 10;
    wanted.inline_bytes = 1024;
    return wanted;
  }
  // As a crash would find the files: the store is open, and idle.
  void copy_files(const std::string& from, const std::string& to) const {
    std::filesystem::remove_all(to);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }
  std::string picture(LocalStore& from) {
    std::string out;
    auto page = run(from.list_versions({.bucket = BucketName("data")}));
    if (!page) return page.error().context;
    for (const auto& v : page->versions) {
      out += fmt::format("{} {} {} {}", v.key.value, v.version.value, v.delete_marker, v.latest);
      if (!v.delete_marker) {
        auto text = text_of(
            run(from.get({.bucket = BucketName("data"), .key = v.key, .version = v.version})));
        out +=
            text ? fmt::format(" {} {}", text->size(), text->substr(0, 8)) : text.error().context;
      }
      out += "\n";
    }
    return out;
  }
  void expect_picture(const std::string& path, const std::string& wanted, const char* what) {
    auto opened = LocalStore::open(at(path), clock, random);
    ASSERT_TRUE(opened) << what << ": " << opened.error().context;
    EXPECT_EQ(picture(**opened), wanted) << what;
    // And goes on from there.
    CompactRules rules{.garbage_share = -1, .garbage_bytes = 0, .bytes_per_second = 0, .go_on = {}};
    auto done = run((*opened)->compact(rules, {}));
    ASSERT_TRUE(done) << what << ": " << done.error().context;
    EXPECT_EQ(picture(**opened), wanted) << what << ", compacted";
  }
};

TEST_P(CompactFaultTest, WhatIsThereStaysThere) {
  const std::string live = directory.path() + "/live";
  open(at(live));
  make_bucket("data", Versioning::enabled);
  for (unsigned i = 0; i < 90; ++i) {
    ASSERT_TRUE(
        put("data", fmt::format("k{}", i % 9), pattern_text(i % 5 == 0 ? 3000 : 700 + i, i)));
    if (i % 9 == 4) {
      ASSERT_TRUE(remove("data", "k4"));
    }
    if (i == 30) copy_files(live, directory.path() + "/early");
  }
  for (unsigned i = 0; i < 6; ++i) {
    auto page =
        run(store->list_versions({.bucket = BucketName("data"), .prefix = fmt::format("k{}", i)}));
    for (std::size_t v = 1; v < page->versions.size(); ++v) {
      ASSERT_TRUE(remove("data", fmt::format("k{}", i), page->versions[v].version));
    }
  }
  const std::string wanted = picture(*store);
  int left = GetParam().after;
  bool stopped = false;
  CompactRules rules{.garbage_share = -1, .garbage_bytes = 0, .bytes_per_second = 0, .go_on = {}};
  rules.go_on = [&](CompactInstant instant) {
    stopped = stopped || (instant == GetParam().instant && left-- == 0);
    return !stopped;
  };
  ASSERT_TRUE(run(store->compact(rules, {})));
  ASSERT_TRUE(stopped) << "the instant never came";
  EXPECT_EQ(picture(*store), wanted);

  const std::string crashed = directory.path() + "/crashed";
  copy_files(live, crashed);
  expect_picture(crashed, wanted, "the index as it was");
  copy_files(live, crashed);
  std::filesystem::remove_all(crashed + "/index");
  expect_picture(crashed, wanted, "no index");
  copy_files(live, crashed);
  std::filesystem::remove_all(crashed + "/index");
  std::filesystem::copy(directory.path() + "/early/index", crashed + "/index",
                        std::filesystem::copy_options::recursive);
  expect_picture(crashed, wanted, "an index of long before");
}

INSTANTIATE_TEST_SUITE_P(
    Instants, CompactFaultTest,
    ::testing::Values(Stop{CompactInstant::moved_some, 0}, Stop{CompactInstant::moved_some, 2},
                      Stop{CompactInstant::moved_all, 0}, Stop{CompactInstant::moved_all, 1},
                      Stop{CompactInstant::dropped, 0}, Stop{CompactInstant::dropped, 2},
                      Stop{CompactInstant::removed, 0}, Stop{CompactInstant::removed, 3}));

}  // namespace
}  // namespace holdfast::store
