// Quotas, what a bucket holds, who wrote it and whom it is open to: the same of the local store,
// through a restart and a rebuilt index, and of the memory store.
#include "local_fixture.h"
#include "store/memory_store.h"
#include "store/quota.h"

namespace holdfast::store {
namespace {

const BucketName bucket("quotas");

class Limits : public LocalStoreTest, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "local") {
      open();
    } else {
      memory = std::make_unique<MemoryStore>(context.get_executor(), clock, random);
    }
    ASSERT_TRUE(run(it().create_bucket(bucket, false)));
  }
  ObjectStore& it() { return memory ? static_cast<ObjectStore&>(*memory) : *store; }
  void reopen(bool rebuild) {
    if (memory) return;
    close();
    if (rebuild) {
      ASSERT_TRUE(LocalStore::rebuild_index(options(), clock, random));
    }
    open();
  }
  Result<void> limit(std::string quota) {
    return run(it().set_bucket_document(bucket, BucketDocument::quota, std::move(quota)));
  }
  std::string write(const std::string& key, std::size_t bytes, std::string uploader = {}) {
    PutRequest request{.bucket = bucket, .key = ObjectKey(key), .uploader = std::move(uploader)};
    auto body = make_string_reader(std::string(bytes, 'x'));
    auto done = run(it().put(std::move(request), *body));
    return done ? "ok" : std::string(to_string(done.error().code));
  }
  std::string usage() {
    auto info = run(it().head_bucket(bucket));
    if (!info || !info->usage) return "unknown";
    return fmt::format("{} bytes in {}", info->usage->bytes, info->usage->objects);
  }

  boost::asio::io_context context;
  std::unique_ptr<MemoryStore> memory;
};

TEST_P(Limits, AQuotaOfBytesHoldsForPutsCopiesAndParts) {
  ASSERT_TRUE(limit(R"({"bytes":100})"));
  EXPECT_EQ(write("a", 60), "ok");
  EXPECT_EQ(write("b", 41), "quota exceeded");
  EXPECT_EQ(write("b", 40), "ok");
  CopyRequest copy;
  copy.source_bucket = copy.bucket = bucket;
  copy.source_key = ObjectKey("a");
  copy.key = ObjectKey("c");
  auto copied = run(it().copy(copy));
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, ErrorCode::quota_exceeded);
  auto upload = run(it().create_upload({.bucket = bucket, .key = ObjectKey("d")}));
  ASSERT_TRUE(upload);
  PartRequest part{.bucket = bucket, .key = ObjectKey("d"), .upload = *upload, .number = 1};
  auto body = make_string_reader("x");
  auto sent = run(it().put_part(std::move(part), *body));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::quota_exceeded);
  EXPECT_EQ(usage(), "100 bytes in 2");
}

TEST_P(Limits, WhatIsOverwrittenOrRemovedMakesRoom) {
  ASSERT_TRUE(limit(R"({"bytes":100,"objects":2})"));
  EXPECT_EQ(write("a", 60), "ok");
  EXPECT_EQ(write("b", 40), "ok");
  EXPECT_EQ(write("a", 50), "ok");
  EXPECT_EQ(write("c", 1), "quota exceeded");
  ASSERT_TRUE(run(it().remove({.bucket = bucket, .key = ObjectKey("b")})));
  EXPECT_EQ(write("c", 50), "ok");
  EXPECT_EQ(usage(), "100 bytes in 2");
  ASSERT_TRUE(limit({}));
  EXPECT_EQ(write("d", 500), "ok");
}

TEST_P(Limits, OldVersionsCountAndMarkersDoNot) {
  ASSERT_TRUE(run(it().set_versioning(bucket, Versioning::enabled)));
  ASSERT_TRUE(limit(R"({"bytes":100})"));
  EXPECT_EQ(write("a", 60), "ok");
  EXPECT_EQ(write("a", 60), "quota exceeded");
  ASSERT_TRUE(run(it().remove({.bucket = bucket, .key = ObjectKey("a")})));
  EXPECT_EQ(write("a", 60), "quota exceeded");
  EXPECT_EQ(usage(), "60 bytes in 1");
}

TEST_P(Limits, UsageAndQuotaOutliveARestartAndARebuild) {
  ASSERT_TRUE(run(it().set_versioning(bucket, Versioning::suspended)));
  ASSERT_TRUE(limit(R"({"objects":3})"));
  EXPECT_EQ(write("a", 60), "ok");
  EXPECT_EQ(write("a", 10), "ok");
  auto upload = run(it().create_upload({.bucket = bucket, .key = ObjectKey("d")}));
  ASSERT_TRUE(upload);
  for (const char* text : {"four", "sevenup"}) {
    PartRequest part{.bucket = bucket, .key = ObjectKey("d"), .upload = *upload, .number = 1};
    auto body = make_string_reader(text);
    ASSERT_TRUE(run(it().put_part(std::move(part), *body)));
  }
  EXPECT_EQ(usage(), "17 bytes in 1");
  reopen(false);
  EXPECT_EQ(usage(), "17 bytes in 1");
  ASSERT_TRUE(run(it().abort_upload(bucket, ObjectKey("d"), *upload)));
  reopen(true);
  EXPECT_EQ(usage(), "10 bytes in 1");
  EXPECT_EQ(write("b", 1), "ok");
  EXPECT_EQ(write("c", 1), "ok");
  EXPECT_EQ(write("d", 1), "quota exceeded");
}

TEST_P(Limits, ACompletedUploadCountsItsPartsOnce) {
  ASSERT_TRUE(limit(R"({"bytes":10,"objects":1})"));
  auto upload =
      run(it().create_upload({.bucket = bucket, .key = ObjectKey("d"), .uploader = "alice"}));
  ASSERT_TRUE(upload);
  PartRequest part{.bucket = bucket, .key = ObjectKey("d"), .upload = *upload, .number = 1};
  auto body = make_string_reader("ten bytes.");
  auto sent = run(it().put_part(std::move(part), *body));
  ASSERT_TRUE(sent);
  CompleteRequest complete{.bucket = bucket, .key = ObjectKey("d"), .upload = *upload};
  complete.parts.push_back({1, sent->etag, {}});
  ASSERT_TRUE(run(it().complete_upload(std::move(complete))));
  EXPECT_EQ(usage(), "10 bytes in 1");
}

TEST_P(Limits, AQuotaThatMakesNoSenseIsRefused) {
  for (const char* text : {"10", "{\"bytes\":-1}", "{\"bytes\":1.5}", "{\"files\":3}", "{"}) {
    EXPECT_FALSE(limit(text)) << text;
  }
}

TEST_P(Limits, WhoWroteAnObjectIsKeptWithIt) {
  EXPECT_EQ(write("a", 1, "alice"), "ok");
  EXPECT_EQ(write("b", 1), "ok");
  CopyRequest copy;
  copy.source_bucket = copy.bucket = bucket;
  copy.source_key = ObjectKey("a");
  copy.key = ObjectKey("c");
  copy.uploader = "bob";
  ASSERT_TRUE(run(it().copy(copy)));
  auto upload =
      run(it().create_upload({.bucket = bucket, .key = ObjectKey("d"), .uploader = "dora"}));
  ASSERT_TRUE(upload);
  auto uploads = run(it().list_uploads({.bucket = bucket}));
  ASSERT_TRUE(uploads);
  ASSERT_EQ(uploads->uploads.size(), 1u);
  EXPECT_EQ(uploads->uploads[0].uploader, "dora");
  PartRequest part{.bucket = bucket, .key = ObjectKey("d"), .upload = *upload, .number = 1};
  auto body = make_string_reader("part");
  auto sent = run(it().put_part(std::move(part), *body));
  ASSERT_TRUE(sent);
  CompleteRequest complete{.bucket = bucket, .key = ObjectKey("d"), .upload = *upload};
  complete.parts.push_back({1, sent->etag, {}});
  ASSERT_TRUE(run(it().complete_upload(std::move(complete))));
  reopen(true);
  std::string who;
  for (const char* key : {"a", "b", "c", "d"}) {
    auto found = run(it().head({.bucket = bucket, .key = ObjectKey(key)}));
    ASSERT_TRUE(found) << key;
    who += found->info.uploader + ";";
  }
  EXPECT_EQ(who, "alice;;bob;dora;");
}

TEST_P(Limits, AnAclIsKeptWithItsVersionAndNeverCopied) {
  EXPECT_EQ(write("closed", 1), "ok");
  PutRequest request{.bucket = bucket, .key = ObjectKey("open"), .acl = "all"};
  auto body = make_string_reader("x");
  ASSERT_TRUE(run(it().put(std::move(request), *body)));
  CopyRequest copy;
  copy.source_bucket = copy.bucket = bucket;
  copy.source_key = ObjectKey("open");
  copy.key = ObjectKey("copy");
  ASSERT_TRUE(run(it().copy(copy)));
  copy.key = ObjectKey("open copy");
  copy.acl = "some";
  ASSERT_TRUE(run(it().copy(copy)));
  auto upload = run(it().create_upload({.bucket = bucket, .key = ObjectKey("parts"), .acl = "up"}));
  ASSERT_TRUE(upload);
  PartRequest part{.bucket = bucket, .key = ObjectKey("parts"), .upload = *upload, .number = 1};
  body = make_string_reader("part");
  auto sent = run(it().put_part(std::move(part), *body));
  ASSERT_TRUE(sent);
  CompleteRequest complete{.bucket = bucket, .key = ObjectKey("parts"), .upload = *upload};
  complete.parts.push_back({1, sent->etag, {}});
  ASSERT_TRUE(run(it().complete_upload(std::move(complete))));
  const auto acls = [&] {
    std::string text;
    for (const char* key : {"closed", "open", "copy", "open copy", "parts"}) {
      auto found = run(it().head({.bucket = bucket, .key = ObjectKey(key)}));
      text += (found ? found->info.acl : "missing") + ";";
    }
    return text;
  };
  EXPECT_EQ(acls(), ";all;;some;up;");
  ASSERT_TRUE(run(it().set_acl(bucket, ObjectKey("closed"), std::nullopt, "later")));
  ASSERT_TRUE(run(it().set_acl(bucket, ObjectKey("open"), std::nullopt, "")));
  EXPECT_FALSE(run(it().set_acl(bucket, ObjectKey("none"), std::nullopt, "x")));
  EXPECT_EQ(acls(), "later;;;some;up;");
  reopen(true);
  EXPECT_EQ(acls(), "later;;;some;up;");
}

INSTANTIATE_TEST_SUITE_P(Stores, Limits, testing::Values("local", "memory"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace holdfast::store
