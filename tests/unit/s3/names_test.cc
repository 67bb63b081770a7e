#include "s3/names.h"

#include <gtest/gtest.h>

namespace holdfast::s3 {
namespace {

TEST(BucketNames, FollowTheRulesOfAws) {
  for (const char* good : {"abc", "a-b.c", "1bucket", "my-bucket-2026", "1.2.3", "a1.2.3.4"}) {
    EXPECT_TRUE(validate_bucket_name(good)) << good;
  }
  for (const std::string& bad :
       {std::string("ab"), std::string(64, 'a'), std::string("Abc"), std::string("a_b"),
        std::string("-abc"), std::string("abc-"), std::string(".abc"), std::string("a..b"),
        std::string("a.-b"), std::string("a-.b"), std::string("192.168.0.1"),
        std::string("xn--abc"), std::string("abc-s3alias"), std::string("abc--ol-s3"),
        std::string("a/b"), std::string("a\0b", 3), std::string("ab\n")}) {
    EXPECT_EQ(validate_bucket_name(bad).error().code, ErrorCode::invalid_name) << bad;
  }
  EXPECT_TRUE(validate_bucket_name(std::string(63, 'a')));
}

TEST(Keys, AreBytesNotPaths) {
  for (const char* good : {"a", "/", "//", "../..", "a/../b", "\xff\xfe", "\x01", " "}) {
    EXPECT_TRUE(validate_key(good)) << good;
  }
  EXPECT_TRUE(validate_key(std::string(1024, 'k')));
  EXPECT_FALSE(validate_key(""));
  EXPECT_FALSE(validate_key(std::string(1025, 'k')));
  EXPECT_FALSE(validate_key(std::string_view("a\0b", 3)));
}

TEST(PercentEncoding, RoundTripsEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(percent_decode(uri_encode(all)), all);
  EXPECT_EQ(percent_decode(uri_encode(all, Slash::keep)), all);
  EXPECT_EQ(uri_encode("A-z_0.9~/ +%"), "A-z_0.9~%2F%20%2B%25");
  EXPECT_EQ(uri_encode("a/b", Slash::keep), "a/b");
}

TEST(PercentEncoding, DecodesOnceAndStrictly) {
  EXPECT_EQ(percent_decode("%252F"), "%2F");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  for (const char* bad : {"%", "%2", "%zz", "%2g", "a%"}) EXPECT_FALSE(percent_decode(bad)) << bad;
}

TEST(Query, KeepsOrderAndTellsEmptyFromAbsent) {
  const auto query = parse_query("uploads&prefix=a%2Fb+c&x=&=y&&x=2");
  ASSERT_TRUE(query);
  EXPECT_EQ(*query, (QueryParameters{
                        {"uploads", ""}, {"prefix", "a/b c"}, {"x", ""}, {"", "y"}, {"x", "2"}}));
  EXPECT_EQ(*find_query(*query, "x"), "");
  EXPECT_EQ(find_query(*query, "X"), nullptr);
  EXPECT_TRUE(parse_query("")->empty());
  EXPECT_FALSE(parse_query("a=%"));
  EXPECT_EQ(encode_query({{"a b", "c&d"}, {"e", ""}}), "a%20b=c%26d&e=");
}

}  // namespace
}  // namespace holdfast::s3
