#include "s3/headers.h"

#include <gtest/gtest.h>

#include "s3/names.h"

namespace holdfast::s3 {
namespace {

TEST(RangeHeader, ReadsTheThreeForms) {
  EXPECT_EQ(parse_range("bytes=0-9")->first, 0u);
  EXPECT_EQ(parse_range("bytes=0-9")->last, 9u);
  EXPECT_EQ(parse_range("bytes=5-")->first, 5u);
  EXPECT_FALSE(parse_range("bytes=5-")->last);
  EXPECT_EQ(parse_range("bytes=-4")->suffix, 4u);
}

TEST(RangeHeader, AnythingElseIsNoRange) {
  for (const char* odd : {"", "bytes=", "bytes=-", "bytes=9-0", "bytes=0-1,3-4", "items=0-1",
                          "bytes=a-b", "bytes=1", "bytes=--1", "bytes=0-99999999999999999999"}) {
    EXPECT_FALSE(parse_range(odd)) << odd;
  }
}

TEST(RangeHeader, CopiesTakeOnlyClosedRanges) {
  EXPECT_TRUE(parse_copy_range("bytes=0-9"));
  EXPECT_FALSE(parse_copy_range("bytes=5-"));
  EXPECT_FALSE(parse_copy_range("bytes=-5"));
  EXPECT_FALSE(parse_copy_range("0-9"));
}

TEST(ETags, ListsQuotesAndWeakMarks) {
  EXPECT_EQ(parse_etags("\"a\", W/\"b,c\" ,d,*"), (std::vector<std::string>{"a", "b,c", "d", "*"}));
  EXPECT_EQ(unquote_etag("&quot;abc&quot;"), "abc");
  EXPECT_EQ(quote_etag("abc"), "\"abc\"");
  EXPECT_TRUE(parse_etags("").empty());
  EXPECT_EQ(parse_etags("\"unclosed").size(), 1u);
}

TEST(CopySourceHeader, IsDecodedExactlyOnce) {
  const auto source = parse_copy_source("/bucket/a%2520b%2Fc?versionId=v%2B1");
  ASSERT_TRUE(source);
  EXPECT_EQ(source->bucket, "bucket");
  EXPECT_EQ(source->key, "a%20b/c");
  EXPECT_EQ(source->version, "v+1");
}

TEST(CopySourceHeader, AnEncodedQuestionMarkBelongsToTheKey) {
  const auto source = parse_copy_source("bucket/key%3FversionId=1");
  ASSERT_TRUE(source);
  EXPECT_EQ(source->key, "key?versionId=1");
  EXPECT_FALSE(source->version);
}

TEST(CopySourceHeader, RoundTrips) {
  const CopySource source{"bucket", "a b/ü?versionId=x%", "v/1"};
  const auto read = parse_copy_source(encode_copy_source(source));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->key, source.key);
  EXPECT_EQ(read->version, source.version);
}

TEST(CopySourceHeader, RefusesWhatNamesNoObject) {
  for (const char* bad : {"", "/", "bucket", "/bucket/", "//key", "bucket/a%zz", "../etc/passwd",
                          "bucket/key?versionId=", "Bucket_/key", "bucket/a%00b"}) {
    EXPECT_FALSE(parse_copy_source(bad)) << bad;
  }
  EXPECT_TRUE(parse_copy_source("bucket/" + std::string(max_key_bytes, 'k')));
  EXPECT_FALSE(parse_copy_source("bucket/" + std::string(max_key_bytes + 1, 'k')));
}

TEST(TaggingHeader, RoundTripsAndIsBounded) {
  EXPECT_EQ(*parse_tagging_header("a=1&b%20c=d%26e&empty"),
            (Tags{{"a", "1"}, {"b c", "d&e"}, {"empty", ""}}));
  const Tags tags{{"k&", "v="}, {"ü", "+ "}};
  EXPECT_EQ(*parse_tagging_header(encode_tagging_header(tags)), tags);
  EXPECT_EQ(parse_tagging_header("a=1&a=2").error().error, ApiError::invalid_tag);
  EXPECT_EQ(parse_tagging_header("=1").error().error, ApiError::invalid_tag);
  EXPECT_TRUE(parse_tagging_header("1&2&3&4&5&6&7&8&9&10"));
  EXPECT_FALSE(parse_tagging_header("1&2&3&4&5&6&7&8&9&10&11"));
  EXPECT_TRUE(parse_tagging_header(std::string(128, 'k') + "=" + std::string(256, 'v')));
  EXPECT_FALSE(parse_tagging_header(std::string(129, 'k')));
  EXPECT_FALSE(parse_tagging_header("k=" + std::string(257, 'v')));
}

TEST(HeaderValues, NoLineBreaksPass) {
  EXPECT_TRUE(safe_header_value("attachment; filename=\"a.txt\""));
  for (const std::string_view bad : {std::string_view("a\r\nSet-Cookie: b"),
                                     std::string_view("a\n"), std::string_view("a\0", 2)}) {
    EXPECT_FALSE(safe_header_value(bad));
  }
}

}  // namespace
}  // namespace holdfast::s3
