// A mount's writers against the engine that fills and replaces files.
#include "syncd/writer_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/fd.h"
#include "tests/unit/syncd/home_world.h"

namespace holdfast::syncd {
namespace {

TEST(WriterTable, CountsTheOpensOfAPath) {
  WriterTable table;
  table.opened("a");
  table.opened("a");
  table.closed("a");
  EXPECT_TRUE(table.contains("a"));
  EXPECT_FALSE(table.hold("a"));
  table.closed("a");
  EXPECT_FALSE(table.contains("a"));
  EXPECT_TRUE(table.hold("a"));
  table.closed("a");  // one too many changes nothing
  EXPECT_TRUE(table.hold("a"));
}

TEST(WriterTable, HoldsNewWritersBack) {
  WriterTable table;
  std::atomic<bool> open = false;
  std::thread writer;
  {
    const auto hold = table.hold("a");
    ASSERT_TRUE(hold);
    writer = std::thread([&] {
      table.opened("a");
      open = true;
    });
    std::this_thread::yield();
    EXPECT_FALSE(open);
  }
  writer.join();
  EXPECT_TRUE(table.contains("a"));
}

TEST(Engine, DoesNotFillWhatIsEmptiedMeanwhile) {
  HomeWorld world;
  world.config.file_threads = 1;
  world.put("big", std::string(8u << 20, 'x'));
  ASSERT_TRUE(world.start());
  const std::string file = world.full("big");
  std::optional<Result<void>> filled;
  world.engine->ensure_local("big", [&](Result<void> done) { filled = std::move(done); });
  const auto has_begun = [&] {
    char first = 0;
    const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    return ::pread(fd.get(), &first, 1, 0) == 1 && first == 'x';
  };
  ASSERT_TRUE(world.wait_for(has_begun));
  ASSERT_FALSE(filled);
  {
    struct stat status{};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    const auto hold = world.engine->hold_content(status.st_ino);
    world.engine->opened_for_write("big");
    const Fd fd(::open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    ASSERT_TRUE(fd.valid());
    ASSERT_EQ(::fremovexattr(fd.get(), "user.holdfast.stub"), 0);
    ASSERT_EQ(::write(fd.get(), "new", 3), 3);
  }
  ASSERT_TRUE(world.wait_for([&] { return filled.has_value(); }));
  EXPECT_TRUE(*filled) << filled->error().context;
  world.engine->closed_for_write("big");
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.read("big"), "new");
  EXPECT_EQ(world.object("big"), "new");
}

TEST(Engine, LeavesAFileInPlaceWhileItIsOpenForWriting) {
  HomeWorld world;
  world.config.settle_max = std::chrono::milliseconds(20);
  world.write("log", "one");
  ASSERT_TRUE(world.start());
  ASSERT_TRUE(world.settle());
  const Fd fd(::open(world.full("log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  world.engine->opened_for_write("log");
  world.put("log", "from elsewhere");
  ASSERT_TRUE(world.wait_for([&] { return world.status().working > 0; }));
  ASSERT_EQ(::write(fd.get(), " two", 4), 4);
  struct stat status{};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_nlink, 1u);
  world.engine->closed_for_write("log");
  ASSERT_TRUE(world.settle());
  bool kept = false;
  for (const auto& name : world.names()) kept |= world.read(name) == "one two";
  EXPECT_TRUE(kept);
}

}  // namespace
}  // namespace holdfast::syncd
