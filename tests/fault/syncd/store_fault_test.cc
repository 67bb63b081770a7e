// The store fails, the process dies, the tree is not what it was.
#include <sys/stat.h>
#include <sys/xattr.h>

#include "tests/unit/syncd/home_world.h"

namespace holdfast::syncd {
namespace {

namespace fs = std::filesystem;
using Kind = store::Fault::Kind;
using store::Operation;

TEST(StoreFault, DoublesNothingWhenTheAnswerToAnUploadIsLost) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.faults.add(Operation::write, {.kind = Kind::after, .code = ErrorCode::timed_out});
  world.write("a.txt", "once");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.versions("a.txt"), 1u);
  EXPECT_EQ(world.status().conflicts, 0u);
  // The file moves on while nobody knows whether the upload arrived.
  world.faults.add(Operation::write, {.kind = Kind::after, .code = ErrorCode::timed_out});
  world.write("a.txt", "twice");
  ASSERT_TRUE(world.wait_for([&] { return world.faults.used_up(); }));
  world.write("a.txt", "thrice");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("a.txt"), "thrice");
  EXPECT_EQ(world.status().conflicts, 0u);
}

TEST(StoreFault, StartsWithoutTheStoreAndMergesWhenItAnswers) {
  HomeWorld world;
  world.put("r.txt", "remote");
  for (int i = 0; i < 3; ++i) world.faults.add(Operation::changes, {.kind = Kind::before});
  ASSERT_TRUE(world.start());
  world.write("l.txt", "local");
  EXPECT_TRUE(world.wait_for([&] { return world.status().started; }));
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.object("l.txt"), "local");
  EXPECT_EQ(world.read("r.txt"), "remote");
}

TEST(StoreFault, TellsAReaderThatAStubCannotBeFilledNow) {
  HomeWorld world;
  world.put("x", "content");
  ASSERT_TRUE(world.start());
  world.faults.add(Operation::read, {.kind = Kind::cut, .cut_after = 3});
  std::optional<Result<void>> answer;
  world.engine->ensure_local("x", [&](Result<void> done) { answer = std::move(done); });
  ASSERT_TRUE(world.wait_for([&] { return answer.has_value(); }));
  EXPECT_FALSE(*answer);
  EXPECT_EQ(world.read("x"), "content");
}

TEST(StoreFault, FinishesAfterBeingKilledInTheMiddleOfABurst) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.make_directory("d");
  for (int i = 0; i < 300; ++i) world.write("d/f" + std::to_string(i), std::to_string(i));
  ASSERT_TRUE(world.wait_for([&] { return world.status().uploaded > 100; }));
  world.crash();
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(world.object("d/f" + std::to_string(i)), std::to_string(i));
    EXPECT_EQ(world.versions("d/f" + std::to_string(i)), 1u);
  }
  EXPECT_EQ(world.status().conflicts, 0u);
}

TEST(StoreFault, ParksABurstOfDeletionsThatNobodyWitnessed) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  for (int i = 0; i < 80; ++i) world.write("f" + std::to_string(i), std::to_string(i));
  ASSERT_TRUE(world.settle());
  world.stop();
  for (int i = 0; i < 60; ++i) fs::remove(world.full("f" + std::to_string(i)));
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.status().parked.size(), 60u);
  EXPECT_TRUE(world.info("f7"));
  world.engine->decide_parked("f7", ParkedDecision::bring_back);
  ASSERT_TRUE(world.wait_for([&] { return world.exists("f7"); }));
  EXPECT_EQ(world.read("f7"), "7");
  world.engine->decide_parked("", ParkedDecision::let_go);
  ASSERT_TRUE(world.wait_for([&] { return !world.info("f8"); }));
  ASSERT_TRUE(world.settle());
  EXPECT_TRUE(world.status().parked.empty());
  EXPECT_TRUE(world.info("f7"));
}

TEST(StoreFault, KeepsABurstParkedWhateverMakesItLookAgain) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  for (int i = 0; i < 80; ++i) world.write("f" + std::to_string(i), std::to_string(i));
  ASSERT_TRUE(world.settle());
  world.stop();
  ASSERT_TRUE(world.start());
  world.write("late", "not in the journal");
  ASSERT_TRUE(world.settle());
  world.crash();
  fs::remove(world.full("late"));
  for (int i = 0; i < 80; ++i) fs::remove(world.full("f" + std::to_string(i)));
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  const auto parked = world.status().parked;
  ASSERT_GT(parked.size(), 50u);
  for (const auto& item : parked) world.say(item.path);
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.status().parked.size(), parked.size());
  for (int i = 0; i < 80; ++i) EXPECT_TRUE(world.info("f" + std::to_string(i))) << i;
  EXPECT_TRUE(world.info("late"));  // parked, or back where the journal had not heard of it
  world.engine->decide_parked("", ParkedDecision::let_go);
  EXPECT_TRUE(world.wait_for([&] { return !world.info(parked.front().path); }));
}

TEST(StoreFault, TakesAFewDeletionsMadeWhileItWasStopped) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  for (int i = 0; i < 10; ++i) world.write("f" + std::to_string(i), std::to_string(i));
  ASSERT_TRUE(world.settle());
  world.stop();
  fs::remove(world.full("f3"));
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  EXPECT_FALSE(world.info("f3"));
  EXPECT_TRUE(world.info("f4"));
}

TEST(StoreFault, BelievesNoTreeThatIsNotTheOneItKnew) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  for (int i = 0; i < 10; ++i) world.write("f" + std::to_string(i), std::to_string(i));
  ASSERT_TRUE(world.settle());
  world.stop();
  // The volume was lost, the journal was not.
  fs::remove_all(world.tree);
  fs::create_directories(world.tree);
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(world.read("f" + std::to_string(i)), std::to_string(i));
}

TEST(StoreFault, TakesAMissingBucketForNoEmptyHome) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.write("a", "x");
  ASSERT_TRUE(world.settle());
  world.stop();
  world.config.bucket = BucketName("elsewhere");
  ASSERT_TRUE(world.start());
  EXPECT_FALSE(world.wait_for([&] { return !world.exists("a"); }, std::chrono::milliseconds(500)));
  EXPECT_FALSE(world.status().started);
  EXPECT_FALSE(world.status().last_error.empty());
}

TEST(StoreFault, RefusesAHomeThatAnotherEngineHolds) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  HomeEngine second(world.context->get_executor(), world.config, *world.store, world.clock,
                    world.random, nullptr);
  auto started = world.run(second.start());
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::locked);
}

TEST(StoreFault, ReturnsADisplacedFileThatACrashLeftBehind) {
  HomeWorld world;
  ASSERT_TRUE(world.start());
  world.stop();
  std::ofstream(world.config.state + "/tmp/0123") << "somebody's bytes";
  std::ofstream(world.config.state + "/tmp/0123.path") << "9 9 9 32768\na.txt";
  std::ofstream(world.config.state + "/tmp/4567") << "ours, half";
  ::setxattr((world.config.state + "/tmp/4567").c_str(), "user.holdfast.temporary", "1", 1, 0);
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  ASSERT_EQ(world.names().size(), 1u);
  EXPECT_EQ(world.object(world.names()[0]), "somebody's bytes");
  EXPECT_TRUE(fs::is_empty(world.config.state + "/tmp"));
}

TEST(StoreFault, LeadsNobodyOutOfTheHomeThroughASymlink) {
  HomeWorld world;
  fs::create_directories(world.root + "/outside");
  ASSERT_TRUE(world.start());
  fs::create_directory_symlink(world.root + "/outside", world.full("d"));
  world.put("d/evil", "x");
  world.say("d");
  ASSERT_TRUE(world.wait_for([&] { return world.object("d").has_value(); }));
  (void)world.wait_for([&] { return false; }, std::chrono::milliseconds(300));
  EXPECT_TRUE(fs::is_empty(world.root + "/outside"));
}

TEST(StoreFault, LetsOneSavePassABurst) {
  HomeWorld world;
  world.config.uploads = 8;
  store::SeededFaults slow(1, {.late = 1000, .longest = std::chrono::milliseconds(10)});
  world.store = std::make_unique<store::FaultStore>(*world.memory, slow);
  ASSERT_TRUE(world.start());
  world.write("notebook", "one");
  ASSERT_TRUE(world.settle());
  for (int i = 0; i < 3000; ++i) world.write("f" + std::to_string(i), "x");
  ASSERT_TRUE(world.wait_for([&] { return world.status().uploaded > 100; }));
  world.write("notebook", "two");
  const auto before = world.status().uploaded;
  ASSERT_TRUE(world.wait_for([&] { return world.object("notebook") == "two"; }));
  EXPECT_LT(world.status().uploaded - before, 1000u) << "it waited behind the burst";
  EXPECT_GT(world.status().dirty, 0u);
  world.stop();
}

}  // namespace
}  // namespace holdfast::syncd
