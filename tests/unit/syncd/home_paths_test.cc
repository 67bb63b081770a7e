#include "syncd/home_paths.h"

#include <gtest/gtest.h>

namespace holdfast::syncd {
namespace {

const TimePoint noon = TimePoint(std::chrono::seconds(1795320000));

TEST(HomePaths, NameAConflictCopyBesideItsOriginal) {
  EXPECT_EQ(conflict_path("d/report.txt", "box", noon, 1),
            "d/report (conflict box 2026-11-22T04-00-00Z).txt");
  EXPECT_EQ(conflict_path("Makefile", "box", noon, 2),
            "Makefile (conflict box 2026-11-22T04-00-00Z 2)");
  EXPECT_EQ(conflict_path(".bashrc", "a/b", noon, 1),
            ".bashrc (conflict a-b 2026-11-22T04-00-00Z)");
}

TEST(HomePaths, KeepAConflictCopyWithinTheLongestName) {
  const std::string name =
      std::string(126, 'x') + "\xc3\xa9\xc3\xa9" + std::string(119, 'y') + ".ipynb";
  const std::string copy = conflict_path(name, "a-rather-long-host-name", noon, 3);
  EXPECT_LE(copy.size(), 255u);
  EXPECT_TRUE(copy.ends_with(".ipynb"));
}

TEST(HomePaths, ExcludeWhatAGlobMatchesAndAllBelowIt) {
  EXPECT_TRUE(is_excluded({".cache"}, ".cache/a/b"));
  EXPECT_TRUE(is_excluded({"*/__pycache__"}, "x/y/__pycache__/z.pyc"));
  EXPECT_FALSE(is_excluded({".cache"}, "x/.cache"));
}

TEST(HomePaths, KnowWhatLiesBelow) {
  EXPECT_TRUE(is_below("a/b", "a"));
  EXPECT_FALSE(is_below("ab", "a"));
  EXPECT_FALSE(is_below("a", "a"));
  EXPECT_TRUE(is_below("a", ""));
}

}  // namespace
}  // namespace holdfast::syncd
