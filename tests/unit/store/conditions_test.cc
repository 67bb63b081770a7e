#include "store/conditions.h"

#include <gtest/gtest.h>

namespace holdfast::store {
namespace {

TEST(Listing, AKeyRollsUpAtTheFirstDelimiterBehindThePrefix) {
  EXPECT_EQ(common_prefix_of("a/b/c", "", "/"), "a/");
  EXPECT_EQ(common_prefix_of("a/b/c", "a/", "/"), "a/b/");
  EXPECT_EQ(common_prefix_of("a//c", "a/", "/"), "a//");
  EXPECT_EQ(common_prefix_of("a/b", "a/", "/"), std::nullopt);
  EXPECT_EQ(common_prefix_of("a/b", "a/", ""), std::nullopt);
}

TEST(Listing, TheEndOfAPrefixIsTheNextStringBehindIt) {
  EXPECT_EQ(after_prefix("a/"), "a0");
  EXPECT_EQ(after_prefix("a\xff"), "b");
  EXPECT_EQ(after_prefix("\xff\xff"), std::nullopt);
  EXPECT_EQ(after_prefix("\x7f"), "\x80");
}

TEST(Window, APartOfAMultipartObjectHasItsOwnPlace) {
  ObjectInfo info;
  info.size = 12;
  info.part_sizes = {5, 5, 2};
  const auto part = resolve_window(std::nullopt, 3, info);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->first, 10u);
  EXPECT_EQ(part->length, 2u);
  EXPECT_EQ(resolve_window(std::nullopt, 4, info).error().code, ErrorCode::invalid_part);
  EXPECT_EQ(resolve_window(ByteRange{.first = 0}, 1, info).error().code,
            ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace holdfast::store
