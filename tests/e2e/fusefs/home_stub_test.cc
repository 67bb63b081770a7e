// Stubs are filled when they are first needed, and what others change in the tree is seen at once.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>

#include "tests/e2e/fusefs/home_fixture.h"

namespace holdfast::fusefs::testing {
namespace {

bool is_stub(const std::string& file) {
  return ::getxattr(file.c_str(), "user.holdfast.stub", nullptr, 0) >= 0;
}

TEST(HomeStubs, AreFilledAtOpenAndShownWithTheirSizeBefore) {
  HomeMount mount;
  const std::string content(10'000, 'x');
  FakeEngine::make_stub(mount.in_tree("s"), content.size());
  mount.engine.offer("s", content);
  struct stat before{};
  ASSERT_EQ(::stat(mount.at("s").c_str(), &before), 0);
  EXPECT_EQ(before.st_size, 10'000);
  EXPECT_GT(before.st_blocks, 0);  // tar and du must not take it for one hole
  EXPECT_EQ(mount.engine.hydrations(), 0u);
  EXPECT_EQ(read_text(mount.at("s")), content);
  EXPECT_EQ(mount.engine.hydrations(), 1u);
  EXPECT_EQ(read_text(mount.at("s")), content);
  EXPECT_EQ(mount.engine.hydrations(), 1u);
}

TEST(HomeStubs, MayBeReplacedByANewFileWhileTheyAreOpened) {
  HomeMount mount;
  mount.engine.hydration = FakeEngine::Hydration::replace;
  mount.engine.after_hydration = [&](const std::string& path) {
    mount.files->invalidate_entry(path);
  };
  FakeEngine::make_stub(mount.in_tree("s"), 5);
  mount.engine.offer("s", "hello");
  EXPECT_EQ(read_text(mount.at("s")), "hello");
}

TEST(HomeStubs, AnswerAnErrorWhileTheStoreIsAwayNeverZeros) {
  HomeMount mount;
  FakeEngine::make_stub(mount.in_tree("s"), 5);
  EXPECT_EQ(::open(mount.at("s").c_str(), O_RDONLY), -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_EQ(::truncate(mount.at("s").c_str(), 3), -1);
  EXPECT_EQ(errno, EIO);
  mount.engine.offer("s", "hello");
  EXPECT_EQ(read_text(mount.at("s")), "hello");
}

TEST(HomeStubs, NeedNoContentToBeRenamedChangedEmptiedOrRemoved) {
  HomeMount mount;
  for (const char* name : {"a", "b", "c", "d"}) FakeEngine::make_stub(mount.in_tree(name), 100);
  ASSERT_EQ(::rename(mount.at("a").c_str(), mount.at("a2").c_str()), 0);
  ASSERT_EQ(::chmod(mount.at("a2").c_str(), 0600), 0);
  EXPECT_TRUE(is_stub(mount.in_tree("a2")));
  write_text(mount.at("b"), "new");  // O_TRUNC
  EXPECT_FALSE(is_stub(mount.in_tree("b")));
  EXPECT_EQ(read_text(mount.at("b")), "new");
  ASSERT_EQ(::truncate(mount.at("c").c_str(), 0), 0);
  EXPECT_FALSE(is_stub(mount.in_tree("c")));
  ASSERT_EQ(::unlink(mount.at("d").c_str()), 0);
  EXPECT_EQ(mount.engine.hydrations(), 0u);
}

TEST(HomeStubs, OpenedForAppendAreFilledFirst) {
  HomeMount mount;
  FakeEngine::make_stub(mount.in_tree("s"), 5);
  mount.engine.offer("s", "hello");
  const int fd = ::open(mount.at("s").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::write(fd, "!", 1), 1);
  ::close(fd);
  EXPECT_EQ(read_text(mount.at("s")), "hello!");
}

TEST(HomeChangesFromOutside, AppearVanishAndAreReplacedInSpiteOfTheKernelsCache) {
  HomeMount mount;
  std::filesystem::create_directory(mount.at("d"));
  EXPECT_NE(::access(mount.at("d/new").c_str(), F_OK), 0);  // "not there" is cached now
  EXPECT_EQ(shell("ls " + mount.at("d")), "");
  write_text(mount.in_tree("d/new"), "one");
  mount.files->invalidate_entry("d/new");
  mount.files->wait_invalidated();
  EXPECT_EQ(shell("ls " + mount.at("d")), "new\n");
  EXPECT_EQ(read_text(mount.at("d/new")), "one");

  const int old = ::open(mount.at("d/new").c_str(), O_RDONLY);
  write_text(mount.in_tree("d/other"), "replaced");
  std::filesystem::rename(mount.in_tree("d/other"), mount.in_tree("d/new"));
  mount.files->invalidate_entry("d/new");
  mount.files->wait_invalidated();
  EXPECT_EQ(read_text(mount.at("d/new")), "replaced");
  char seen[4] = {};
  EXPECT_EQ(::pread(old, seen, 3, 0), 3);  // who has it open keeps the old content, whole
  EXPECT_STREQ(seen, "one");
  ::close(old);

  std::filesystem::remove(mount.in_tree("d/new"));
  mount.files->invalidate_entry("d/new");
  mount.files->wait_invalidated();
  EXPECT_NE(::access(mount.at("d/new").c_str(), F_OK), 0);
  EXPECT_EQ(shell("ls " + mount.at("d")), "");
}

TEST(HomeChangesFromOutside, AWriterNeverGetsAFileThatWasJustReplaced) {
  HomeMount mount;
  write_text(mount.at("f"), "one");
  write_text(mount.in_tree("other"), "two");
  std::filesystem::rename(mount.in_tree("other"), mount.in_tree("f"));
  // The kernel has not been told yet and still knows the old file under this name.
  const int fd = ::open(mount.at("f").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::write(fd, "!", 1), 1);
  ::close(fd);
  EXPECT_EQ(read_text(mount.in_tree("f")), "two!");
}

TEST(HomeChangesFromOutside, ChangedAttributesAndContentAreSeen) {
  HomeMount mount;
  write_text(mount.at("f"), "before");
  EXPECT_EQ(read_text(mount.at("f")), "before");
  std::filesystem::permissions(mount.in_tree("f"), std::filesystem::perms(0600));
  write_text(mount.in_tree("f"), "after, and longer");
  mount.files->invalidate_content("f");
  mount.files->wait_invalidated();
  EXPECT_EQ(read_text(mount.at("f")), "after, and longer");
  struct stat status{};
  ::stat(mount.at("f").c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(status.st_size, 17);
}

TEST(HomeChangesFromOutside, LeaveAWorkingDirectoryStanding) {
  HomeMount mount;
  std::filesystem::create_directories(mount.at("d/e"));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(mount.at("d/e"));
  mount.files->invalidate_entry("d");
  mount.files->wait_invalidated();
  EXPECT_EQ(std::filesystem::current_path(), mount.at("d/e"));
  std::filesystem::current_path(before);
}

TEST(HomeEventsOrder, AWriterIsAnnouncedUnderItsNewNameAfterARename) {
  HomeMount mount;
  std::filesystem::create_directory(mount.at("d"));
  const int fd = ::open(mount.at("d/f").c_str(), O_CREAT | O_WRONLY, 0644);
  mount.engine.take_events();
  ASSERT_EQ(::rename(mount.at("d").c_str(), mount.at("e").c_str()), 0);
  EXPECT_THAT(mount.engine.take_events(),
              ::testing::ElementsAre("renamed d -> e", "open e/f", "close d/f"));
  ::close(fd);
  EXPECT_TRUE(mount.engine.wait_for("close e/f"));
}

TEST(HomeEventsOrder, AWriteIsAnnouncedBeforeAndToldAfter) {
  HomeMount mount;
  write_text(mount.at("f"), "x");
  EXPECT_TRUE(mount.engine.wait_for("close f"));
  mount.engine.wait_for("changed f");
  mount.engine.take_events();
  const int fd = ::open(mount.at("f").c_str(), O_WRONLY);
  EXPECT_THAT(mount.engine.take_events(), ::testing::ElementsAre("open f"));
  ::close(fd);
  EXPECT_TRUE(mount.engine.wait_for("changed f"));
  EXPECT_TRUE(mount.engine.wait_for("close f"));
  EXPECT_TRUE(mount.engine.wait_for("changed f"));
}

TEST(HomeFsync, CanMeanUploaded) {
  HomeMount mount(MountSetup{.fsync = FsyncMeaning::uploaded});
  const int fd = ::open(mount.at("f").c_str(), O_CREAT | O_WRONLY, 0644);
  EXPECT_EQ(::write(fd, "x", 1), 1);
  EXPECT_EQ(::fsync(fd), 0);
  EXPECT_TRUE(mount.engine.wait_for("wait f"));
  ::close(fd);
}

TEST(HomeMounting, RefusesABusyMountPoint) {
  HomeMount mount;
  auto again = Session::mount({.mount_point = mount.home}, mount.files, [] {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  EXPECT_THAT(again.error().context, ::testing::HasSubstr("mounted there already"));
}

TEST(HomeMounting, ReplacesAMountWhoseServerIsGone) {
  HomeMount mount;
  write_text(mount.in_tree("f"), "here");
  const std::string point = mount.directory + "/second";
  const pid_t child = ::fork();
  if (child == 0) {
    auto files = HomeFs::open({.tree = mount.tree}, mount.engine);
    auto session = Session::mount({.mount_point = point}, *files, [] {});
    ::_exit(session ? 0 : 1);
  }
  int outcome = 0;
  ::waitpid(child, &outcome, 0);
  ASSERT_EQ(outcome, 0);
  ASSERT_TRUE(is_dead_mount(point));
  auto files = HomeFs::open({.tree = mount.tree}, mount.engine);
  auto session = Session::mount({.mount_point = point}, *files, [] {});
  ASSERT_TRUE(session) << session.error().context;
  EXPECT_EQ(read_text(point + "/f"), "here");
}

TEST(HomeMounting, KeepsNoDirectoryBusyInWhichItsProcessStood) {
  HomeMount stood_in;
  std::filesystem::create_directory(stood_in.at("d"));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(stood_in.at("d"));
  {
    HomeMount mount;  // its workers begin here
    write_text(mount.at("f"), "x");
    std::filesystem::current_path(before);
    EXPECT_TRUE(stood_in.session->unmount(std::chrono::seconds(5)));
  }
}

TEST(HomeMounting, GivesWayWhenItIsStillInUse) {
  HomeMount mount;
  write_text(mount.at("f"), "x");
  const int fd = ::open(mount.at("f").c_str(), O_RDONLY);
  EXPECT_FALSE(mount.session->unmount(std::chrono::milliseconds(50)));
  EXPECT_NE(::access(mount.at("f").c_str(), F_OK), 0);
  ::close(fd);
}

}  // namespace
}  // namespace holdfast::fusefs::testing
