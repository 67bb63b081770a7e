#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fstream>
#include <thread>

#include "base/encoding.h"
#include "store/blob_files.h"
#include "store/local_recovery.h"
#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

constexpr std::size_t small = 1000;
constexpr std::size_t large = 3u << 20;

TEST_F(LocalStoreTest, SmallAndLargeBodiesComeBackWhole) {
  open();
  make_bucket("data");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, small, std::size_t{128 << 10},
                                 std::size_t{(128 << 10) + 1}, std::size_t{1 << 20}, large}) {
    const std::string text = pattern_text(size);
    auto done = put("data", "key", text);
    ASSERT_TRUE(done) << done.error().context;
    auto back = get("data", "key");
    ASSERT_TRUE(back) << back.error().context;
    EXPECT_TRUE(*back == text) << size;
  }
}

TEST_F(LocalStoreTest, LargeBodiesGoOutAsFileExtentsAndSmallOnesVerifiedInMemory) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "small", pattern_text(small)));
  ASSERT_TRUE(put("data", "large", pattern_text(large)));
  auto in_memory = get_result(get_request("data", "small"));
  ASSERT_TRUE(in_memory);
  EXPECT_TRUE(std::holds_alternative<std::string>(in_memory->body));
  auto request = get_request("data", "large");
  request.range = ByteRange{.first = 1000, .last = 999'999};
  auto in_file = get_result(request);
  ASSERT_TRUE(in_file);
  EXPECT_TRUE(std::holds_alternative<std::vector<FileExtent>>(in_file->body));
  EXPECT_EQ(*text_of(std::move(in_file)), pattern_text(large).substr(1000, 999'000));
}

TEST_F(LocalStoreTest, EverythingIsThereAfterAnOrderlyRestart) {
  open();
  make_bucket("data", Versioning::enabled);
  auto first = put("data", "k", "one");
  ASSERT_TRUE(first);
  ASSERT_TRUE(put("data", "k", pattern_text(large)));
  ASSERT_TRUE(remove("data", "gone"));
  open();
  EXPECT_TRUE(store->recovery().clean);
  EXPECT_EQ(store->recovery().replayed, 0u);
  EXPECT_EQ(*get("data", "k"), pattern_text(large));
  auto request = get_request("data", "k");
  request.version = first->version;
  EXPECT_EQ(*text_of(get_result(request)), "one");
}

TEST_F(LocalStoreTest, AReplacedBlobIsRemovedWhileItsReaderGoesOn) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "k", pattern_text(large, 1)));
  auto reading = get_result(get_request("data", "k"));
  ASSERT_TRUE(put("data", "k", pattern_text(large, 2)));
  EXPECT_EQ(count_blobs(), 1u);
  EXPECT_EQ(*text_of(std::move(reading)), pattern_text(large, 1));
  ASSERT_TRUE(remove("data", "k"));
  EXPECT_EQ(count_blobs(), 0u);
}

TEST_F(LocalStoreTest, ARefusedLargeBodyLeavesNoBlobBehind) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "k", "there"));
  auto refused = put("data", "k", pattern_text(large), {.if_none_match_any = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::precondition_failed);
  EXPECT_EQ(count_blobs(), 0u);
  EXPECT_EQ(*get("data", "k"), "there");
}

TEST_F(LocalStoreTest, ACopySharesTheBlobUntilTheLastOwnerGoes) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "a", pattern_text(large)));
  CopyRequest request;
  request.source_bucket = request.bucket = BucketName("data");
  request.source_key = ObjectKey("a");
  request.key = ObjectKey("b");
  ASSERT_TRUE(run(store->copy(request)));
  EXPECT_EQ(count_blobs(), 1u);
  ASSERT_TRUE(remove("data", "a"));
  EXPECT_EQ(*get("data", "b"), pattern_text(large));
  request.source_key = request.key = ObjectKey("b");  // onto itself
  ASSERT_TRUE(run(store->copy(request)));
  EXPECT_EQ(*get("data", "b"), pattern_text(large));
  ASSERT_TRUE(remove("data", "b"));
  EXPECT_EQ(count_blobs(), 0u);
}

TEST_F(LocalStoreTest, ACompletedUploadMovesNoDataAndAnAbortedOneLeavesNone) {
  open();
  make_bucket("data");
  for (const bool finish : {true, false}) {
    auto upload = begin_upload("data", "k");
    for (std::uint32_t number = 1; number <= 3; ++number) {
      upload.parts.push_back(
          put_part(upload, number, pattern_text(number < 3 ? 5u << 20 : small, number)));
    }
    if (finish) {
      auto completed = run(store->complete_upload(upload));
      ASSERT_TRUE(completed) << completed.error().context;
      EXPECT_TRUE(completed->etag.value.ends_with("-3"));
    } else {
      EXPECT_EQ(count_blobs(), 4u);
      ASSERT_TRUE(run(store->abort_upload(upload.bucket, upload.key, upload.upload)));
    }
    EXPECT_EQ(count_blobs(), 2u);
  }
  EXPECT_EQ(*get("data", "k"),
            pattern_text(5u << 20, 1) + pattern_text(5u << 20, 2) + pattern_text(small, 3));
  auto request = get_request("data", "k");
  request.part_number = 3;
  EXPECT_EQ(*text_of(get_result(request)), pattern_text(small, 3));
  ASSERT_TRUE(remove("data", "k"));
  EXPECT_EQ(count_blobs(), 0u);
}

TEST_F(LocalStoreTest, APartThatACompletionDoesNotNameLetsGoOfItsBlob) {
  open();
  make_bucket("data");
  auto upload = begin_upload("data", "k");
  for (std::uint32_t number = 1; number <= 3; ++number) {
    auto part = put_part(upload, number, pattern_text(5u << 20, number));
    if (number != 2) upload.parts.push_back(std::move(part));
  }
  EXPECT_EQ(count_blobs(), 3u);
  ASSERT_TRUE(run(store->complete_upload(upload)));
  EXPECT_EQ(count_blobs(), 2u);
  EXPECT_EQ(*get("data", "k"), pattern_text(5u << 20, 1) + pattern_text(5u << 20, 3));
  ASSERT_TRUE(remove("data", "k"));
  EXPECT_EQ(count_blobs(), 0u);
}

TEST_F(LocalStoreTest, RemovingADeleteMarkerBringsTheVersionBelowBack) {
  open();
  make_bucket("data", Versioning::enabled);
  ASSERT_TRUE(put("data", "k", "one"));
  auto marker = remove("data", "k");
  ASSERT_TRUE(marker);
  EXPECT_EQ(get("data", "k").error().code, ErrorCode::no_such_key);
  EXPECT_TRUE(list("data").objects.empty());
  auto removed = remove("data", "k", marker->version);
  ASSERT_TRUE(removed);
  EXPECT_TRUE(removed->delete_marker);
  EXPECT_EQ(*get("data", "k"), "one");
  EXPECT_EQ(list("data").objects.size(), 1u);
}

TEST_F(LocalStoreTest, AVersionOfTimesBeforeVersioningIsReplacedWhenItIsSuspended) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "k", "null one"));
  ASSERT_TRUE(run(store->set_versioning(BucketName("data"), Versioning::enabled)));
  auto kept = put("data", "k", "kept");
  ASSERT_TRUE(kept);
  ASSERT_TRUE(run(store->set_versioning(BucketName("data"), Versioning::suspended)));
  ASSERT_TRUE(put("data", "k", "null two"));
  auto page = run(store->list_versions({.bucket = BucketName("data")}));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->versions.size(), 2u);
  EXPECT_EQ(page->versions[0].version.value, "null");
  EXPECT_TRUE(page->versions[0].latest);
  EXPECT_EQ(page->versions[1].version, kept->version);
  EXPECT_FALSE(page->versions[1].latest);
}

TEST_F(LocalStoreTest, AListingSkipsCommonPrefixesAndGoesOnBehindThem) {
  open();
  make_bucket("data");
  for (const char* key : {"a", "a/1", "a/2", "a//3", "b/x/y", "c", "d/"}) {
    ASSERT_TRUE(put("data", key, "x"));
  }
  auto page = list("data", "", "/");
  ASSERT_EQ(page.objects.size(), 2u);
  EXPECT_EQ(page.common_prefixes, (std::vector<std::string>{"a/", "b/", "d/"}));
  ListRequest request{.bucket = BucketName("data"), .delimiter = "/", .max_keys = 2};
  auto first = run(store->list(request));
  ASSERT_TRUE(first && first->truncated);
  EXPECT_EQ(first->next, "a/");
  request.start_after = first->next;
  auto second = run(store->list(request));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->common_prefixes, std::vector<std::string>{"b/"});
  EXPECT_EQ(second->objects.at(0).key.value, "c");
  EXPECT_EQ(list("data", "a/").objects.size(), 3u);
}

TEST_F(LocalStoreTest, TheChangeFeedWakesThoseWhoWaitOnAnotherExecutor) {
  open();
  make_bucket("data");
  auto now = run(store->changes({.bucket = BucketName("data")}));
  ASSERT_TRUE(now);
  std::optional<Result<ChangesPage>> seen;
  std::thread waiter([&] {
    seen = run(store->changes(
        {.bucket = BucketName("data"), .after = now->next, .wait = std::chrono::seconds(30)}));
  });
  ASSERT_TRUE(put("data", "k", "news"));
  waiter.join();
  ASSERT_TRUE(*seen) << seen->error().context;
  ASSERT_EQ((*seen)->changes.size(), 1u);
  EXPECT_EQ((*seen)->changes[0].key.value, "k");
  EXPECT_EQ((*seen)->changes[0].kind, ChangeKind::put);
  EXPECT_EQ((*seen)->next, (*seen)->changes[0].sequence);
}

TEST_F(LocalStoreTest, OfManyWritersThatWantToCreateAKeyOneSucceeds) {
  open();
  make_bucket("data");
  std::atomic<int> created = 0;
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        auto done = put("data", fmt::format("k{}", n), fmt::format("from {}", i),
                        {.if_none_match_any = true});
        if (done) ++created;
      }
    });
  }
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(created, 25);
}

TEST_F(LocalStoreTest, ASecondProcessIsToldWhoHoldsTheDirectory) {
  open();
  auto second = LocalStore::open(options(), clock, random);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::locked);
  EXPECT_NE(second.error().context.find(fmt::format("pid {}", ::getpid())), std::string::npos);
}

TEST_F(LocalStoreTest, ADirectoryOfANewerFormatIsLeftAlone) {
  open();
  make_bucket("data");
  close();
  std::ofstream(options().directory + "/FORMAT") << "holdfast-store 3\n";
  auto opened = LocalStore::open(options(), clock, random);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_supported);
}

TEST_F(LocalStoreTest, WritesAreRefusedBelowTheReserveAndDeletesAreNot) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "k", "before"));
  auto tight = options();
  tight.reserve_bytes = std::uint64_t{1} << 60;
  open(tight);
  EXPECT_EQ(put("data", "l", "no").error().code, ErrorCode::no_space);
  EXPECT_EQ(*get("data", "k"), "before");
  EXPECT_TRUE(remove("data", "k"));
}

TEST_F(LocalStoreTest, RetentionKeepsAVersionUntilItsTime) {
  open();
  ASSERT_TRUE(run(store->create_bucket(BucketName("locked"), true)));
  PutRequest request;
  request.bucket = BucketName("locked");
  request.key = ObjectKey("k");
  request.retention = {Retention::Mode::governance, clock.now() + std::chrono::hours(1), false};
  auto reader = make_string_reader("kept");
  auto done = run(store->put(request, *reader));
  ASSERT_TRUE(done);
  EXPECT_EQ(remove("locked", "k", done->version).error().code, ErrorCode::locked);
  DeleteRequest bypass{.bucket = request.bucket, .key = request.key, .version = done->version};
  bypass.bypass_governance = true;
  EXPECT_TRUE(run(store->remove(bypass)));
}

// Every kind of write, each into a bucket of its own name; the outcome of the last step.
class LocalLockTest : public LocalStoreTest {
 protected:
  void make(const std::string& name, bool object_lock) {
    ASSERT_TRUE(run(store->create_bucket(BucketName(name), object_lock)));
  }
  static std::string outcome(const auto& result) {
    return result ? "ok" : std::string(to_string(result.error().code));
  }
  std::string put_with(const std::string& bucket, const Retention& retention) {
    PutRequest request;
    request.bucket = BucketName(bucket);
    request.key = ObjectKey("put");
    request.retention = retention;
    auto reader = make_string_reader("v");
    return outcome(run(store->put(std::move(request), *reader)));
  }
  std::string copy_with(const std::string& bucket, const Retention& retention) {
    CopyRequest request;
    request.source_bucket = BucketName("source");
    request.source_key = ObjectKey("k");
    request.bucket = BucketName(bucket);
    request.key = ObjectKey("copied");
    request.retention = retention;
    return outcome(run(store->copy(std::move(request))));
  }
  std::string assemble_with(const std::string& bucket, const Retention& retention) {
    CreateUploadRequest begin;
    begin.bucket = BucketName(bucket);
    begin.key = ObjectKey("assembled");
    begin.retention = retention;
    auto upload = run(store->create_upload(std::move(begin)));
    if (!upload) return outcome(upload);
    PartRequest part;
    part.bucket = BucketName(bucket);
    part.key = ObjectKey("assembled");
    part.upload = *upload;
    part.number = 1;
    auto reader = make_string_reader("v");
    auto sent = run(store->put_part(std::move(part), *reader));
    if (!sent) return outcome(sent);
    CompleteRequest complete{
        .bucket = BucketName(bucket), .key = ObjectKey("assembled"), .upload = *upload};
    complete.parts.push_back({1, sent->etag, {}});
    return outcome(run(store->complete_upload(std::move(complete))));
  }
  std::string set_default(const std::string& text) {
    return outcome(
        run(store->set_bucket_document(BucketName("locked"), BucketDocument::object_lock, text)));
  }
};

TEST_F(LocalLockTest, NoWriteIsLockedInABucketThatWasNotMadeForIt) {
  open();
  make_bucket("source");
  ASSERT_TRUE(put("source", "k", "v"));
  make("plain", false);
  const Retention period{Retention::Mode::governance, clock.now() + std::chrono::hours(1), false};
  const Retention hold{Retention::Mode::none, {}, true};
  for (const Retention& retention : {period, hold}) {
    EXPECT_EQ(put_with("plain", retention), "invalid argument");
    EXPECT_EQ(copy_with("plain", retention), "invalid argument");
    CreateUploadRequest begin;  // refused at its beginning, before parts are sent
    begin.bucket = BucketName("plain");
    begin.key = ObjectKey("assembled");
    begin.retention = retention;
    EXPECT_EQ(outcome(run(store->create_upload(std::move(begin)))), "invalid argument");
  }
  LockRequest request{.bucket = BucketName("source"), .key = ObjectKey("k"), .legal_hold = true};
  EXPECT_EQ(outcome(run(store->set_lock(request))), "invalid argument");
}

TEST_F(LocalLockTest, ADefaultThatCannotBeReadStopsEveryKindOfWrite) {
  open();
  make_bucket("source");
  ASSERT_TRUE(put("source", "k", "v"));
  make("locked", true);
  for (const char* text :
       {"no XML", "<ObjectLockConfiguration><Rule/></ObjectLockConfiguration>"}) {
    ASSERT_EQ(set_default(text), "ok");
    EXPECT_EQ(put_with("locked", {}), "corrupted");
    EXPECT_EQ(copy_with("locked", {}), "corrupted");
    EXPECT_EQ(assemble_with("locked", {}), "corrupted");
  }
  EXPECT_TRUE(list("locked").objects.empty());
}

TEST_F(LocalLockTest, WhatAWriteAsksForItselfStandsInPlaceOfTheDefault) {
  open();
  make_bucket("source");
  ASSERT_TRUE(put("source", "k", "v"));
  make("locked", true);
  ASSERT_EQ(set_default("<ObjectLockConfiguration><Rule><DefaultRetention><Mode>GOVERNANCE</Mode>"
                        "<Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>"),
            "ok");
  const TimePoint until =
      std::chrono::ceil<std::chrono::seconds>(clock.now()) + std::chrono::hours(24 * 30);
  const Retention wanted{Retention::Mode::compliance, until, false};
  EXPECT_EQ(put_with("locked", wanted), "ok");
  EXPECT_EQ(copy_with("locked", wanted), "ok");
  EXPECT_EQ(assemble_with("locked", wanted), "ok");
  for (const char* key : {"put", "copied", "assembled"}) {
    auto found = run(store->head(get_request("locked", key)));
    ASSERT_TRUE(found) << key;
    EXPECT_EQ(found->info.retention.mode, Retention::Mode::compliance) << key;
    EXPECT_EQ(found->info.retention.until, until) << key;
    EXPECT_EQ(outcome(remove("locked", key, found->info.version)), "locked") << key;
  }
}

TEST_F(LocalStoreTest, KeysNeverBecomeFileNames) {
  open();
  make_bucket("data");
  const std::string body = pattern_text(large);
  const std::vector<std::string> keys = {
      "../../outside", "/tmp/holdfast-outside", "blobs/../../outside", "plain-name", "..",
      "a\\..\\b"};
  for (const auto& key : keys) {
    ASSERT_TRUE(put("data", key, body)) << key;
    ASSERT_TRUE(put("data", key + "-small", "v")) << key;
  }
  EXPECT_EQ(count_blobs(), keys.size());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(entry.path().string().find("outside"), std::string::npos) << entry.path();
    EXPECT_EQ(name.find("plain-name"), std::string::npos) << entry.path();
    EXPECT_NE(name, "a\\..\\b");
  }
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/../holdfast-outside"));
  for (const auto& key : keys) EXPECT_EQ(*get("data", key), body) << key;
}

TEST_F(LocalStoreTest, BlobsHaveNamesOfOurOwnShapeOnly) {
  auto blobs = BlobFiles::open(directory.path() + "/blobs", false);
  ASSERT_TRUE(blobs);
  std::ofstream(directory.path() + "/outside") << "x";
  for (const char* name : {"../outside", "", "..", "0123456789abcdef0123456789abcdeF",
                           "0123456789abcdef0123456789abcde/"}) {
    auto opened = blobs->open_blob(name);
    ASSERT_FALSE(opened) << name;
    EXPECT_EQ(opened.error().code, ErrorCode::corrupted) << name;
  }
}

}  // namespace
}  // namespace holdfast::store
