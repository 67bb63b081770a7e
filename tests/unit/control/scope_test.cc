#include "control/scope.h"

#include <gtest/gtest.h>

namespace holdfast::control {

TEST(Scope, PrefixesCoverPathsByWholeComponents) {
  for (const auto* prefix : {"data", "data/"}) {
    EXPECT_TRUE(covers_path(prefix, "data"));
    EXPECT_TRUE(covers_path(prefix, "data/"));
    EXPECT_TRUE(covers_path(prefix, "data/x"));
    EXPECT_FALSE(covers_path(prefix, "database"));
    EXPECT_FALSE(covers_path(prefix, "dat"));
    EXPECT_FALSE(covers_path(prefix, ""));
  }
  EXPECT_TRUE(covers_path("", "anything"));
  EXPECT_TRUE(covers_path("", ""));
  EXPECT_FALSE(covers_path("data//", "data/x"));
  EXPECT_TRUE(covers_path("data//", "data//x"));
}

TEST(Scope, AListingMustLieBelowThePrefixOrItWouldShowItsNeighbours) {
  EXPECT_TRUE(covers_listing("public/", "public/"));
  EXPECT_TRUE(covers_listing("public", "public/x"));
  EXPECT_FALSE(covers_listing("public/", "public"));
  EXPECT_FALSE(covers_listing("public/", ""));
  EXPECT_FALSE(covers_listing("public/", "publicity/"));
  EXPECT_TRUE(covers_listing("", ""));
}

TEST(Scope, AWiderScopeCoversANarrowerOneAndNeverTheOtherWay) {
  EXPECT_TRUE(covers_scope("", "data/"));
  EXPECT_TRUE(covers_scope("data", "data/"));
  EXPECT_TRUE(covers_scope("data/", "data"));
  EXPECT_TRUE(covers_scope("data/", "data/x"));
  EXPECT_FALSE(covers_scope("data/", ""));
  EXPECT_FALSE(covers_scope("data/", "database"));
  EXPECT_FALSE(covers_scope("data/x", "data/"));
}

TEST(Scope, LevelsIncludeEachOtherAsDocumented) {
  EXPECT_TRUE(level_includes(Level::write, Level::read));
  EXPECT_TRUE(level_includes(Level::write, Level::drop));
  EXPECT_TRUE(level_includes(Level::admin, Level::write));
  EXPECT_FALSE(level_includes(Level::read, Level::drop));
  EXPECT_FALSE(level_includes(Level::drop, Level::read));
  EXPECT_FALSE(level_includes(Level::write, Level::admin));
}

}  // namespace holdfast::control
