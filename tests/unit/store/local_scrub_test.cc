#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/fd.h"
#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

class ScrubTest : public LocalStoreTest {
 protected:
  static void flip(const std::string& path, std::uint64_t offset) {
    auto file = open_file(path, O_RDWR);
    ASSERT_TRUE(file);
    std::string byte(1, '\0');
    ASSERT_TRUE(read_at(file->get(), std::as_writable_bytes(std::span(byte)), offset));
    byte[0] = static_cast<char>(byte[0] ^ 1);
    ASSERT_TRUE(write_all_at(file->get(), as_bytes(byte), offset));
  }
  std::string only_file(const std::string& folder) const {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(options().directory + "/" + folder)) {
      if (entry.is_regular_file()) return entry.path().string();
    }
    return {};
  }
  // The one that a scrub comes to last: blobs are read in the order of their names.
  std::string last_blob() const {
    std::filesystem::path last;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(options().directory + "/blobs")) {
      if (entry.is_regular_file() && entry.path().filename() > last.filename()) last = entry.path();
    }
    return last.string();
  }
};

TEST_F(ScrubTest, FindsNothingInASoundStore) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "small", "x"));
  ASSERT_TRUE(put("data", "large", pattern_text(1u << 20)));
  auto report = run(store->scrub());
  ASSERT_TRUE(report) << report.error().context;
  EXPECT_TRUE(report->damage.empty());
  EXPECT_EQ(report->blobs, 1u);
  EXPECT_EQ(report->blob_bytes, 1u << 20);
}

TEST_F(ScrubTest, AFlippedByteOfABlobIsReportedAndItsReadsFailEvenAfterARestart) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "large", pattern_text(1u << 20)));
  flip(only_file("blobs"), 777'777);
  auto report = run(store->scrub());
  ASSERT_TRUE(report);
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_EQ(report->damage[0].objects, std::vector<std::string>{"data/large (null)"});
  EXPECT_EQ(get("data", "large").error().code, ErrorCode::corrupted);
  open();
  EXPECT_EQ(get("data", "large").error().code, ErrorCode::corrupted);
  ASSERT_TRUE(put("data", "large", "new"));
  EXPECT_EQ(*get("data", "large"), "new");
}

TEST_F(ScrubTest, AFlippedByteOfASmallBodyIsNeverReturned) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "before", "sound"));
  ASSERT_TRUE(put("data", "hit", std::string(1000, 'h')));
  ASSERT_TRUE(put("data", "after", "sound"));
  const std::string log = only_file("log");
  const std::string content = *read_file(log);
  flip(log, content.find("hhhh") + 500);
  EXPECT_EQ(get("data", "hit").error().code, ErrorCode::corrupted);
  EXPECT_EQ(*get("data", "after"), "sound");
  auto report = run(store->scrub());
  ASSERT_TRUE(report);
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_EQ(report->damage[0].objects, std::vector<std::string>{"data/hit (null)"});
}

TEST_F(ScrubTest, GoesOnWhereItWasStoppedAndTellsEachDamageBeforeItPassesIt) {
  open();
  make_bucket("data");
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(put("data", "large" + std::to_string(i), pattern_text(2u << 20, i)));
  }
  flip(last_blob(), 1'000'000);
  ScrubReport report;
  std::vector<std::string> told;
  int passes = 0;
  for (; !report.complete && passes < 100; ++passes) {
    std::stop_source stop;
    ScrubRules rules;
    rules.found = [&](const ScrubReport::Damage& damage) { told.push_back(damage.where); };
    rules.passed = [&](const ScrubReport& now) {
      EXPECT_EQ(now.damaged, told.size());
      stop.request_stop();
    };
    auto part = run(store->scrub(std::move(rules), stop.get_token(), std::move(report)));
    ASSERT_TRUE(part) << part.error().context;
    report = std::move(*part);
  }
  EXPECT_GT(passes, 5);
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.blobs, 5u);
  EXPECT_EQ(report.blob_bytes, 10u << 20);
  EXPECT_EQ(told.size(), 1u);
  EXPECT_EQ(report.damage.size(), 1u);
}

TEST_F(ScrubTest, KeepsToItsRate) {
  open();
  make_bucket("data");
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(put("data", "small" + std::to_string(i), pattern_text(100'000, i)));
    ASSERT_TRUE(put("data", "large" + std::to_string(i), pattern_text(3u << 20, i)));
  }
  std::chrono::milliseconds paused{0};
  ScrubRules rules;
  rules.bytes_per_second = 1u << 20;
  rules.pause = [&](std::chrono::milliseconds time) -> boost::asio::awaitable<void> {
    paused += time;
    co_return;
  };
  auto report = run(store->scrub(std::move(rules)));
  ASSERT_TRUE(report);
  const std::uint64_t bytes = report->log_bytes + report->blob_bytes;
  EXPECT_GT(report->log_bytes, 800'000u);
  EXPECT_NEAR(static_cast<double>(paused.count()), static_cast<double>(bytes) / 1048.576, 100.0);
}

TEST_F(ScrubTest, ABlobThatIsRemovedUnderItsHandsIsNoDamage) {
  open();
  make_bucket("data");
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(put("data", "large" + std::to_string(i), pattern_text(3u << 20, i)));
  }
  int pauses = 0;
  ScrubRules rules;
  rules.bytes_per_second = 1u << 20;
  // All go while the first is read in the middle.
  rules.pause = [&](std::chrono::milliseconds) -> boost::asio::awaitable<void> {
    if (++pauses != 2) co_return;
    for (int i = 0; i < 4; ++i) {
      DeleteRequest request;
      request.bucket = BucketName("data");
      request.key = ObjectKey("large" + std::to_string(i));
      EXPECT_TRUE(co_await store->remove(std::move(request)));
    }
  };
  auto report = run(store->scrub(std::move(rules)));
  ASSERT_TRUE(report) << report.error().context;
  EXPECT_GE(pauses, 2);
  EXPECT_EQ(report->damaged, 0u);
}

TEST_F(ScrubTest, ASegmentThatCompactionTakesIsNoDamageAndOneThatIsMissingIs) {
  auto wanted = options();
  wanted.segment_bytes = 1u << 20;
  open(wanted);
  make_bucket("data");
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(put("data", "key" + std::to_string(i % 10), pattern_text(100'000, i)));
  }
  int steps = 0;
  ScrubRules rules;
  rules.bytes_per_second = 1u << 20;
  rules.pause = [&](std::chrono::milliseconds) -> boost::asio::awaitable<void> {
    if (++steps != 1) co_return;
    auto compacted = co_await store->compact(
        {.garbage_share = 0.1, .garbage_bytes = 1, .bytes_per_second = 0}, {});
    EXPECT_TRUE(compacted);
    EXPECT_GT(compacted ? compacted->segments : 0, 1u);
  };
  auto report = run(store->scrub(std::move(rules)));
  ASSERT_TRUE(report) << report.error().context;
  EXPECT_GE(steps, 1);
  EXPECT_EQ(report->damaged, 0u);

  for (int i = 40; i < 60; ++i) {
    ASSERT_TRUE(put("data", "more" + std::to_string(i), pattern_text(100'000, i)));
  }
  std::vector<std::string> segments;
  for (const auto& entry : std::filesystem::directory_iterator(options().directory + "/log")) {
    segments.push_back(entry.path().string());
  }
  std::ranges::sort(segments);
  ASSERT_GE(segments.size(), 2u);
  ASSERT_TRUE(std::filesystem::remove(segments[segments.size() - 2]));
  report = run(store->scrub());
  ASSERT_TRUE(report) << report.error().context;
  ASSERT_EQ(report->damaged, 1u);
  EXPECT_GT(report->damage[0].object_count, 0u);
}

TEST_F(ScrubTest, TheSmallPartOfALongBodyIsNeverReturnedDamaged) {
  open();
  make_bucket("data");
  auto upload = begin_upload("data", "long");
  upload.parts = {put_part(upload, 1, pattern_text(6u << 20)),
                  put_part(upload, 2, std::string(1000, 'h'))};
  auto completed = run(store->complete_upload(std::move(upload)));
  ASSERT_TRUE(completed) << completed.error().context;
  const std::string log = only_file("log");
  flip(log, read_file(log)->find("hhhh") + 500);
  EXPECT_EQ(get("data", "long").error().code, ErrorCode::corrupted);
}

}  // namespace
}  // namespace holdfast::store
