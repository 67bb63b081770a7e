#include "s3/home_format.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace holdfast::s3 {
namespace {

TimePoint at(std::int64_t nanoseconds) { return TimePoint(std::chrono::nanoseconds(nanoseconds)); }

TEST(HomeMtime, IsExactToTheNanosecond) {
  EXPECT_EQ(encode_mtime(at(1'700'000'000'123'456'789)), "1700000000.123456789");
  EXPECT_EQ(encode_mtime(at(1'700'000'000'000'000'000)), "1700000000");
  EXPECT_EQ(encode_mtime(at(1'500'000'000)), "1.5");
  EXPECT_EQ(encode_mtime(at(-500'000'000)), "-0.5");
  SeededRandom random(5);
  for (int i = 0; i < 2000; ++i) {
    const TimePoint time = at(static_cast<std::int64_t>(random.next_u64()));
    EXPECT_EQ(decode_mtime(encode_mtime(time)), time);
  }
  for (const std::int64_t edge : {INT64_MIN, INT64_MAX, std::int64_t{0}, std::int64_t{-1}}) {
    EXPECT_EQ(decode_mtime(encode_mtime(at(edge))), at(edge));
  }
}

TEST(HomeMtime, ReadsWhatMobius3AndRcloneWrite) {
  EXPECT_EQ(decode_mtime("1577836800.25"), at(1'577'836'800'250'000'000));
  EXPECT_EQ(decode_mtime("1577836800.1234567891"), at(1'577'836'800'123'456'789));
  for (const char* bad :
       {"", ".", "-", "abc", "1e9", "1.2.3", "--1", "99999999999999", " 1", "1.-5"}) {
    EXPECT_FALSE(decode_mtime(bad)) << bad;
  }
}

TEST(HomeAttributes, RoundTrip) {
  HomeAttributes attributes;
  attributes.mtime = at(1'700'000'000'000'000'001);
  attributes.mode = 0100644;
  attributes.hash = std::string(32, 'a');
  attributes.link = "group-1";
  attributes.operation = "op_1";
  attributes.xattrs = {{"user.a=&%", std::string("\0\xff=&", 4)}, {"user.b", ""}};
  const auto metadata = encode_attributes(attributes);
  ASSERT_TRUE(metadata);
  EXPECT_EQ(metadata->at("mode"), "33188");
  const auto read = decode_attributes(*metadata);
  EXPECT_EQ(read.mtime, attributes.mtime);
  EXPECT_EQ(read.mode, attributes.mode);
  EXPECT_EQ(read.hash, attributes.hash);
  EXPECT_EQ(read.link, attributes.link);
  EXPECT_EQ(read.operation, attributes.operation);
  EXPECT_EQ(read.xattrs, attributes.xattrs);
}

TEST(HomeAttributes, BrokenValuesCountAsAbsent) {
  const auto read = decode_attributes({{"mtime", "x"},
                                       {"mode", "-1"},
                                       {"holdfast-hash", "zz"},
                                       {"holdfast-link", "a/b"},
                                       {"holdfast-op", ""},
                                       {"holdfast-xattr", "a=!!"},
                                       {"other", "kept out"}});
  EXPECT_FALSE(read.mtime || read.mode || read.hash || read.link || read.operation);
  EXPECT_TRUE(read.xattrs.empty());
}

TEST(HomeAttributes, MoreThanTwoKibibytesAreRefused) {
  HomeAttributes attributes;
  attributes.xattrs["user.big"] = std::string(3000, 'x');
  EXPECT_EQ(encode_attributes(attributes).error().code, ErrorCode::invalid_argument);
}

TEST(HomeKeys, MapOneToOne) {
  for (const std::string& path :
       {"a", "a/b", "a b/ü", "\xff\xfe", "a\nb", "...", ".hidden", "a/.../b"}) {
    for (const HomeKind kind : {HomeKind::file, HomeKind::directory}) {
      const HomeName name{path, kind};
      const auto key = key_of("alice/", name);
      ASSERT_TRUE(key);
      EXPECT_EQ(name_of("alice/", *key), name);
    }
  }
  EXPECT_EQ(*key_of("alice/", {"a", HomeKind::directory}), "alice/a/");
  EXPECT_EQ(*key_of("alice/", {"", HomeKind::directory}), "alice/");
  EXPECT_EQ(name_of("alice/", "alice/"), (HomeName{"", HomeKind::directory}));
}

TEST(HomeKeys, WhatNoHomeCanHoldIsRefusedBothWays) {
  for (const std::string_view path : {"..", "a/..", "../a", ".", "a//b", "/a", "a/", "a/./b"}) {
    EXPECT_FALSE(key_of("alice/", {std::string(path), HomeKind::file})) << path;
  }
  EXPECT_FALSE(key_of("alice/", {std::string("a\0b", 3), HomeKind::file}));
  EXPECT_FALSE(key_of("alice/", {"", HomeKind::file}));
  for (const std::string_view key : {"alice", "bob/a", "alice//", "alice//a", "alice/../bob/a",
                                     "alice/a//", "alice/./", "alice/.."}) {
    EXPECT_FALSE(name_of("alice/", key)) << key;
  }
}

TEST(HomeKeys, HaveAtMost1024Bytes) {
  EXPECT_TRUE(key_of("alice/", {std::string(1018, 'a'), HomeKind::file}));
  EXPECT_FALSE(key_of("alice/", {std::string(1018, 'a'), HomeKind::directory}));
}

}  // namespace
}  // namespace holdfast::s3
