// What a home does in fair weather.
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/unit/syncd/home_world.h"

namespace holdfast::syncd {
namespace {

namespace fs = std::filesystem;

TEST(Engine, UploadsANewFileWithItsModeAndTime) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a.txt", "hello");
  ::chmod(world.full("a.txt").c_str(), 0640);
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("a.txt"), "hello");
  const auto info = world.info("a.txt");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->attributes.metadata.at("mode"), std::to_string(0100640));
  EXPECT_TRUE(info->attributes.metadata.contains("mtime"));
  EXPECT_EQ(world.versions("a.txt"), 1u);
}

TEST(Engine, MakesOneVersionASaveAndNoneWithoutAChange) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a.txt", "one");
  ASSERT_TRUE(world.settle());
  world.write("a.txt", "two");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.versions("a.txt"), 2u);
  world.say("a.txt");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.versions("a.txt"), 2u);
}

TEST(Engine, ShowsARemoteFileAsAStubAndFillsItOnDemand) {
  HomeWorld world;
  world.put("data/x.csv", "a,b\n1,2\n", {{"mtime", "1700000000.5"}, {"mode", "33152"}});
  ASSERT_TRUE(world.start());
  struct stat st{};
  ASSERT_EQ(::lstat(world.full("data/x.csv").c_str(), &st), 0);
  EXPECT_EQ(st.st_size, 8);
  EXPECT_EQ(st.st_mode, 0100600u);
  EXPECT_EQ(st.st_mtim.tv_sec, 1700000000);
  EXPECT_EQ(world.status().stubs, 1u);
  EXPECT_EQ(world.read("data/x.csv"), "a,b\n1,2\n");
  ASSERT_EQ(::lstat(world.full("data/x.csv").c_str(), &st), 0);
  EXPECT_EQ(st.st_mtim.tv_sec, 1700000000);
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.status().stubs, 0u);
  // Our own download is no edit.
  world.say("data/x.csv");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.versions("data/x.csv"), 1u);
}

TEST(Engine, FillsStubsInTheBackground) {
  HomeWorld world;
  world.config.hydrate_everything = true;
  for (int i = 0; i < 40; ++i) world.put("f" + std::to_string(i), std::string(1000, 'x'));
  ASSERT_TRUE(world.start());
  EXPECT_TRUE(world.wait_for([&] { return world.status().stubs == 0; }));
  EXPECT_EQ(world.status().downloaded, 40u);
}

TEST(Engine, BringsARemoteEditAndARemoteDeletion) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a.txt", "one");
  ASSERT_TRUE(world.settle());
  world.put("a.txt", "from afar");
  ASSERT_TRUE(world.wait_for([&] { return world.status().downloaded == 1; }));
  EXPECT_EQ(world.read("a.txt"), "from afar");
  world.erase("a.txt");
  EXPECT_TRUE(world.wait_for([&] { return !world.exists("a.txt"); }));
  EXPECT_EQ(world.status().conflicts, 0u);
}

TEST(Engine, RemovesAWitnessedDirectoryOfAnySizeAtOnce) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.make_directory("d");
  for (int i = 0; i < 200; ++i) world.write("d/f" + std::to_string(i), std::to_string(i));
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.status().uploaded >= 201, true);
  world.remove("d");
  ASSERT_TRUE(world.settle());
  EXPECT_FALSE(world.info("d/"));
  EXPECT_FALSE(world.info("d/f7"));
  EXPECT_TRUE(world.status().parked.empty());
}

TEST(Engine, RenamesADirectoryWithoutMovingData) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.make_directory("d/sub");
  world.write("d/sub/a", "A");
  world.write("d/b", "B");
  ASSERT_TRUE(world.settle());
  const auto before = world.info("d/sub/a");
  world.rename("d", "e");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("e/sub/a"), "A");
  EXPECT_EQ(world.object("e/b"), "B");
  EXPECT_FALSE(world.info("d/sub/a"));
  EXPECT_FALSE(world.info("d/"));
  EXPECT_TRUE(world.info("e/sub/"));
}

TEST(Engine, RenamesAStubThatWasNeverFilled) {
  HomeWorld world;
  world.put("big.bin", std::string(100'000, 'z'));
  ASSERT_TRUE(world.start());
  world.rename("big.bin", "other.bin");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("other.bin"), std::string(100'000, 'z'));
  EXPECT_FALSE(world.info("big.bin"));
  EXPECT_EQ(world.read("other.bin"), std::string(100'000, 'z'));
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.versions("other.bin"), 1u);
}

TEST(Engine, SavesAsEditorsDoThroughATemporaryName) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("n.ipynb", "one");
  ASSERT_TRUE(world.settle());
  world.write(".~n.ipynb", "two");
  world.rename(".~n.ipynb", "n.ipynb");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("n.ipynb"), "two");
  EXPECT_EQ(world.versions("n.ipynb"), 2u);
  EXPECT_EQ(world.versions(".~n.ipynb"), 0u);
}

TEST(Engine, RecordsAModeByCopyingTheObjectOntoItself) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("run.sh", "#!/bin/sh\n");
  ASSERT_TRUE(world.settle());
  ::chmod(world.full("run.sh").c_str(), 0755);
  world.say("run.sh");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.info("run.sh")->attributes.metadata.at("mode"), std::to_string(0100755));
  EXPECT_EQ(world.object("run.sh"), "#!/bin/sh\n");
  EXPECT_EQ(world.versions("run.sh"), 2u);
}

TEST(Engine, KeepsSymlinksAndHardLinks) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a", "bytes");
  ::link(world.full("a").c_str(), world.full("b").c_str());
  world.say("b");
  ::symlink("a", world.full("s").c_str());
  world.say("s");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("s"), "a");
  EXPECT_EQ(world.object("b"), "bytes");
  world.stop();
  // Another machine.
  fs::remove_all(world.config.state);
  fs::remove_all(world.tree);
  fs::create_directories(world.tree);
  ASSERT_TRUE(world.start());
  EXPECT_EQ(fs::read_symlink(world.full("s")), "a");
  EXPECT_EQ(world.read("a"), "bytes");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.read("b"), "bytes");
  EXPECT_EQ(fs::hard_link_count(world.full("a")), 2u);
  ASSERT_TRUE(world.settle());
  EXPECT_LE(world.versions("a"), 2u);
}

TEST(Engine, KeepsTheLoserOfTwoEditsAsAConflictCopy) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a.txt", "base");
  ASSERT_TRUE(world.settle());
  world.put("a.txt", "theirs");
  world.write("a.txt", "ours");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.read("a.txt"), "theirs");
  const auto names = world.names();
  ASSERT_EQ(names.size(), 2u);
  EXPECT_EQ(world.read(names[0].contains("conflict") ? names[0] : names[1]), "ours");
  EXPECT_EQ(world.status().conflicts, 1u);
}

TEST(Engine, LetsAnEditFollowAMove) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a.txt", "base");
  ASSERT_TRUE(world.settle());
  world.rename("a.txt", "b.txt");  // its word is queued before put() lets the feed run
  world.put("a.txt", "edited afar");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.read("b.txt"), "edited afar");
  EXPECT_FALSE(world.exists("a.txt"));
  EXPECT_FALSE(world.info("a.txt"));
}

// A folder that goes, each time, into a new one of its old name: nothing is uploaded meanwhile.
TEST(Engine, RemembersOfRenamedFoldersWhatMovedAndNotWhatWasThereOnce) {
  constexpr std::uint64_t files = 20, rounds = 8;
  HomeWorld world;
  world.config.settle = world.config.settle_max = std::chrono::hours(1);
  ASSERT_TRUE(world.start());
  world.make_directory("a");
  for (std::uint64_t i = 0; i < files; ++i) world.write("a/f" + std::to_string(i), "x");
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const std::string aside = "b" + std::to_string(round);
    world.rename("a", aside);
    world.make_directory("a");
    world.rename(aside, "a/" + aside);
    bool heard = false;  // all that was told before
    world.engine->ensure_local("a", [&](Result<void>) { heard = true; });
    ASSERT_TRUE(world.wait_for([&] { return heard; }));
  }
  EXPECT_LE(world.status().dirty, (2 * rounds + 1) * (files + 2 * rounds));
  EXPECT_TRUE(world.exists("a/b7/b6/b5/b4/b3/b2/b1/b0/f0"));
}

TEST(Engine, GivesEveryNameItsOwnObject) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  for (const std::string name :
       {"a#b", "q?x=1", "pct%41", "\xff\xfe", "sp ace", "\xf0\x9f\x98\x80"}) {
    world.write(name, "of " + name);
  }
  ASSERT_TRUE(world.settle());
  for (const std::string name :
       {"a#b", "q?x=1", "pct%41", "\xff\xfe", "sp ace", "\xf0\x9f\x98\x80"}) {
    EXPECT_EQ(world.object(name), "of " + name);
  }
}

TEST(Engine, UploadsLargeFilesInParts) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  std::string big(70u << 20, '\0');
  for (std::size_t i = 0; i < big.size(); i += 4096) big[i] = static_cast<char>(i >> 12);
  world.write("big", big);
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.info("big")->part_sizes.size(), 5u);
  EXPECT_EQ(world.object("big"), big);
  world.write("medium", big.substr(0, 3u << 20));
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("medium"), big.substr(0, 3u << 20));
}

TEST(Engine, StampsADirectoryOnceForManyNewFiles) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.make_directory("d");
  for (int i = 0; i < 100; ++i) world.write("d/f" + std::to_string(i), "x");
  ASSERT_TRUE(world.settle());
  EXPECT_LE(world.versions("d/"), 3u);
}

TEST(Engine, DrainsBeforeItStops) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  for (int i = 0; i < 50; ++i) world.write("f" + std::to_string(i), "x");
  auto drained = world.run(world.engine->drain(std::chrono::seconds(10)));
  EXPECT_TRUE(drained) << drained.error().context;
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(world.info("f" + std::to_string(i)));
}

TEST(Engine, WaitsForAnOpenFileToBeClosedOrQuiet) {
  HomeWorld world;
  world.config.settle_max = std::chrono::milliseconds(300);
  ASSERT_TRUE(world.start());
  world.engine->opened_for_write("log");
  world.write("log", "line 1\n");
  EXPECT_FALSE(world.wait_for([&] { return world.info("log").has_value(); },
                              std::chrono::milliseconds(150)));
  world.engine->closed_for_write("log");
  EXPECT_TRUE(world.wait_for([&] { return world.info("log").has_value(); }));
}

}  // namespace
}  // namespace holdfast::syncd
