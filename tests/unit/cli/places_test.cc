#include "cli/places.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

TEST(S3Place, IsABucketAndWhatFollowsItsFirstSlash) {
  const auto read = [](std::string_view text) {
    const auto place = parse_s3_place(text);
    return place ? place->bucket + " " + place->key : "none";
  };
  EXPECT_EQ(read("s3://research/dir/a file"), "research dir/a file");
  EXPECT_EQ(read("s3://research//odd/"), "research /odd/");
  EXPECT_EQ(read("s3://research/"), "research ");
  EXPECT_EQ(read("s3://research"), "research ");
}

TEST(S3Place, NeedsItsSchemeAndABucket) {
  for (const char* text : {"", "s3:/", "s3://", "s3:///key", "S3://research", "home:alice/x",
                           "research/key", " s3://research"}) {
    EXPECT_FALSE(parse_s3_place(text)) << text;
  }
}

}  // namespace
}  // namespace holdfast::cli
