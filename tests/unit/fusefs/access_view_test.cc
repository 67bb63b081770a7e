#include "fusefs/access_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::fusefs {
namespace {

using store::AccessLevel;
using ::testing::ElementsAre;

store::VisibleEntry entry(const char* bucket, const char* prefix, AccessLevel level) {
  return {BucketName(bucket), prefix, level, {}};
}
const TimePoint now = TimePoint(std::chrono::seconds(1'800'000'000));

TEST(AccessView, CoversOnComponentBoundariesOnly) {
  const AccessView view({entry("b", "data/", AccessLevel::read)});
  EXPECT_TRUE(view.rights({"b", "data"}, now).read);
  EXPECT_TRUE(view.rights({"b", "data/x/y"}, now).read);
  EXPECT_FALSE(view.rights({"b", "database"}, now).read);
  EXPECT_FALSE(view.rights({"b", ""}, now).read);
  EXPECT_FALSE(view.rights({"other", "data"}, now).read);
}

TEST(AccessView, ShowsTheWayToAGrantAndNothingBeside) {
  const AccessView view({entry("b", "x/y/z/", AccessLevel::read),
                         entry("b", "x/q", AccessLevel::write), entry("c", "", AccessLevel::read)});
  EXPECT_THAT(view.names_below({}, now), ElementsAre("b", "c"));
  EXPECT_THAT(view.names_below({"b", ""}, now), ElementsAre("x"));
  EXPECT_THAT(view.names_below({"b", "x"}, now), ElementsAre("q", "y"));
  EXPECT_THAT(view.names_below({"b", "x/y/z"}, now), ElementsAre());
  EXPECT_TRUE(view.leads_to_grant({"b", "x/y"}, now));
  EXPECT_FALSE(view.leads_to_grant({"b", "x/yy"}, now));
}

TEST(AccessView, AddsUpLevelsAndLetsDroppersNotRead) {
  const AccessView view({entry("b", "", AccessLevel::read), entry("b", "in", AccessLevel::drop),
                         entry("d", "", AccessLevel::drop), entry("e", "", AccessLevel::admin)});
  EXPECT_EQ(view.rights({"b", "in/x"}, now), (Rights{.read = true, .write = true}));
  EXPECT_EQ(view.rights({"b", "out"}, now), (Rights{.read = true, .write = false}));
  EXPECT_EQ(view.rights({"d", "x"}, now), (Rights{.read = false, .write = true}));
  EXPECT_EQ(view.rights({"e", "x"}, now), (Rights{.read = true, .write = true}));
}

TEST(AccessView, ForgetsGrantsThatHaveRunOut) {
  auto limited = entry("b", "", AccessLevel::read);
  limited.not_after = now;
  const AccessView view({limited});
  EXPECT_TRUE(view.rights({"b", "x"}, now - std::chrono::seconds(1)).read);
  EXPECT_FALSE(view.rights({"b", "x"}, now).read);
  EXPECT_THAT(view.names_below({}, now), ElementsAre());
}

}  // namespace
}  // namespace holdfast::fusefs
