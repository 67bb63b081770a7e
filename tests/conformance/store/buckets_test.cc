#include <algorithm>

#include "store_conformance.h"

namespace holdfast::store {
namespace {

TEST_P(StoreConformance, ABucketThatWasCreatedIsListedAndKnown) {
  const auto name = new_bucket();
  auto info = run(store().head_bucket(name));
  ASSERT_EQ(outcome(info), "ok");
  EXPECT_EQ(info->name, name);
  EXPECT_EQ(info->versioning, Versioning::unversioned);
  auto all = run(store().list_buckets());
  ASSERT_EQ(outcome(all), "ok");
  EXPECT_TRUE(std::ranges::any_of(*all, [&](const auto& b) { return b.name == name; }));
  EXPECT_TRUE(std::ranges::is_sorted(*all, {}, &BucketInfo::name));
}

TEST_P(StoreConformance, ABucketCannotBeCreatedTwiceOrWithABadName) {
  const auto name = new_bucket();
  EXPECT_EQ(outcome(run(store().create_bucket(name, false))), "bucket exists");
  for (const char* bad : {"ab", "Upper", "under_score", "a..b", "192.168.0.1", "-dash", "dot."}) {
    EXPECT_EQ(outcome(run(store().create_bucket(BucketName(bad), false))), "invalid name") << bad;
  }
}

TEST_P(StoreConformance, WhatIsAskedOfAMissingBucketIsRefusedAsSuch) {
  const BucketName missing("no-such-bucket-here");
  EXPECT_EQ(outcome(run(store().head_bucket(missing))), "no such bucket");
  EXPECT_EQ(outcome(run(store().delete_bucket(missing))), "no such bucket");
  EXPECT_EQ(outcome(run(store().set_versioning(missing, Versioning::enabled))), "no such bucket");
  EXPECT_EQ(outcome(put(missing, "k", "v")), "no such bucket");
  EXPECT_EQ(outcome(read(missing, "k")), "no such bucket");
  EXPECT_EQ(outcome(remove(missing, "k")), "no such bucket");
  EXPECT_EQ(outcome(run(store().list(ListRequest{.bucket = missing}))), "no such bucket");
  EXPECT_EQ(outcome(run(store().list_versions(ListVersionsRequest{.bucket = missing}))),
            "no such bucket");
  EXPECT_EQ(outcome(start_upload(missing, "k")), "no such bucket");
}

TEST_P(StoreConformance, ABucketIsDeletedOnlyWhenNothingIsLeftInIt) {
  const auto name = new_bucket(Versioning::enabled);
  ASSERT_EQ(outcome(put(name, "k", "v")), "ok");
  EXPECT_EQ(outcome(run(store().delete_bucket(name))), "bucket not empty");
  ASSERT_EQ(outcome(remove(name, "k")), "ok");
  EXPECT_EQ(outcome(run(store().delete_bucket(name))), "bucket not empty") << "old versions count";
  for (const auto& info : all_versions(ListVersionsRequest{.bucket = name})) {
    ASSERT_EQ(outcome(remove(name, info.key.value, info.version)), "ok");
  }
  EXPECT_EQ(outcome(run(store().delete_bucket(name))), "ok");
  EXPECT_EQ(outcome(run(store().head_bucket(name))), "no such bucket");
}

TEST_P(StoreConformance, OpenUploadsEndWithTheirBucket) {
  const auto name = new_bucket();
  auto upload = start_upload(name, "k");
  ASSERT_EQ(outcome(upload), "ok");
  ASSERT_EQ(outcome(put_part(name, "k", *upload, 1, std::string(200'000, 'x'))), "ok");
  ASSERT_EQ(outcome(run(store().delete_bucket(name))), "ok");
  ASSERT_EQ(outcome(run(store().create_bucket(name, false))), "ok");
  EXPECT_EQ(outcome(put_part(name, "k", *upload, 2, "x")), "no such upload");
  EXPECT_TRUE(run(store().list_uploads({.bucket = name}))->uploads.empty());
  ASSERT_EQ(outcome(run(store().delete_bucket(name))), "ok");
}

TEST_P(StoreConformance, ObjectLockComesToAVersionedBucketAndStays) {
  const auto name = new_bucket();
  const std::string document =
      "<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
  const auto lock = [&] {
    return outcome(run(store().set_bucket_document(name, BucketDocument::object_lock, document)));
  };
  EXPECT_EQ(lock(), "conflict");
  ASSERT_EQ(outcome(run(store().set_versioning(name, Versioning::enabled))), "ok");
  const auto kept = put(name, "k", "v");
  if (departs(Departure::locks_only_new_buckets)) {
    EXPECT_EQ(lock(), "conflict");
    return;
  }
  ASSERT_EQ(lock(), "ok");
  EXPECT_NE(outcome(run(store().set_versioning(name, Versioning::suspended))), "ok");
  EXPECT_NE(outcome(run(store().set_bucket_document(name, BucketDocument::object_lock, ""))), "ok");
  LockRequest hold{.bucket = name, .key = ObjectKey("k"), .version = kept->version};
  hold.legal_hold = true;
  ASSERT_EQ(outcome(run(store().set_lock(std::move(hold)))), "ok");
  EXPECT_NE(outcome(remove(name, "k", kept->version)), "ok");
}

TEST_P(StoreConformance, VersioningIsEnabledAndSuspended) {
  const auto name = new_bucket(Versioning::enabled);
  EXPECT_EQ(run(store().head_bucket(name))->versioning, Versioning::enabled);
  ASSERT_EQ(outcome(run(store().set_versioning(name, Versioning::suspended))), "ok");
  EXPECT_EQ(run(store().head_bucket(name))->versioning, Versioning::suspended);
}

TEST_P(StoreConformance, ADocumentIsKeptReplacedAndRemoved) {
  const auto name = new_bucket();
  const auto document = [](const std::string& origin) {
    return "<CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><CORSRule>"
           "<AllowedOrigin>" +
           origin +
           "</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
           "</CORSRule></CORSConfiguration>";
  };
  const auto ask = [&]() -> Result<std::string> {
    auto text = run(store().bucket_document(name, BucketDocument::cors));
    const std::string method = "<AllowedMethod>GET</AllowedMethod>";
    const auto at = text ? text->find(method) : std::string::npos;
    if (!departs(Departure::rewrites_documents) || at == std::string::npos) return text;
    text->erase(at, method.size());
    text->insert(text->find("</CORSRule>"), method);
    return text;
  };
  const auto set = [&](std::string text) {
    return run(store().set_bucket_document(name, BucketDocument::cors, std::move(text)));
  };
  EXPECT_EQ(outcome(ask()), "not found");
  ASSERT_EQ(outcome(set(document("http://a.example"))), "ok");
  EXPECT_EQ(*ask(), document("http://a.example"));
  ASSERT_EQ(outcome(set(document("http://b.example"))), "ok");
  EXPECT_EQ(*ask(), document("http://b.example"));
  ASSERT_EQ(outcome(set("")), "ok");
  EXPECT_EQ(outcome(ask()), "not found");
}

}  // namespace
}  // namespace holdfast::store
