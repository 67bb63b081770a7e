// The home keeps the kernel filesystem's own behaviour, with passthrough and without.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include <gmock/gmock.h>

#include "tests/e2e/fusefs/home_fixture.h"

namespace holdfast::fusefs::testing {
namespace {

class HomePosix : public ::testing::TestWithParam<bool> {
 protected:
  HomeMount mount{MountSetup{.passthrough = GetParam()}};
  struct stat status(const std::string& name) {
    struct stat out{};
    EXPECT_EQ(::lstat(mount.at(name).c_str(), &out), 0) << name << ": " << std::strerror(errno);
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Data, HomePosix, ::testing::Bool(), [](const auto& info) {
  return info.param ? "Passthrough" : "ThroughTheDaemon";
});

TEST_P(HomePosix, PassthroughIsUsedWhereAsked) {
  EXPECT_EQ(mount.session->passthrough(), GetParam());
}

TEST_P(HomePosix, WhatIsWrittenIsReadAndStattedAtOnceByAnother) {
  const int out = ::open(mount.at("f").c_str(), O_CREAT | O_WRONLY, 0644);
  ASSERT_GE(out, 0);
  const int in = ::open(mount.at("f").c_str(), O_RDONLY);
  ASSERT_GE(in, 0);
  std::string expected;
  for (int round = 0; round < 50; ++round) {
    const std::string piece = "line " + std::to_string(round) + "\n";
    ASSERT_EQ(::write(out, piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
    expected += piece;
    EXPECT_EQ(status("f").st_size, static_cast<off_t>(expected.size()));
    std::string seen(expected.size() + 1, 0);
    EXPECT_EQ(::pread(in, seen.data(), seen.size(), 0), static_cast<ssize_t>(expected.size()));
    seen.resize(expected.size());
    EXPECT_EQ(seen, expected);
  }
  struct stat backing{};
  ::stat(mount.in_tree("f").c_str(), &backing);
  EXPECT_EQ(status("f").st_mtim.tv_nsec, backing.st_mtim.tv_nsec);
  ::close(out);
  ::close(in);
  EXPECT_EQ(read_text(mount.in_tree("f")), expected);
}

TEST_P(HomePosix, SharedMappingsReachTheFileAndTheEngineIsToldAtClose) {
  write_text(mount.at("m"), std::string(8192, 'a'));
  status("m");
  const int fd = ::open(mount.at("m").c_str(), O_RDWR);
  auto* bytes =
      static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  ASSERT_NE(bytes, MAP_FAILED);
  mount.engine.take_events();
  bytes[0] = 'b';
  bytes[8191] = 'c';
  ASSERT_EQ(::msync(bytes, 8192, MS_SYNC), 0);
  const std::string seen = read_text(mount.at("m"));
  EXPECT_EQ(seen.front(), 'b');
  EXPECT_EQ(seen.back(), 'c');
  ::munmap(bytes, 8192);
  ::close(fd);
  EXPECT_TRUE(mount.engine.wait_for("close m"));
  EXPECT_TRUE(mount.engine.wait_for("changed m"));
  EXPECT_EQ(read_text(mount.in_tree("m")), seen);
  mount.files->wait_invalidated();
  struct stat backing{};
  ::stat(mount.in_tree("m").c_str(), &backing);
  EXPECT_EQ(status("m").st_mtim.tv_nsec, backing.st_mtim.tv_nsec);
}

TEST_P(HomePosix, ReadersWritersAndTruncatorsMayOpenOneFileInAnyMixture) {
  write_text(mount.at("x"), "0123456789");
  const int reader = ::open(mount.at("x").c_str(), O_RDONLY);
  const int writer = ::open(mount.at("x").c_str(), O_WRONLY);
  const int both = ::open(mount.at("x").c_str(), O_RDWR | O_APPEND);
  const int again = ::open(mount.at("x").c_str(), O_WRONLY | O_TRUNC);
  ASSERT_TRUE(reader >= 0 && writer >= 0 && both >= 0 && again >= 0);
  EXPECT_EQ(::write(both, "tail", 4), 4);
  EXPECT_EQ(::pwrite(writer, "HEAD", 4, 0), 4);
  char seen[8] = {};
  EXPECT_EQ(::pread(reader, seen, 8, 0), 4);
  EXPECT_STREQ(seen, "HEAD");
  for (const int fd : {reader, writer, both, again}) ::close(fd);
}

TEST_P(HomePosix, AppendersDoNotOverwriteEachOther) {
  constexpr int threads = 8, lines = 200;
  std::vector<std::jthread> writers;
  for (int t = 0; t < threads; ++t) {
    writers.emplace_back([this, t] {
      const int fd = ::open(mount.at("log").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0644);
      const std::string line(31, static_cast<char>('a' + t));
      for (int n = 0; n < lines; ++n) EXPECT_EQ(::write(fd, (line + "\n").data(), 32), 32);
      ::close(fd);
    });
  }
  writers.clear();
  const std::string log = read_text(mount.at("log"));
  ASSERT_EQ(log.size(), 32u * threads * lines);
  for (std::size_t at = 0; at < log.size(); at += 32) {
    EXPECT_EQ(log.substr(at, 31), std::string(31, log[at]));
  }
}

TEST_P(HomePosix, RenamesMoveTreesReplaceFilesExchangeAndRefuse) {
  std::filesystem::create_directories(mount.at("a/b/c"));
  write_text(mount.at("a/b/c/f"), "deep");
  write_text(mount.at("g"), "old");
  mount.engine.take_events();
  ASSERT_EQ(::rename(mount.at("a").c_str(), mount.at("z").c_str()), 0);
  EXPECT_TRUE(mount.engine.wait_for("renamed a -> z"));
  EXPECT_EQ(read_text(mount.at("z/b/c/f")), "deep");
  EXPECT_NE(::access(mount.at("a").c_str(), F_OK), 0);
  // A path inside the moved tree is told by its new name.
  write_text(mount.at("z/b/c/f"), "changed");
  EXPECT_TRUE(mount.engine.wait_for("changed z/b/c/f"));

  EXPECT_EQ(::renameat2(AT_FDCWD, mount.at("g").c_str(), AT_FDCWD, mount.at("z/b/c/f").c_str(),
                        RENAME_NOREPLACE),
            -1);
  EXPECT_EQ(errno, EEXIST);
  ASSERT_EQ(::renameat2(AT_FDCWD, mount.at("g").c_str(), AT_FDCWD, mount.at("z/b/c/f").c_str(),
                        RENAME_EXCHANGE),
            0);
  EXPECT_EQ(read_text(mount.at("g")), "changed");
  EXPECT_EQ(read_text(mount.at("z/b/c/f")), "old");
  ASSERT_EQ(::rename(mount.at("g").c_str(), mount.at("z/b/c/f").c_str()), 0);
  EXPECT_EQ(read_text(mount.at("z/b/c/f")), "changed");
  ASSERT_EQ(::rmdir(mount.at("z").c_str()), -1);
  EXPECT_EQ(errno, ENOTEMPTY);
}

TEST_P(HomePosix, AnUnlinkedFileLivesUntilItIsClosed) {
  const int fd = ::open(mount.at("t").c_str(), O_CREAT | O_RDWR, 0600);
  ASSERT_EQ(::unlink(mount.at("t").c_str()), 0);
  EXPECT_EQ(::write(fd, "still", 5), 5);
  char seen[6] = {};
  EXPECT_EQ(::pread(fd, seen, 5, 0), 5);
  EXPECT_STREQ(seen, "still");
  struct stat out{};
  ASSERT_EQ(::fstat(fd, &out), 0);
  EXPECT_EQ(out.st_size, 5);
  EXPECT_EQ(out.st_nlink, 0u);
  EXPECT_EQ(::ftruncate(fd, 2), 0);
  EXPECT_EQ(::fchmod(fd, 0640), 0);
  ::close(fd);
  EXPECT_TRUE(mount.engine.wait_for("close t"));
}

TEST_P(HomePosix, HardLinksShareContentAndCountAndAreToldByEachName) {
  write_text(mount.at("one"), "1");
  ASSERT_EQ(::link(mount.at("one").c_str(), mount.at("two").c_str()), 0);
  EXPECT_EQ(status("one").st_nlink, 2u);
  EXPECT_EQ(status("one").st_ino, status("two").st_ino);
  mount.engine.take_events();
  write_text(mount.at("two"), "22");
  EXPECT_EQ(read_text(mount.at("one")), "22");
  EXPECT_TRUE(mount.engine.wait_for("close two"));
  EXPECT_TRUE(mount.engine.wait_for("changed two"));  // the last that the kernel's RELEASE tells
  mount.engine.take_events();
  ASSERT_EQ(::chmod(mount.at("one").c_str(), 0600), 0);
  const auto after = mount.engine.take_events();
  EXPECT_THAT(after, ::testing::UnorderedElementsAre("changed one", "changed two"));
  ASSERT_EQ(::unlink(mount.at("one").c_str()), 0);
  EXPECT_EQ(status("two").st_nlink, 1u);
}

TEST_P(HomePosix, SymlinksModesTimesAndAttributesAreKeptToTheNanosecond) {
  ASSERT_EQ(::symlink("some/where", mount.at("l").c_str()), 0);
  EXPECT_EQ(std::filesystem::read_symlink(mount.at("l")), "some/where");
  write_text(mount.at("f"), "x");
  ASSERT_EQ(::chmod(mount.at("f").c_str(), 0751), 0);
  const timespec times[2] = {{1'000'000'001, 123'456'789}, {1'500'000'002, 987'654'321}};
  ASSERT_EQ(::utimensat(AT_FDCWD, mount.at("f").c_str(), times, 0), 0);
  ASSERT_EQ(::utimensat(AT_FDCWD, mount.at("l").c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  EXPECT_EQ(status("f").st_mode & 07777, 0751u);
  EXPECT_EQ(status("f").st_mtim.tv_nsec, 987'654'321);
  EXPECT_EQ(status("f").st_atim.tv_sec, 1'000'000'001);
  EXPECT_EQ(status("l").st_mtim.tv_sec, 1'500'000'002);
  ASSERT_EQ(::setxattr(mount.at("f").c_str(), "user.note", "hello", 5, 0), 0);
  char value[8] = {};
  EXPECT_EQ(::getxattr(mount.at("f").c_str(), "user.note", value, 8), 5);
  EXPECT_STREQ(value, "hello");
  EXPECT_EQ(::setxattr(mount.at("f").c_str(), "user.holdfast.stub", "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  ASSERT_EQ(::setxattr(mount.in_tree("f").c_str(), "user.holdfast.other", "x", 1, 0), 0);
  char list[64] = {};
  EXPECT_EQ(::listxattr(mount.at("f").c_str(), list, sizeof(list)), 10);
  EXPECT_STREQ(list, "user.note");
}

TEST_P(HomePosix, HolesPreallocationSeeksAndCopiesWork) {
  const int fd = ::open(mount.at("sparse").c_str(), O_CREAT | O_RDWR, 0644);
  ASSERT_EQ(::pwrite(fd, "end", 3, 1 << 20), 3);
  EXPECT_EQ(::lseek(fd, 0, SEEK_DATA), 1 << 20);
  EXPECT_EQ(::lseek(fd, 0, SEEK_HOLE), 0);
  EXPECT_EQ(::fallocate(fd, 0, 0, 2 << 20), 0);
  EXPECT_EQ(status("sparse").st_size, 2 << 20);
  EXPECT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
  const int copy = ::open(mount.at("copy").c_str(), O_CREAT | O_RDWR, 0644);
  off_t from = 1 << 20;
  EXPECT_EQ(::copy_file_range(fd, &from, copy, nullptr, 3, 0), 3);
  EXPECT_EQ(read_text(mount.at("copy")), "end");
  EXPECT_EQ(::fsync(fd), 0);
  ::close(copy);
  ::close(fd);
}

TEST_P(HomePosix, NamelessTemporaryFilesAreRefusedNotBroken) {
  const int fd = ::open(mount.home.c_str(), O_TMPFILE | O_RDWR, 0600);
  EXPECT_EQ(fd, -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
}

TEST_P(HomePosix, LocksExcludeEachOther) {
  const int a = ::open(mount.at("lock").c_str(), O_CREAT | O_RDWR, 0644);
  const int b = ::open(mount.at("lock").c_str(), O_RDWR);
  EXPECT_EQ(::flock(a, LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(::flock(b, LOCK_EX | LOCK_NB), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
  EXPECT_EQ(::flock(a, LOCK_UN), 0);
  struct flock range{.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
  EXPECT_EQ(::fcntl(a, F_OFD_SETLK, &range), 0);
  EXPECT_EQ(::fcntl(b, F_OFD_SETLK, &range), -1);
  ::close(a);
  ::close(b);
}

TEST_P(HomePosix, FilesBelongToTheirMakerAndPermissionsHold) {
  EXPECT_EQ(as_user(4242,
                    [this] {
                      ::umask(027);
                      if (::mkdir(mount.at("mine").c_str(), 0777) != 0) return 1;
                      const int fd = ::open(mount.at("mine/f").c_str(), O_CREAT | O_WRONLY, 0666);
                      if (fd < 0 || ::write(fd, "x", 1) != 1) return 2;
                      if (::symlink("f", mount.at("mine/l").c_str()) != 0) return 3;
                      if (::mkfifo(mount.at("mine/pipe").c_str(), 0600) != 0) return 4;
                      return 0;
                    }),
            0);
  EXPECT_EQ(status("mine").st_uid, 4242u);
  EXPECT_EQ(status("mine").st_mode & 0777, 0750u);
  EXPECT_EQ(status("mine/f").st_uid, 4242u);
  EXPECT_EQ(status("mine/f").st_gid, 4242u);
  EXPECT_EQ(status("mine/f").st_mode & 0777, 0640u);
  EXPECT_EQ(status("mine/l").st_uid, 4242u);
  EXPECT_TRUE(S_ISFIFO(status("mine/pipe").st_mode));
  EXPECT_EQ(as_user(4343,
                    [this] {
                      if (::open(mount.at("mine/f").c_str(), O_RDONLY) >= 0 || errno != EACCES)
                        return 1;
                      if (::unlink(mount.at("mine/f").c_str()) == 0 || errno != EACCES) return 2;
                      if (::chmod(mount.at("mine").c_str(), 0777) == 0 || errno != EPERM) return 3;
                      return 0;
                    }),
            0);
}

TEST_P(HomePosix, SetgidDirectoriesHandTheirGroupDown) {
  ASSERT_EQ(::mkdir(mount.at("shared").c_str(), 0777), 0);
  ASSERT_EQ(::chown(mount.at("shared").c_str(), 0, 5000), 0);
  ASSERT_EQ(::chmod(mount.at("shared").c_str(), 02777), 0);
  EXPECT_EQ(as_user(4242,
                    [this] {
                      ::umask(0);
                      ::close(::open(mount.at("shared/f").c_str(), O_CREAT | O_WRONLY, 0644));
                      return ::mkdir(mount.at("shared/d").c_str(), 0755);
                    }),
            0);
  EXPECT_EQ(status("shared/f").st_gid, 5000u);
  EXPECT_EQ(status("shared/f").st_uid, 4242u);
  EXPECT_EQ(status("shared/d").st_gid, 5000u);
  EXPECT_NE(status("shared/d").st_mode & S_ISGID, 0u);
}

TEST_P(HomePosix, AWriteByAnotherTakesTheSetuidBitAway) {
  write_text(mount.at("s"), "x");
  ASSERT_EQ(::chmod(mount.at("s").c_str(), 04777), 0);
  EXPECT_EQ(as_user(4242,
                    [this] {
                      const int fd = ::open(mount.at("s").c_str(), O_WRONLY);
                      return fd >= 0 && ::write(fd, "y", 1) == 1 ? 0 : 1;
                    }),
            0);
  EXPECT_EQ(status("s").st_mode & 07777, 0777u);
}

TEST_P(HomePosix, LongListingsAreCompleteAndSeekable) {
  for (int n = 0; n < 3000; ++n) write_text(mount.at("n" + std::to_string(n)), "");
  std::size_t seen = 0;
  for (const auto& item : std::filesystem::directory_iterator(mount.home)) {
    EXPECT_TRUE(item.is_regular_file());
    ++seen;
  }
  EXPECT_EQ(seen, 3000u);
  ASSERT_EQ(::unlink(mount.at("n7").c_str()), 0);
  write_text(mount.at("new"), "");
  const auto names = shell("ls -l " + mount.home + " | awk '{print $NF}'");
  EXPECT_EQ(names.find("\nn7\n"), std::string::npos);
  EXPECT_NE(names.find("\nnew\n"), std::string::npos);
}

TEST_P(HomePosix, ManyThreadsWorkInOneDirectoryAtOnce) {
  std::vector<std::jthread> workers;
  for (int t = 0; t < 12; ++t) {
    workers.emplace_back([this, t] {
      const std::string own = "w" + std::to_string(t);
      for (int n = 0; n < 100; ++n) {
        const std::string file = mount.at(own + "." + std::to_string(n));
        write_text(file, own);
        EXPECT_EQ(::rename(file.c_str(), mount.at(own).c_str()), 0);
        EXPECT_EQ(read_text(mount.at(own)), own);
      }
    });
  }
  workers.clear();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(mount.home), {}), 12);
}

TEST(HomeDescriptors, AHomeLargerThanItsDescriptorBudgetStaysUsable) {
  HomeMount mount(MountSetup{.max_descriptors = 16});
  for (int n = 0; n < 200; ++n) {
    std::filesystem::create_directory(mount.at("d" + std::to_string(n)));
    write_text(mount.at("d" + std::to_string(n) + "/f"), std::to_string(n));
  }
  for (int n = 0; n < 200; ++n) {
    const std::string name = "d" + std::to_string(n);
    EXPECT_EQ(read_text(mount.at(name + "/f")), std::to_string(n));
    EXPECT_EQ(::rename(mount.at(name).c_str(), mount.at("e" + name).c_str()), 0);
    EXPECT_EQ(read_text(mount.at("e" + name + "/f")), std::to_string(n));
  }
}

}  // namespace
}  // namespace holdfast::fusefs::testing
