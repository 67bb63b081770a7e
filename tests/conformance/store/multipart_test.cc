#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "s3/checksum.h"
#include "store_conformance.h"

namespace holdfast::store {
namespace {

constexpr std::size_t part_bytes = 5u << 20;

std::string md5_raw(std::string_view text) { return s3::digest_of(s3::Algorithm::md5, text); }
std::string md5_hex(std::string_view text) { return to_hex(as_bytes(md5_raw(text))); }

CompleteRequest completion(const BucketName& bucket, const std::string& key, const UploadId& upload,
                           std::vector<CompletedPart> parts) {
  return {.bucket = bucket, .key = ObjectKey(key), .upload = upload, .parts = std::move(parts)};
}

TEST_P(StoreConformance, PartsInAnyOrderBecomeOneObject) {
  const auto bucket = new_bucket();
  CreateUploadRequest create{.bucket = bucket, .key = ObjectKey("k")};
  create.attributes.content_type = "text/plain";
  create.attributes.metadata = {{"mode", "33188"}};
  const auto upload = run(store().create_upload(std::move(create)));
  ASSERT_EQ(outcome(upload), "ok");
  const std::string first(part_bytes, 'a');
  const std::string last = "the end";
  const auto two = put_part(bucket, "k", *upload, 7, last);
  ASSERT_EQ(outcome(two), "ok");
  const auto replaced = put_part(bucket, "k", *upload, 2, "replaced");
  ASSERT_EQ(outcome(replaced), "ok");
  const auto one = put_part(bucket, "k", *upload, 2, first);
  ASSERT_EQ(outcome(one), "ok");
  EXPECT_EQ(one->etag.value, md5_hex(first));
  EXPECT_EQ(outcome(read(bucket, "k")), "no such key") << "nothing is seen before completion";

  EXPECT_EQ(outcome(run(store().complete_upload(
                completion(bucket, "k", *upload, {{2, replaced->etag, {}}, {7, two->etag, {}}})))),
            "invalid part")
      << "the part was replaced";
  const auto done = run(store().complete_upload(
      completion(bucket, "k", *upload, {{2, one->etag, {}}, {7, two->etag, {}}})));
  ASSERT_EQ(outcome(done), "ok");
  EXPECT_EQ(done->etag.value, md5_hex(md5_raw(first) + md5_raw(last)) + "-2");
  EXPECT_EQ(*read(bucket, "k"), first + last);
  const auto info = head(bucket, "k")->info;
  EXPECT_EQ(info.size, first.size() + last.size());
  EXPECT_EQ(info.etag, done->etag);
  EXPECT_EQ(info.attributes.metadata.at("mode"), "33188");
  EXPECT_EQ(*read(GetRequest{.bucket = bucket,
                             .key = ObjectKey("k"),
                             .range = ByteRange{.first = part_bytes - 2, .last = part_bytes + 2}}),
            "aathe");
}

TEST_P(StoreConformance, ACompletionAskedAgainAnswersTheSameWhileItsObjectIsTheLatest) {
  const auto bucket = new_bucket(Versioning::enabled);
  const auto upload = start_upload(bucket, "k");
  const auto one = put_part(bucket, "k", *upload, 1, "text");
  const auto complete = [&](const std::string& key) {
    return run(store().complete_upload(completion(bucket, key, *upload, {{1, one->etag, {}}})));
  };
  const auto first = complete("k");
  ASSERT_EQ(outcome(first), "ok");
  const auto again = complete("k");
  ASSERT_EQ(outcome(again), "ok");
  EXPECT_EQ(again->etag, first->etag);
  if (departs(Departure::forgets_completions)) {
    EXPECT_EQ(all_versions({.bucket = bucket}).size(), 1u);
    EXPECT_NE(outcome(complete("other")), "ok");
    return;
  }
  EXPECT_EQ(again->version, first->version);
  EXPECT_EQ(all_versions({.bucket = bucket}).size(), 1u);
  EXPECT_EQ(outcome(complete("other")), "no such upload");
  ASSERT_EQ(outcome(put(bucket, "k", "newer")), "ok");
  EXPECT_EQ(outcome(complete("k")), "no such upload");
}

TEST_P(StoreConformance, APartNumberReadsThatPart) {
  const auto bucket = new_bucket();
  const auto upload = start_upload(bucket, "k");
  const auto one = put_part(bucket, "k", *upload, 1, std::string(part_bytes, 'a'));
  const auto two = put_part(bucket, "k", *upload, 2, "tail");
  ASSERT_EQ(outcome(run(store().complete_upload(
                completion(bucket, "k", *upload, {{1, one->etag, {}}, {2, two->etag, {}}})))),
            "ok");
  const auto part = [&](std::uint32_t number) {
    return read(GetRequest{.bucket = bucket, .key = ObjectKey("k"), .part_number = number});
  };
  if (departs(Departure::knows_no_part_numbers)) {
    EXPECT_EQ(outcome(part(1)), "not supported");
    EXPECT_EQ(outcome(part(3)), "not supported");
  } else {
    EXPECT_EQ(part(1)->size(), part_bytes);
    EXPECT_EQ(*part(2), "tail");
    EXPECT_EQ(outcome(part(3)), "invalid part");
  }
  ASSERT_EQ(outcome(put(bucket, "simple", "whole")), "ok");
  EXPECT_EQ(*read(GetRequest{.bucket = bucket, .key = ObjectKey("simple"), .part_number = 1}),
            "whole");
}

TEST_P(StoreConformance, ACompletionThatDisagreesIsRefusedAndChangesNothing) {
  const auto bucket = new_bucket();
  const auto upload = start_upload(bucket, "k");
  const auto one = put_part(bucket, "k", *upload, 1, "small");
  const auto two = put_part(bucket, "k", *upload, 2, "tail");
  const auto complete = [&](std::vector<CompletedPart> parts) {
    return outcome(
        run(store().complete_upload(completion(bucket, "k", *upload, std::move(parts)))));
  };
  EXPECT_EQ(complete({{1, one->etag, {}}, {2, two->etag, {}}}), "entity too small");
  EXPECT_EQ(
      complete({{2, two->etag, {}}, {1, one->etag, {}}}),
      departs(Departure::checks_sizes_before_order) ? "entity too small" : "invalid part order");
  EXPECT_EQ(complete({{1, two->etag, {}}}), "invalid part");
  EXPECT_EQ(complete({{3, one->etag, {}}}), "invalid part");
  EXPECT_EQ(outcome(read(bucket, "k")), "no such key");
  if (departs(Departure::takes_all_parts_or_none)) {
    EXPECT_EQ(complete({{2, two->etag, {}}}), "invalid part");
    return;
  }
  EXPECT_EQ(complete({{2, two->etag, {}}}), "ok") << "a part that is not named is left out";
  EXPECT_EQ(*read(bucket, "k"), "tail");
}

TEST_P(StoreConformance, ACompletionHonoursWriteConditions) {
  const auto bucket = new_bucket();
  ASSERT_EQ(outcome(put(bucket, "k", "there")), "ok");
  const auto upload = start_upload(bucket, "k");
  const auto one = put_part(bucket, "k", *upload, 1, "new");
  auto request = completion(bucket, "k", *upload, {{1, one->etag, {}}});
  request.conditions.if_none_match_any = true;
  if (departs(Departure::ignores_write_conditions)) {
    EXPECT_EQ(outcome(run(store().complete_upload(request))), "ok");
    return;
  }
  EXPECT_EQ(outcome(run(store().complete_upload(request))), "precondition failed");
  EXPECT_EQ(*read(bucket, "k"), "there");
  request.conditions = {.if_match = ETag(md5_hex("there"))};
  EXPECT_EQ(outcome(run(store().complete_upload(request))), "ok");
  EXPECT_EQ(*read(bucket, "k"), "new");
}

TEST_P(StoreConformance, PartNumbersGoFromOneTo10000) {
  const auto bucket = new_bucket();
  const auto upload = start_upload(bucket, "k");
  EXPECT_EQ(outcome(put_part(bucket, "k", *upload, 0, "x")), "invalid argument");
  EXPECT_EQ(outcome(put_part(bucket, "k", *upload, 10'001, "x")), "invalid argument");
  EXPECT_EQ(outcome(put_part(bucket, "k", *upload, 10'000, "x")), "ok");
}

TEST_P(StoreConformance, AnUploadBelongsToItsKey) {
  const auto bucket = new_bucket();
  const auto upload = start_upload(bucket, "k");
  EXPECT_EQ(outcome(put_part(bucket, "other", *upload, 1, "x")), "no such upload");
  EXPECT_EQ(outcome(put_part(bucket, "k", UploadId("nonsense"), 1, "x")), "no such upload");
  EXPECT_EQ(outcome(run(store().abort_upload(bucket, ObjectKey("other"), *upload))),
            "no such upload");
  EXPECT_EQ(outcome(run(store().list_parts(
                {.bucket = bucket, .key = ObjectKey("other"), .upload = *upload}))),
            "no such upload");
}

TEST_P(StoreConformance, AnAbortedUploadIsGone) {
  const auto bucket = new_bucket();
  const auto upload = start_upload(bucket, "k");
  ASSERT_EQ(outcome(put_part(bucket, "k", *upload, 1, "x")), "ok");
  EXPECT_EQ(outcome(run(store().abort_upload(bucket, ObjectKey("k"), *upload))), "ok");
  EXPECT_EQ(outcome(run(store().abort_upload(bucket, ObjectKey("k"), *upload))), "no such upload");
  EXPECT_EQ(outcome(put_part(bucket, "k", *upload, 1, "x")), "no such upload");
  EXPECT_EQ(outcome(read(bucket, "k")), "no such key");
}

TEST_P(StoreConformance, APartThatFailsMidwayIsNotKept) {
  const auto bucket = new_bucket();
  const auto upload = start_upload(bucket, "k");
  const PartRequest request{
      .bucket = bucket, .key = ObjectKey("k"), .upload = *upload, .number = 1, .size = 9000};
  BitingReader broken(std::string(5000, 'x'), Error{ErrorCode::io, "the source broke"});
  EXPECT_NE(outcome(run(store().put_part(request, broken))), "ok");
  BitingReader brief(std::string(5000, 'x'));
  EXPECT_EQ(outcome(run(store().put_part(request, brief))), "incomplete body");
  auto disagreeing = request;
  disagreeing.md5 = std::string(16, '\0');
  BitingReader whole(std::string(9000, 'x'));
  EXPECT_EQ(outcome(run(store().put_part(disagreeing, whole))), "bad digest");
  const auto page =
      run(store().list_parts({.bucket = bucket, .key = ObjectKey("k"), .upload = *upload}));
  ASSERT_EQ(outcome(page), "ok");
  EXPECT_TRUE(page->parts.empty());
}

TEST_P(StoreConformance, PartsAreListedInPages) {
  const auto bucket = new_bucket();
  const auto upload = start_upload(bucket, "k");
  for (const std::uint32_t number : {9u, 1u, 5u, 3u}) {
    ASSERT_EQ(outcome(put_part(bucket, "k", *upload, number, fmt::format("part {}", number))),
              "ok");
  }
  ListPartsRequest request{
      .bucket = bucket, .key = ObjectKey("k"), .upload = *upload, .max_parts = 3};
  auto page = run(store().list_parts(request));
  ASSERT_EQ(outcome(page), "ok");
  ASSERT_EQ(page->parts.size(), 3u);
  EXPECT_TRUE(page->truncated);
  EXPECT_EQ(page->parts[2].number, 5u);
  EXPECT_EQ(page->parts[2].size, 6u);
  EXPECT_EQ(page->parts[2].etag.value, md5_hex("part 5"));
  request.part_marker = 5;
  page = run(store().list_parts(request));
  ASSERT_EQ(page->parts.size(), 1u);
  EXPECT_EQ(page->parts[0].number, 9u);
  EXPECT_FALSE(page->truncated);
}

TEST_P(StoreConformance, UploadsAreListedInPages) {
  const auto bucket = new_bucket();
  std::vector<std::pair<std::string, std::string>> started;
  for (const char* key : {"a/1", "a/2", "b", "b", "c"}) {
    started.emplace_back(key, start_upload(bucket, key)->value);
  }
  std::vector<std::pair<std::string, std::string>> seen;
  ListUploadsRequest request{.bucket = bucket, .max_uploads = 2};
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = run(store().list_uploads(request));
    ASSERT_EQ(outcome(page), "ok");
    for (const auto& upload : page->uploads) {
      seen.emplace_back(upload.key.value, upload.upload.value);
    }
    if (!page->truncated) break;
    request.key_marker = page->next_key;
    request.upload_marker = page->next_upload;
  }
  EXPECT_TRUE(std::ranges::is_sorted(seen, {}, [](const auto& pair) { return pair.first; }));
  std::ranges::sort(started);
  std::ranges::sort(seen);
  EXPECT_EQ(seen, started);
  const auto page = run(store().list_uploads({.bucket = bucket, .delimiter = "/"}));
  ASSERT_EQ(outcome(page), "ok");
  if (departs(Departure::groups_no_uploads)) {
    EXPECT_TRUE(page->common_prefixes.empty());
    return;
  }
  EXPECT_EQ(page->common_prefixes, std::vector<std::string>{"a/"});
  EXPECT_EQ(page->uploads.size(), 3u);
  EXPECT_EQ(run(store().list_uploads({.bucket = bucket, .prefix = "a/"}))->uploads.size(), 2u);
}

TEST_P(StoreConformance, APartIsCopiedFromARange) {
  const auto bucket = new_bucket();
  ASSERT_EQ(outcome(put(bucket, "source", "0123456789")), "ok");
  const auto upload = start_upload(bucket, "k");
  CopyPartRequest request{.source_bucket = bucket,
                          .source_key = ObjectKey("source"),
                          .range = ByteRange{.first = 2, .last = 5},
                          .bucket = bucket,
                          .key = ObjectKey("k"),
                          .upload = *upload,
                          .number = 1};
  const auto part = run(store().copy_part(request));
  ASSERT_EQ(outcome(part), "ok");
  EXPECT_EQ(part->etag.value, md5_hex("2345"));
  ASSERT_EQ(outcome(run(
                store().complete_upload(completion(bucket, "k", *upload, {{1, part->etag, {}}})))),
            "ok");
  EXPECT_EQ(*read(bucket, "k"), "2345");
  const auto another = start_upload(bucket, "k");
  request.upload = *another;
  request.range = ByteRange{.first = 2, .last = 50};
  EXPECT_EQ(outcome(run(store().copy_part(request))), "invalid range");
}

TEST_P(StoreConformance, APartIsCopiedFromTheVeryKeyThatWasNamed) {
  const auto bucket = new_bucket();
  // The names that one decoding too many would make of those before them stand beside them.
  const std::vector<std::string> keys{
      "%2541%20+&=", "%41%20+&=", "%41 +&=", "A +&=", "A  &=", "q?versionId=1", "q?x", "q"};
  for (const auto& key : keys) ASSERT_EQ(outcome(put(bucket, key, key)), "ok");
  for (const auto& key : keys) {
    const auto upload = start_upload(bucket, "k");
    CopyPartRequest request{.source_bucket = bucket,
                            .source_key = ObjectKey(key),
                            .bucket = bucket,
                            .key = ObjectKey("k"),
                            .upload = *upload,
                            .number = 1};
    const auto part = run(store().copy_part(request));
    ASSERT_EQ(outcome(part), "ok") << key;
    EXPECT_EQ(part->etag.value, md5_hex(key)) << key;
    CopyRequest whole{.source_bucket = bucket, .source_key = ObjectKey(key), .bucket = bucket};
    whole.key = ObjectKey("copy");
    ASSERT_EQ(outcome(run(store().copy(std::move(whole)))), "ok") << key;
    EXPECT_EQ(*read(bucket, "copy"), key);
    request.range = ByteRange{.first = 0, .last = key.size()};
    EXPECT_EQ(outcome(run(store().copy_part(request))), "invalid range") << key;
    request.range.reset();
    request.source_conditions.if_none_match = {ETag(md5_hex(key))};
    const auto held = outcome(run(store().copy_part(request)));
    if (!departs(Departure::ignores_source_conditions)) {
      EXPECT_TRUE(held == "precondition failed" || held == "not modified") << key << ": " << held;
    }
  }
}

TEST_P(StoreConformance, MultipartChecksumsAreOverThePartsOrTheWhole) {
  const auto bucket = new_bucket();
  const std::string first(part_bytes, 'a');
  const std::string last = "tail";
  const auto upload_with = [&](ChecksumAlgorithm algorithm, ChecksumType type) {
    const auto upload = run(store().create_upload(
        {.bucket = bucket, .key = ObjectKey("k"), .checksum = algorithm, .checksum_type = type}));
    const auto one = put_part(bucket, "k", *upload, 1, first);
    const auto two = put_part(bucket, "k", *upload, 2, last);
    EXPECT_EQ(outcome(run(store().complete_upload(
                  completion(bucket, "k", *upload,
                             {{1, one->etag, one->checksums}, {2, two->etag, two->checksums}})))),
              "ok");
    return head(bucket, "k")->info.checksums;
  };
  using s3::Algorithm;
  if (departs(Departure::keeps_no_checksums)) {
    EXPECT_TRUE(upload_with(ChecksumAlgorithm::crc64nvme, ChecksumType::full_object).empty());
    return;
  }
  const auto whole = upload_with(ChecksumAlgorithm::crc64nvme, ChecksumType::full_object);
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_EQ(whole[0].value, to_base64(as_bytes(s3::digest_of(Algorithm::crc64nvme, first + last))));
  EXPECT_EQ(whole[0].type, ChecksumType::full_object);
  const auto parts = upload_with(ChecksumAlgorithm::sha256, ChecksumType::composite);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].value, to_base64(as_bytes(s3::digest_of(
                                Algorithm::sha256, s3::digest_of(Algorithm::sha256, first) +
                                                       s3::digest_of(Algorithm::sha256, last)))));
  EXPECT_EQ(parts[0].type, ChecksumType::composite);
}

}  // namespace
}  // namespace holdfast::store
