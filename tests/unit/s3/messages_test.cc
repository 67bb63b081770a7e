#include "s3/messages.h"

#include <gtest/gtest.h>

namespace holdfast::s3 {
namespace {

TEST(DeleteMessage, RoundTrips) {
  DeleteObjects request;
  request.quiet = true;
  request.entries = {{"a b&<c>\x01", std::nullopt, std::nullopt}, {" ", "v1", "etag"}};
  const auto read = parse_delete_objects(write_delete_objects(request));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->quiet);
  ASSERT_EQ(read->entries.size(), 2u);
  EXPECT_EQ(read->entries[0].key, "a b&<c>\x01");
  EXPECT_FALSE(read->entries[0].version);
  EXPECT_EQ(read->entries[1].key, " ");
  EXPECT_EQ(read->entries[1].version, "v1");
  EXPECT_EQ(read->entries[1].etag, "etag");
}

TEST(DeleteMessage, TakesOneThousandKeysAndNoMore) {
  DeleteObjects request;
  for (int i = 0; i < 1000; ++i) request.entries.push_back({std::to_string(i), "v", std::nullopt});
  EXPECT_TRUE(parse_delete_objects(write_delete_objects(request)));
  request.entries.push_back({"one more", std::nullopt, std::nullopt});
  EXPECT_EQ(parse_delete_objects(write_delete_objects(request)).error().error,
            ApiError::malformed_xml);
}

TEST(DeleteMessage, NeedsKeys) {
  for (const char* bad : {"<Delete/>", "<Delete><Object/></Delete>", "<Other/>", "",
                          "<Delete><Object><Key></Key></Object></Delete>"}) {
    EXPECT_FALSE(parse_delete_objects(bad)) << bad;
  }
}

TEST(CompleteMessage, RoundTripsWithChecksums) {
  const std::vector<CompletePart> parts{
      {1, "e1", {{Algorithm::crc32c, "AAAAAA=="}}}, {3, "e3", {}}, {10'000, "e", {}}};
  const auto read = parse_complete_upload(write_complete_upload(parts));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ((*read)[0].etag, "e1");
  EXPECT_EQ((*read)[0].checksums[0].algorithm, Algorithm::crc32c);
  EXPECT_EQ((*read)[2].number, 10'000u);
}

TEST(CompleteMessage, TakesTenThousandPartsAndNoMore) {
  std::vector<CompletePart> parts;
  for (std::uint32_t i = 1; i <= 10'000; ++i) {
    parts.push_back({i, std::string(32, 'e'), {{Algorithm::sha256, std::string(44, 'A')}}});
  }
  EXPECT_TRUE(parse_complete_upload(write_complete_upload(parts)));
  parts.push_back({1, "e", {}});
  EXPECT_FALSE(parse_complete_upload(write_complete_upload(parts)));
}

TEST(CompleteMessage, RefusesOddParts) {
  for (const char* part :
       {"<PartNumber>0</PartNumber><ETag>e</ETag>", "<PartNumber>10001</PartNumber><ETag>e</ETag>",
        "<PartNumber>-1</PartNumber><ETag>e</ETag>", "<PartNumber>1</PartNumber>",
        "<ETag>e</ETag>"}) {
    const std::string body =
        std::string("<CompleteMultipartUpload><Part>") + part + "</Part></CompleteMultipartUpload>";
    EXPECT_FALSE(parse_complete_upload(body)) << part;
  }
  EXPECT_FALSE(parse_complete_upload("<CompleteMultipartUpload/>"));
}

TEST(BucketMessages, RoundTrip) {
  EXPECT_EQ(*parse_create_bucket(write_create_bucket("eu-west-1")), "eu-west-1");
  EXPECT_EQ(*parse_create_bucket(""), "");
  EXPECT_FALSE(parse_create_bucket("garbage"));
  for (const auto status :
       {VersioningStatus::never, VersioningStatus::enabled, VersioningStatus::suspended}) {
    EXPECT_EQ(*parse_versioning(write_versioning(status)), status);
  }
  EXPECT_FALSE(
      parse_versioning("<VersioningConfiguration><Status>on</Status></VersioningConfiguration>"));
  EXPECT_TRUE(check_document("<CORSConfiguration/>", "CORSConfiguration"));
  EXPECT_FALSE(check_document("<CORSConfiguration>", "CORSConfiguration"));
  EXPECT_FALSE(check_document("<Other/>", "CORSConfiguration"));
}

TEST(TaggingMessage, RoundTripsAndIsBounded) {
  Tags tags{{"a&", "<1>"}, {"b", ""}};
  EXPECT_EQ(*parse_tagging(write_tagging(tags)), tags);
  EXPECT_TRUE(parse_tagging(write_tagging({}))->empty());
  for (int i = 0; i < 9; ++i) tags["k" + std::to_string(i)] = "v";
  EXPECT_EQ(parse_tagging(write_tagging(tags)).error().error, ApiError::invalid_tag);
  EXPECT_TRUE(parse_tagging(write_tagging(tags), 50));
  EXPECT_FALSE(parse_tagging("<Tagging/>"));
  const std::string doubled = "<Tag><Key>a</Key><Value>1</Value></Tag>";
  EXPECT_FALSE(parse_tagging("<Tagging><TagSet>" + doubled + doubled + "</TagSet></Tagging>"));
}

TEST(LockMessages, RoundTripAndRefuseUnknownModes) {
  const RetentionValue retention{"COMPLIANCE", TimePoint(std::chrono::seconds(1'800'000'000))};
  const auto read = parse_retention(write_retention(retention));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->mode, "COMPLIANCE");
  EXPECT_EQ(read->until, retention.until);
  EXPECT_FALSE(parse_retention("<Retention><Mode>SOFT</Mode></Retention>"));
  EXPECT_FALSE(parse_retention("<Retention><Mode>GOVERNANCE</Mode></Retention>"));
  EXPECT_TRUE(*parse_legal_hold(write_legal_hold(true)));
  EXPECT_FALSE(*parse_legal_hold(write_legal_hold(false)));
  EXPECT_FALSE(parse_legal_hold("<LegalHold/>"));
}

}  // namespace
}  // namespace holdfast::s3
