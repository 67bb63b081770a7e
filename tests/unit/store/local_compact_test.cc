#include <fmt/format.h>

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <map>

#include "store/log_segments.h"
#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

class CompactTest : public LocalStoreTest {
 protected:
  LocalStoreOptions small() const {
    auto wanted = options();
    wanted.segment_bytes = 16u << 10;
    wanted.inline_bytes = 2048;
    return wanted;
  }
  static CompactRules everything() {
    CompactRules rules;
    rules.garbage_share = -1;
    rules.garbage_bytes = 0;
    rules.bytes_per_second = 0;
    return rules;
  }
  CompactReport compact(CompactRules rules = everything()) {
    auto report = run(store->compact(std::move(rules), {}));
    EXPECT_TRUE(report) << report.error().context;
    return report.value_or(CompactReport());
  }
  std::vector<std::uint64_t> segments() const {
    return *list_segments(options().directory + "/log");
  }
  // Everything that a reader can see, as text.
  std::string picture() {
    std::string out;
    auto buckets = run(store->list_buckets());
    for (const auto& bucket : *buckets) {
      out +=
          fmt::format("bucket {} {} {} holds {} in {}\n", bucket.name.value, int(bucket.versioning),
                      bucket.object_lock, bucket.usage->bytes, bucket.usage->objects);
      if (auto text = run(store->bucket_document(bucket.name, BucketDocument::lifecycle))) {
        out += "document " + *text + "\n";
      }
      auto page = run(store->list_versions({.bucket = bucket.name}));
      for (const auto& v : page->versions) {
        out += fmt::format("{} {} {} {} {} {} {}", v.key.value, v.version.value, v.sequence,
                           v.delete_marker, v.latest, v.etag.value,
                           v.modified.time_since_epoch().count());
        for (const auto& [name, value] : v.attributes.tags) out += " " + name + "=" + value;
        if (!v.delete_marker) {
          GetRequest request{.bucket = bucket.name, .key = v.key, .version = v.version};
          auto text = text_of(get_result(std::move(request)));
          out += text ? " " + std::to_string(std::hash<std::string>()(*text))
                      : " <" + std::string(to_string(text.error().code)) + ">";
        }
        out += "\n";
      }
      auto uploads = run(store->list_uploads({.bucket = bucket.name}));
      for (const auto& upload : uploads->uploads) {
        out += fmt::format("upload {} {}\n", upload.key.value, upload.upload.value);
        auto parts = run(
            store->list_parts({.bucket = bucket.name, .key = upload.key, .upload = upload.upload}));
        for (const auto& part : parts->parts) {
          out += fmt::format("part {} {} {}\n", part.number, part.etag.value, part.size);
        }
      }
    }
    return out;
  }
  // A bit of everything, much of it dead.
  void fill() {
    make_bucket("data", Versioning::enabled);
    make_bucket("gone");
    make_bucket("plain");
    ASSERT_TRUE(put("plain", "kept", pattern_text(700, 1)));
    ASSERT_TRUE(put("gone", "x", "x"));
    ASSERT_TRUE(remove("gone", "x"));
    ASSERT_TRUE(run(store->delete_bucket(BucketName("gone"))));
    ASSERT_TRUE(
        run(store->set_bucket_document(BucketName("data"), BucketDocument::lifecycle, "a")));
    ASSERT_TRUE(
        run(store->set_bucket_document(BucketName("data"), BucketDocument::lifecycle, "b")));
    ASSERT_TRUE(put("data", "large", pattern_text(5000, 3)));
    ASSERT_TRUE(put("data", "empty", ""));
    for (unsigned i = 0; i < 60; ++i) {
      ASSERT_TRUE(put("plain", fmt::format("k{}", i % 7), pattern_text(900 + i, i)));
    }
    auto first = put("data", "k", "first");
    ASSERT_TRUE(put("data", "k", "second"));
    ASSERT_TRUE(remove("data", "k"));
    ASSERT_TRUE(run(
        store->set_tags(BucketName("data"), ObjectKey("k"), first->version, {{"tag", "value"}})));
    for (const char* key : {"copy1", "copy2"}) {
      CopyRequest copy{.source_bucket = BucketName("plain"),
                       .source_key = ObjectKey("kept"),
                       .bucket = BucketName("plain"),
                       .key = ObjectKey(key)};
      ASSERT_TRUE(run(store->copy(copy)));
    }
    ASSERT_TRUE(remove("plain", "kept"));
    auto upload = run(store->create_upload({.bucket = BucketName("data"), .key = ObjectKey("up")}));
    for (unsigned number : {1u, 2u, 2u}) {
      PartRequest part{.bucket = BucketName("data"), .key = ObjectKey("up"), .upload = *upload};
      part.number = number;
      auto reader = make_string_reader(pattern_text(300 + number, number));
      ASSERT_TRUE(run(store->put_part(part, *reader)));
    }
    for (unsigned i = 0; i < 30; ++i) ASSERT_TRUE(put("plain", "last", pattern_text(1000, i)));
  }
};

TEST_F(CompactTest, MovesWhatIsOfUseAndDropsTheRest) {
  open(small());
  fill();
  const std::string before = picture();
  const auto usage = *store->log_usage();
  const auto active = segments().back();
  const auto report = compact();
  EXPECT_GE(report.segments, 4u);
  EXPECT_GT(segments().front(), active - 1);
  EXPECT_EQ(picture(), before);
  EXPECT_LT(store->log_usage()->bytes, usage.bytes / 2);
  open(small());
  EXPECT_EQ(picture(), before);
}

TEST_F(CompactTest, TheIndexCanBeMadeAnewFromACompactedLog) {
  open(small());
  fill();
  const std::string before = picture();
  for (int i = 0; i < 3; ++i) compact();
  const auto usage = *store->log_usage();
  close();
  auto rebuilt = LocalStore::rebuild_index(small(), clock, random);
  ASSERT_TRUE(rebuilt) << rebuilt.error().context;
  open(small());
  EXPECT_EQ(picture(), before);
  EXPECT_EQ(store->log_usage()->live_bytes, usage.live_bytes)
      << "the sums are those of the lost one";
  compact();
  EXPECT_EQ(picture(), before);
}

TEST_F(CompactTest, RemovedVersionsDoNotComeBack) {
  open(small());
  make_bucket("data");
  for (unsigned i = 0; i < 40; ++i)
    ASSERT_TRUE(put("data", fmt::format("k{}", i), pattern_text(1000)));
  for (unsigned i = 0; i < 40; ++i) ASSERT_TRUE(remove("data", fmt::format("k{}", i)));
  CompactRules one = everything();
  // Only the first segment goes; the removals lie in the last one.
  one.go_on = [](CompactInstant instant) { return instant != CompactInstant::removed; };
  compact(one);
  ASSERT_GE(segments().size(), 2u);
  close();
  ASSERT_TRUE(LocalStore::rebuild_index(small(), clock, random));
  open(small());
  EXPECT_TRUE(list("data").objects.empty());
}

TEST_F(CompactTest, CopiesShareOneBodyBeforeAndAfter) {
  open(small());
  make_bucket("data");
  ASSERT_TRUE(put("data", "a", pattern_text(2000)));
  for (unsigned i = 0; i < 200; ++i) {
    CopyRequest copy{.source_bucket = BucketName("data"),
                     .source_key = ObjectKey("a"),
                     .bucket = BucketName("data"),
                     .key = ObjectKey(fmt::format("copy{}", i))};
    ASSERT_TRUE(run(store->copy(copy)));
  }
  ASSERT_TRUE(remove("data", "a"));
  const std::string before = picture();
  const auto report = compact();
  EXPECT_GE(report.segments, 1u);
  EXPECT_EQ(picture(), before);
  EXPECT_LT(store->log_usage()->bytes, 200'000u);
}

TEST_F(CompactTest, AQuarantinedBlobStaysSo) {
  open(small());
  make_bucket("data");
  ASSERT_TRUE(put("data", "large", pattern_text(9000)));
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(options().directory + "/blobs")) {
    if (entry.is_regular_file()) std::filesystem::resize_file(entry.path(), 8999);
  }
  ASSERT_TRUE(run(store->scrub()));
  for (unsigned i = 0; i < 40; ++i) ASSERT_TRUE(put("data", "k", pattern_text(1000)));
  compact();
  close();
  ASSERT_TRUE(LocalStore::rebuild_index(small(), clock, random));
  open(small());
  EXPECT_EQ(get("data", "large").error().code, ErrorCode::corrupted);
}

TEST_F(CompactTest, ALostFirstSegmentIsNotTakenForADroppedOne) {
  open(small());
  fill();
  close();
  const auto all = segments();
  std::filesystem::remove(segment_path(options().directory + "/log", all.front()));
  auto rebuilt = LocalStore::rebuild_index(small(), clock, random);
  ASSERT_FALSE(rebuilt);
  EXPECT_EQ(rebuilt.error().code, ErrorCode::corrupted);
}

TEST_F(CompactTest, LittleGarbageIsLeftAlone) {
  open(small());
  make_bucket("data");
  for (unsigned i = 0; i < 60; ++i)
    ASSERT_TRUE(put("data", fmt::format("k{}", i), pattern_text(1000)));
  CompactRules rules = everything();
  rules.garbage_share = 0.5;
  EXPECT_EQ(compact(rules).segments, 0u);
  for (unsigned i = 0; i < 45; ++i) ASSERT_TRUE(remove("data", fmt::format("k{}", i)));
  EXPECT_GT(compact(rules).segments, 0u);
}

TEST_F(CompactTest, ReadersAndWritersBesideItNeverSeeAnError) {
  open(small());
  make_bucket("data");
  constexpr unsigned count = 20;
  for (unsigned i = 0; i < count; ++i) {
    ASSERT_TRUE(put("data", fmt::format("k{}", i), pattern_text(1500, i)));
  }
  boost::asio::thread_pool readers(2);
  std::atomic<bool> stop = false;
  std::vector<std::future<std::string>> ends;
  for (int reader = 0; reader < 2; ++reader) {
    ends.push_back(boost::asio::co_spawn(
        readers,
        [](LocalStore* from, std::atomic<bool>* end) -> boost::asio::awaitable<std::string> {
          for (unsigned i = 0; !*end; ++i) {
            GetRequest request{.bucket = BucketName("data"),
                               .key = ObjectKey(fmt::format("k{}", i % count))};
            auto got = co_await from->get(std::move(request));
            if (!got) co_return got.error().context;
            auto body = make_reader(std::move(got->body));
            auto text = co_await read_all(*body, 1u << 20);
            if (!text) co_return text.error().context;
            if (*text != pattern_text(1500, i % count)) co_return "wrong bytes";
            CopyRequest copy{.source_bucket = BucketName("data"),
                             .source_key = ObjectKey(fmt::format("k{}", i % count)),
                             .bucket = BucketName("data"),
                             .key = ObjectKey("copy")};
            copy.compute = {ChecksumAlgorithm::crc32c};
            auto copied = co_await from->copy(copy);
            if (!copied) co_return copied.error().context;
          }
          co_return "";
        }(store.get(), &stop),
        boost::asio::use_future));
  }
  std::uint64_t dropped = 0;
  while (dropped < 40) {
    for (unsigned i = 0; i < 15; ++i) {
      ASSERT_TRUE(put("data", "busy", pattern_text(1500, i)));
    }
    dropped += compact().segments;
  }
  stop = true;
  for (auto& end : ends) EXPECT_EQ(end.get(), "");
  readers.join();  // its threads post to the store's
  close();         // and the store's to them
}

}  // namespace
}  // namespace holdfast::store
