#include "syncd/sidecar.h"

#include "tests/unit/syncd/home_world.h"

namespace holdfast::syncd {
namespace {

namespace fs = std::filesystem;

boost::asio::awaitable<bool> stop_sidecar(Sidecar& sidecar) {
  co_await sidecar.stop();
  co_return true;
}

struct SidecarWorld : HomeWorld {
  SidecarWorld() : HomeWorld("sidecar") {
    sidecar = std::make_unique<Sidecar>(context->get_executor(), config, *store, clock, random);
  }
  ~SidecarWorld() { run(stop_sidecar(*sidecar)); }
  std::unique_ptr<Sidecar> sidecar;
};

TEST(Sidecar, SeesWhatProgramsDoWithoutAMount) {
  SidecarWorld world;
  ASSERT_TRUE(world.run(world.sidecar->start()));
  world.write("a.txt", "hello");
  EXPECT_TRUE(world.wait_for([&] { return world.object("a.txt") == "hello"; }));
  fs::create_directories(world.full("x/y/z"));
  world.write("x/y/z/deep", "down");
  EXPECT_TRUE(world.wait_for([&] { return world.object("x/y/z/deep") == "down"; }));
  fs::rename(world.full("x"), world.full("w"));
  EXPECT_TRUE(world.wait_for(
      [&] { return world.object("w/y/z/deep") == "down" && !world.info("x/y/z/deep"); }));
  world.write("w/y/z/deep", "after the move");
  EXPECT_TRUE(world.wait_for([&] { return world.object("w/y/z/deep") == "after the move"; }));
  fs::remove_all(world.full("w"));
  EXPECT_TRUE(world.wait_for([&] { return !world.info("w/") && !world.info("w/y/z/deep"); }));
}

TEST(Sidecar, DownloadsContentAndNoStubs) {
  SidecarWorld world;
  world.put("d/a.txt", "remote");
  ASSERT_TRUE(world.run(world.sidecar->start()));
  EXPECT_EQ(world.read("d/a.txt"), "remote");
  world.put("d/a.txt", "edited");
  EXPECT_TRUE(world.wait_for([&] { return world.read("d/a.txt") == "edited"; }));
  EXPECT_EQ(world.sidecar->status().uploaded, 0u);
}

TEST(Sidecar, MakesBothSidesEqualOnce) {
  SidecarWorld world;
  world.put("r", "remote");
  world.write("l", "local");
  auto done = world.run(world.sidecar->run_once(std::chrono::seconds(20)));
  ASSERT_TRUE(done) << done.error().context;
  EXPECT_EQ(world.read("r"), "remote");
  EXPECT_EQ(world.object("l"), "local");
}

}  // namespace
}  // namespace holdfast::syncd
