// The experiments in which mobius3 loses data, run against this engine. Each name is what must
// hold.
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/syncd/home_world.h"

namespace holdfast::syncd {
namespace {

namespace fs = std::filesystem;
using Kind = store::Fault::Kind;
using store::Operation;

TEST(Mobius3, RetriesANewFileWhoseUploadFailedAndKeepsIt) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.faults.add(Operation::write, {.kind = Kind::before});
  world.write("new.txt", "first");
  ASSERT_TRUE(world.settle());
  EXPECT_TRUE(world.faults.used_up());
  EXPECT_EQ(world.object("new.txt"), "first");
  EXPECT_EQ(world.read("new.txt"), "first");
}

TEST(Mobius3, RetriesAnEditWhoseUploadFailedAlsoAcrossARestart) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a.txt", "one");
  ASSERT_TRUE(world.settle());
  world.faults.add(Operation::write, {.kind = Kind::before});
  world.write("a.txt", "two");
  ASSERT_TRUE(world.wait_for([&] { return world.faults.used_up(); }));
  EXPECT_FALSE(world.status().last_error.empty());
  world.crash();
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("a.txt"), "two");
  EXPECT_EQ(world.read("a.txt"), "two");
}

TEST(Mobius3, KeepsWhatWasEditedOrMadeWhileItWasStopped) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a.txt", "one");
  ASSERT_TRUE(world.settle());
  world.stop();
  world.write("a.txt", "edited offline");
  world.write("b.txt", "made offline");
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("a.txt"), "edited offline");
  EXPECT_EQ(world.object("b.txt"), "made offline");
  EXPECT_EQ(world.names(), (std::vector<std::string>{"a.txt", "b.txt"}));
}

TEST(Mobius3, LetsANameThatIsNotUtf8HurtNoNeighbour) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("\xff\xfe bad", "odd");
  world.write("good", "even");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("\xff\xfe bad"), "odd");
  EXPECT_EQ(world.object("good"), "even");
  EXPECT_TRUE(world.exists("good"));
}

TEST(Mobius3, SyncsTheModeOfAnEmojiName) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("\xf0\x9f\x98\x80.sh", "x");
  ASSERT_TRUE(world.settle());
  ::chmod(world.full("\xf0\x9f\x98\x80.sh").c_str(), 0700);
  world.say("\xf0\x9f\x98\x80.sh");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.info("\xf0\x9f\x98\x80.sh")->attributes.metadata.at("mode"),
            std::to_string(0100700));
}

TEST(Mobius3, UploadsAHardLink) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a", "x");
  ::link(world.full("a").c_str(), world.full("b").c_str());
  world.say("b");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("b"), "x");
}

TEST(Mobius3, MakesAConflictCopyOfARemoteEditAgainstALocalOne) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a.txt", "base");
  ASSERT_TRUE(world.settle());
  world.stop();
  world.put("a.txt", "remote");
  world.write("a.txt", "local");
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("a.txt"), "remote");
  ASSERT_EQ(world.names().size(), 2u);
  const auto names = world.names();
  EXPECT_EQ(world.object(names[0].contains("conflict") ? names[0] : names[1]), "local");
}

TEST(Mobius3, DownloadsNothingAgainAtAWarmRestart) {
  HomeWorld world;
  for (int i = 0; i < 30; ++i) world.put("f" + std::to_string(i), "content");
  ASSERT_TRUE(world.start());
  for (int i = 0; i < 30; ++i) world.read("f" + std::to_string(i));
  ASSERT_TRUE(world.settle());
  world.stop();
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.status().downloaded, 0u);
  EXPECT_EQ(world.status().uploaded, 0u);
  EXPECT_EQ(world.status().stubs, 0u);
}

TEST(Mobius3, SkipsPipesAndSocketsAndSaysSo) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  ASSERT_EQ(::mkfifo(world.full("pipe").c_str(), 0600), 0);
  world.say("pipe");
  ASSERT_TRUE(world.settle());
  ASSERT_EQ(world.status().parked.size(), 1u);
  EXPECT_EQ(world.status().parked[0].path, "pipe");
}

TEST(Mobius3, UploadsAFileThatIsHeldOpenAndNeverClosed) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.engine->opened_for_write("log");
  world.write("log", "still open");
  EXPECT_TRUE(world.wait_for([&] { return world.object("log") == "still open"; }));
}

TEST(Mobius3, ShowsADirectoryWhereTheStoreHasAFileOfThatNameToo) {
  HomeWorld world;
  world.put("a/b", "below");
  world.put("a/", "");
  world.put("a", "beside");
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.read("a/b"), "below");
  std::string kept;
  for (const auto& name : world.names()) {
    if (name.contains("conflict")) kept = name;
  }
  ASSERT_FALSE(kept.empty());
  EXPECT_EQ(world.read(kept), "beside");
}

TEST(Mobius3, BringsBackADirectoryThatWasDeletedAndMadeAgain) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.make_directory("d");
  world.write("d/a", "1");
  ASSERT_TRUE(world.settle());
  world.remove("d");
  world.make_directory("d");
  world.write("d/a", "2");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("d/a"), "2");
  EXPECT_TRUE(world.info("d/"));
}

}  // namespace
}  // namespace holdfast::syncd
