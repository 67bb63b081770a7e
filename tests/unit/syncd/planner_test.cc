#include "syncd/planner.h"

#include <gtest/gtest.h>

namespace holdfast::syncd {
namespace {

Node file(std::string content, std::string metadata = "m") {
  return {.kind = Kind::file, .content = std::move(content), .metadata = std::move(metadata)};
}
Node directory(std::string metadata = "m") {
  return {.kind = Kind::directory, .content = "", .metadata = std::move(metadata)};
}
const Node none;

Action plan_of(Node local, Node base, Node remote) {
  return plan({.local = {.known = true, .node = std::move(local)},
               .base = std::move(base),
               .remote = {.known = true, .node = std::move(remote)}});
}

TEST(Planner, LeavesWhatAgreesAlone) {
  EXPECT_EQ(plan_of(file("a"), file("a"), file("a")), Action::settled);
  EXPECT_EQ(plan_of(none, none, none), Action::settled);
}

TEST(Planner, CarriesAChangeOfOneSideAcross) {
  EXPECT_EQ(plan_of(file("b"), file("a"), file("a")), Action::push);
  EXPECT_EQ(plan_of(file("a", "x"), file("a"), file("a")), Action::push_metadata);
  EXPECT_EQ(plan_of(none, file("a"), file("a")), Action::push_removal);
  EXPECT_EQ(plan_of(file("a"), none, none), Action::push);
  EXPECT_EQ(plan_of(file("a"), file("a"), file("b")), Action::pull);
  EXPECT_EQ(plan_of(file("a"), file("a"), file("a", "x")), Action::pull_metadata);
  EXPECT_EQ(plan_of(file("a"), file("a"), none), Action::pull_removal);
  EXPECT_EQ(plan_of(none, none, file("a")), Action::pull);
}

TEST(Planner, AdoptsWhatBothSidesBecame) {
  EXPECT_EQ(plan_of(file("b"), file("a"), file("b")), Action::adopt);
  EXPECT_EQ(plan_of(file("b"), none, file("b")), Action::adopt);
  EXPECT_EQ(plan_of(none, file("a"), none), Action::forget);
}

TEST(Planner, NeverLetsADeletionBeatAnEdit) {
  EXPECT_EQ(plan_of(none, file("a"), file("b")), Action::pull);
  EXPECT_EQ(plan_of(file("b"), file("a"), none), Action::push);
}

TEST(Planner, KeepsTheLoserOfTwoEdits) {
  EXPECT_EQ(plan_of(file("b"), file("a"), file("c")), Action::pull_keeping_local);
  EXPECT_EQ(plan_of(file("b"), none, file("c")), Action::pull_keeping_local);
}

TEST(Planner, MakesNoConflictOfBytesThatNobodyEdited) {
  EXPECT_EQ(plan_of(file("a", "x"), file("a"), file("c")), Action::pull);
  EXPECT_EQ(plan_of(file("b"), file("a"), file("a", "x")), Action::push);
  EXPECT_EQ(plan_of(file("b", "x"), file("a"), file("b", "y")), Action::pull_metadata);
}

TEST(Planner, LetsADirectoryKeepTheName) {
  EXPECT_EQ(plan_of(directory(), none, file("a")), Action::push_keeping_remote);
  EXPECT_EQ(plan_of(file("a"), none, directory()), Action::pull_keeping_local);
  EXPECT_EQ(plan_of(directory("x"), directory(), directory("y")), Action::pull_metadata);
}

TEST(Planner, WaitsWhereAnythingIsUnknown) {
  EXPECT_EQ(plan({.local = {.known = false},
                  .base = file("a"),
                  .remote = {.known = true, .node = file("a")}}),
            Action::wait);
  EXPECT_EQ(plan({.local = {.known = true}, .base = file("a"), .remote = {.known = false}}),
            Action::wait);
}

TEST(Planner, HasNoObjectForPipes) {
  EXPECT_EQ(plan_of({.kind = Kind::other}, none, none), Action::skip);
}

}  // namespace
}  // namespace holdfast::syncd
