#include "s3/results.h"

#include <gtest/gtest.h>

namespace holdfast::s3 {
namespace {

const TimePoint some_time{std::chrono::milliseconds(1'700'000'000'123)};

ListEntry entry(std::string key) {
  ListEntry out;
  out.key = std::move(key);
  out.etag = "abc-2";
  out.size = 5ull << 40;
  out.modified = some_time;
  out.checksum_algorithms = {Algorithm::crc64nvme};
  out.checksum_type = "FULL_OBJECT";
  return out;
}

TEST(ListResults, RoundTripAwkwardKeysWhenUrlEncoded) {
  ListResult result;
  result.bucket = "bucket";
  result.prefix = "p q/";
  result.delimiter = "/";
  result.truncated = true;
  result.url_encoded = true;
  result.next_token = "token==";
  result.start_after = "p q/+";
  for (const char* key : {"p q/a+b", "p q/\x01", "p q/\xff", "p q/%41", "p q//", "p q/<&>"}) {
    result.entries.push_back(entry(key));
  }
  result.common_prefixes = {"p q/dir é/"};
  const auto read = parse_list(write_list_v2(result));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->entries.size(), result.entries.size());
  for (std::size_t i = 0; i < result.entries.size(); ++i) {
    EXPECT_EQ(read->entries[i].key, result.entries[i].key);
  }
  EXPECT_EQ(read->entries[0].etag, "abc-2");
  EXPECT_EQ(read->entries[0].size, 5ull << 40);
  EXPECT_EQ(read->entries[0].modified, some_time);
  EXPECT_EQ(read->entries[0].checksum_algorithms, result.entries[0].checksum_algorithms);
  EXPECT_EQ(read->prefix, result.prefix);
  EXPECT_EQ(read->start_after, result.start_after);
  EXPECT_EQ(read->common_prefixes, result.common_prefixes);
  EXPECT_EQ(read->next_token, "token==");
  EXPECT_TRUE(read->truncated);
}

TEST(ListResults, PlainKeysAreEscapedOnly) {
  ListResult result;
  result.entries = {entry("a b&+%20\r"), entry(" ")};
  result.owner = Owner{"id", "name"};
  result.next_marker = "m";
  const auto text = write_list_v1(result);
  EXPECT_EQ(text.find("EncodingType"), std::string::npos);
  const auto read = parse_list(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->entries[0].key, "a b&+%20\r");
  EXPECT_EQ(read->entries[1].key, " ");
  EXPECT_EQ(read->next_marker, "m");
}

TEST(ListResults, PlusMeansSpaceInOtherStoresEncoding) {
  const auto read = parse_list(
      "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
      "<Contents><Key>a+b%2Bc</Key><Size>1</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->entries[0].key, "a b+c");
}

TEST(ListResults, ARowWithoutSizeIsNoEmptyObject) {
  EXPECT_FALSE(
      parse_list("<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>"));
  EXPECT_FALSE(
      parse_list("<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>"));
  EXPECT_FALSE(parse_list("<ListBucketResult>"));
  EXPECT_FALSE(parse_list("<html><body>sign in</body></html>"));
}

TEST(VersionResults, RoundTripMarkersAndLatest) {
  ListVersionsResult result;
  result.url_encoded = true;
  result.truncated = true;
  result.next_key_marker = "k+";
  result.next_version_marker = "v0";
  auto version = entry("k");
  version.version = "v1";
  version.latest = false;
  ListEntry marker;
  marker.key = "k";
  marker.version = "v2";
  marker.delete_marker = true;
  marker.modified = some_time;
  result.entries = {marker, version};
  const auto read = parse_list_versions(write_list_versions(result));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->entries.size(), 2u);
  EXPECT_TRUE(read->entries[0].delete_marker);
  EXPECT_TRUE(read->entries[0].latest);
  EXPECT_EQ(read->entries[1].version, "v1");
  EXPECT_FALSE(read->entries[1].latest);
  EXPECT_EQ(read->next_key_marker, "k+");
  EXPECT_EQ(read->next_version_marker, "v0");
}

TEST(UploadResults, RoundTrip) {
  const auto initiated = parse_initiate_upload(write_initiate_upload({"b", "k&", "u1"}));
  ASSERT_TRUE(initiated);
  EXPECT_EQ(initiated->upload, "u1");
  EXPECT_FALSE(parse_initiate_upload(write_initiate_upload({"b", "k", ""})));

  ListPartsResult parts;
  parts.truncated = true;
  parts.next_part_marker = 7;
  parts.checksum_algorithm = Algorithm::crc32;
  parts.parts = {{7, "e", 5u << 20, some_time, {{Algorithm::crc32, "AAAAAA=="}}}};
  const auto read_parts = parse_list_parts(write_list_parts(parts));
  ASSERT_TRUE(read_parts);
  EXPECT_EQ(read_parts->parts[0].number, 7u);
  EXPECT_EQ(read_parts->parts[0].checksums[0].value, "AAAAAA==");
  EXPECT_EQ(read_parts->checksum_algorithm, Algorithm::crc32);
  EXPECT_EQ(read_parts->next_part_marker, 7u);

  ListUploadsResult uploads;
  uploads.url_encoded = true;
  uploads.uploads = {{"k +", "u1", some_time, Algorithm::sha1, "COMPOSITE"}};
  const auto read_uploads = parse_list_uploads(write_list_uploads(uploads));
  ASSERT_TRUE(read_uploads);
  EXPECT_EQ(read_uploads->uploads[0].key, "k +");
  EXPECT_EQ(read_uploads->uploads[0].started, some_time);

  const auto complete = parse_complete_result(write_complete_result(
      {"http://h/b/k", "b", "k", "e-2", {{Algorithm::crc64nvme, "AAAAAAAAAAA="}}, "FULL_OBJECT"}));
  ASSERT_TRUE(complete);
  EXPECT_EQ(complete->etag, "e-2");
  EXPECT_EQ(complete->checksum_type, "FULL_OBJECT");
}

TEST(UploadResults, AnErrorBehindA200IsAnError) {
  const auto text = error_xml(ApiError::no_such_upload, "", "", "r");
  EXPECT_EQ(parse_complete_result(text).error().code, ErrorCode::no_such_upload);
  EXPECT_EQ(parse_copy_result(text).error().code, ErrorCode::no_such_upload);
}

TEST(CopyResults, ObjectAndPartReadAlike) {
  const CopyResult result{"e", some_time, {{Algorithm::sha1, "x"}}, "COMPOSITE"};
  for (const auto& text : {write_copy_object(result), write_copy_part(result)}) {
    const auto read = parse_copy_result(text);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->etag, "e");
    EXPECT_EQ(read->modified, some_time);
    EXPECT_EQ(read->checksums[0].value, "x");
  }
}

TEST(DeleteResults, QuietKeepsOnlyErrors) {
  DeletedEntry gone, marker, failed;
  gone.key = "a";
  gone.version = "v";
  marker.key = "b";
  marker.delete_marker = true;
  marker.marker_version = "m";
  failed.key = "c<";
  failed.error_code = "AccessDenied";
  failed.error_message = "no";
  const auto all = parse_delete_result(write_delete_result({gone, marker, failed}, false));
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ((*all)[0].version, "v");
  EXPECT_EQ((*all)[1].marker_version, "m");
  EXPECT_EQ((*all)[2].error_code, "AccessDenied");
  const auto quiet = parse_delete_result(write_delete_result({gone, marker, failed}, true));
  ASSERT_EQ(quiet->size(), 1u);
  EXPECT_EQ((*quiet)[0].key, "c<");
}

TEST(OtherResults, AreWellFormed) {
  ListBucketsResult buckets;
  buckets.owner = {"id", "n&"};
  buckets.buckets = {{"one", some_time}, {"two", some_time}};
  const auto read = parse_list_buckets(write_list_buckets(buckets));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->owner.display_name, "n&");
  EXPECT_EQ(read->buckets[1].name, "two");
  EXPECT_TRUE(check_document(write_location("us-east-1"), "LocationConstraint"));
  EXPECT_NE(write_location("eu-1").find(">eu-1<"), std::string::npos);
  EXPECT_TRUE(check_document(write_post_response("l", "b", "k", "e"), "PostResponse"));
  ObjectAttributesResult attributes;
  attributes.etag = "e";
  attributes.size = 3;
  attributes.checksums = {{Algorithm::crc32, "AAAAAA=="}};
  attributes.parts.emplace();
  attributes.parts->parts = {{1, "", 3, {}, {}}};
  EXPECT_TRUE(check_document(write_object_attributes(attributes), "GetObjectAttributesResponse"));
}

}  // namespace
}  // namespace holdfast::s3
