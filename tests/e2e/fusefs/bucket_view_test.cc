// The bucket view shows what is granted, reads one version, writes by upload, and never mistakes an
// unreachable store for an empty one.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/e2e/fusefs/bucket_fixture.h"
#include "tests/e2e/fusefs/home_fixture.h"

namespace holdfast::fusefs::testing {
namespace {

using store::AccessLevel;
using store::VisibleEntry;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

std::vector<std::string> names(const std::string& directory) {
  std::vector<std::string> out;
  for (const auto& item : std::filesystem::directory_iterator(directory)) {
    out.push_back(item.path().filename());
  }
  return out;
}

// Waits up to 10 s; the view learns of grants by itself.
bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    ::usleep(2000);
  }
  return true;
}

bool exists(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0;
}

std::string pattern_bytes(std::size_t size) {
  std::string bytes(size, 0);
  std::uint32_t state = 1;
  for (auto& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

class BucketView : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(eventually([&] { return exists(view.at("research")); }));
  }
  BucketMount view;
};

TEST_F(BucketView, ShowsObjectsAsFilesAndPrefixesAsDirectories) {
  view.put("research", "data/one.csv", "1,2,3\n");
  view.put("research", "data/deep/two.csv", "4\n");
  view.put("research", "top", "t");
  EXPECT_THAT(names(view.mount_point), ElementsAre("research"));
  EXPECT_THAT(names(view.at("research")), UnorderedElementsAre("data", "top"));
  EXPECT_THAT(names(view.at("research/data")), UnorderedElementsAre("deep", "one.csv"));
  EXPECT_EQ(read_text(view.at("research/data/one.csv")), "1,2,3\n");
  struct stat status{};
  ASSERT_EQ(::stat(view.at("research/data/deep/two.csv").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 2);
  EXPECT_EQ(status.st_uid, 4242u);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_FALSE(exists(view.at("research/none")));
}

TEST_F(BucketView, ReadsLargeFilesForwardAndAtRandom) {
  const std::string content = pattern_bytes(20u << 20);
  view.put("research", "big", content);
  const int fd = ::open(view.at("research/big").c_str(), O_RDONLY);
  ASSERT_GE(fd, 0);
  std::string seen(content.size(), 0);
  std::size_t at = 0;
  while (at < seen.size()) {
    const ssize_t got = ::pread(fd, seen.data() + at, 300'000, static_cast<off_t>(at));
    ASSERT_GT(got, 0);
    at += static_cast<std::size_t>(got);
  }
  EXPECT_TRUE(seen == content);
  EXPECT_LT(view.network.reads.load(), 40u);  // far fewer requests than reads
  for (const std::size_t offset : {19'999'000u, 5u, 12'345'678u, 262'143u, 262'144u}) {
    char piece[1000];
    ASSERT_EQ(::pread(fd, piece, sizeof(piece), static_cast<off_t>(offset)), 1000);
    EXPECT_EQ(std::string_view(piece, 1000), std::string_view(content).substr(offset, 1000));
  }
  ::close(fd);
}

TEST_F(BucketView, AnOpenFileKeepsToItsVersionOrFails) {
  const std::string first(4u << 20, 'a'), second(4u << 20, 'b');
  view.put("research", "f", first);
  const int fd = ::open(view.at("research/f").c_str(), O_RDONLY);
  ASSERT_GE(fd, 0);
  char byte = 0;
  ASSERT_EQ(::pread(fd, &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'a');
  view.put("research", "f", second);
  const ssize_t got = ::pread(fd, &byte, 1, (4 << 20) - 1);
  if (got == 1)
    EXPECT_EQ(byte, 'a');  // it was read ahead
  else
    EXPECT_EQ(errno, ESTALE);
  EXPECT_TRUE(read_text(view.at("research/f")) == second);
  ::close(fd);
}

TEST_F(BucketView, WritesArriveAtCloseWhole) {
  std::filesystem::create_directories(view.at("research/new/dir"));
  write_text(view.at("research/new/dir/f"), "hello");
  EXPECT_EQ(view.get("research", "new/dir/f"), "hello");
  write_text(view.at("research/new/dir/empty"), "");
  EXPECT_EQ(view.get("research", "new/dir/empty"), "");
  EXPECT_EQ(read_text(view.at("research/new/dir/f")), "hello");
  EXPECT_THAT(names(view.at("research/new/dir")), UnorderedElementsAre("empty", "f"));
}

TEST_F(BucketView, AppendsOverwritesAndTruncates) {
  view.put("research", "f", "0123456789");
  int fd = ::open(view.at("research/f").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::write(fd, "abc", 3), 3);
  EXPECT_EQ(::close(fd), 0);
  EXPECT_EQ(view.get("research", "f"), "0123456789abc");
  fd = ::open(view.at("research/f").c_str(), O_RDWR);
  EXPECT_EQ(::pwrite(fd, "XX", 2, 4), 2);
  char seen[14] = {};
  EXPECT_EQ(::pread(fd, seen, 13, 0), 13);
  EXPECT_STREQ(seen, "0123XX6789abc");
  EXPECT_EQ(::fsync(fd), 0);
  EXPECT_EQ(view.get("research", "f"), "0123XX6789abc");
  EXPECT_EQ(::ftruncate(fd, 6), 0);
  EXPECT_EQ(::close(fd), 0);
  EXPECT_EQ(view.get("research", "f"), "0123XX");
  EXPECT_EQ(::truncate(view.at("research/f").c_str(), 3), 0);
  EXPECT_EQ(view.get("research", "f"), "012");
  EXPECT_EQ(read_text(view.at("research/f")), "012");
}

TEST_F(BucketView, RefusesToReplaceWhatSomeoneElseReplaced) {
  view.put("research", "f", "old");
  const int fd = ::open(view.at("research/f").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::write(fd, "mine", 4), 4);
  view.put("research", "f", "theirs");
  EXPECT_EQ(::close(fd), -1);
  EXPECT_EQ(errno, ESTALE);
  EXPECT_EQ(view.get("research", "f"), "theirs");
}

TEST_F(BucketView, KeepsWhatTheStoreWouldNotTake) {
  view.put("research", "f", "old");
  const int fd = ::open(view.at("research/f").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::write(fd, " and mine", 9), 9);
  view.put("research", "f", "theirs");
  EXPECT_EQ(::close(fd), -1);
  const auto rescued = [&] {
    std::vector<std::string> paths;
    std::error_code none;
    for (const auto& entry :
         std::filesystem::directory_iterator(view.directory + "/rescued", none)) {
      paths.push_back(entry.path().string());
    }
    std::ranges::sort(paths);
    return paths;
  };
  // The note beside the file comes last, under another name until it is whole.
  ASSERT_TRUE(eventually([&] {
    const auto paths = rescued();
    return paths.size() == 2 && paths.back().ends_with(".txt");
  }));
  const auto paths = rescued();
  EXPECT_EQ(read_text(paths.front()), "old and mine");
  EXPECT_THAT(read_text(paths.back()), ::testing::HasSubstr("bucket research\nkey    f\n"));
  EXPECT_EQ(view.get("research", "f"), "theirs");
}

TEST_F(BucketView, SendsALargeFileInParts) {
  std::string content(80u << 20, 'x');
  for (std::size_t i = 0; i < content.size(); i += 4096) content[i] = static_cast<char>(i >> 12);
  write_text(view.at("research/large"), content);
  EXPECT_TRUE(view.get("research", "large") == content);
  EXPECT_TRUE(read_text(view.at("research/large")) == content);
}

TEST_F(BucketView, RenamesAndRemoves) {
  view.put("research", "a/1", "one");
  view.put("research", "a/b/2", "two");
  view.put("research", "c", "three");
  ASSERT_EQ(::rename(view.at("research/c").c_str(), view.at("research/d").c_str()), 0);
  EXPECT_EQ(view.get("research", "d"), "three");
  ASSERT_EQ(::rename(view.at("research/a").c_str(), view.at("research/z").c_str()), 0);
  EXPECT_THAT(view.keys("research"), ElementsAre("d", "z/1", "z/b/2"));
  EXPECT_EQ(read_text(view.at("research/z/b/2")), "two");
  EXPECT_EQ(::rmdir(view.at("research/z").c_str()), -1);
  EXPECT_EQ(errno, ENOTEMPTY);
  EXPECT_EQ(shell("rm -r " + view.at("research/z") + "; ls " + view.at("research")), "d\n");
  EXPECT_THAT(view.keys("research"), ElementsAre("d"));
}

TEST_F(BucketView, ADirectoryHidesAnObjectOfItsName) {
  view.put("research", "a", "object");
  view.put("research", "a/b", "inside");
  view.put("research", "odd//name", "hidden");
  EXPECT_TRUE(std::filesystem::is_directory(view.at("research/a")));
  EXPECT_EQ(read_text(view.at("research/a/b")), "inside");
  EXPECT_THAT(names(view.at("research")), UnorderedElementsAre("a", "odd"));
  EXPECT_THAT(names(view.at("research/odd")), UnorderedElementsAre());
}

TEST_F(BucketView, ListsMoreThanOnePage) {
  for (int n = 0; n < 2500; ++n) view.put("research", "many/" + std::to_string(n), "");
  EXPECT_EQ(names(view.at("research/many")).size(), 2500u);
  EXPECT_EQ(shell("ls -l " + view.at("research/many") + " | wc -l"), "2501\n");
}

TEST_F(BucketView, AnUnreachableStoreIsAnErrorNotAnAbsence) {
  view.put("research", "f", "x");
  ASSERT_TRUE(exists(view.at("research/f")));
  view.network.down = true;
  struct stat status{};
  EXPECT_TRUE(eventually([&] { return ::stat(view.at("research/f").c_str(), &status) != 0; }));
  EXPECT_EQ(errno, EIO);
  EXPECT_EQ(::open(view.at("research/new").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600), -1);
  EXPECT_EQ(errno, EIO);
  view.network.down = false;
  EXPECT_EQ(read_text(view.at("research/f")), "x");
  const int fd = ::open(view.at("research/g").c_str(), O_CREAT | O_WRONLY, 0600);
  EXPECT_EQ(::write(fd, "y", 1), 1);
  view.network.down = true;
  EXPECT_EQ(::fsync(fd), -1);
  EXPECT_EQ(errno, EIO);
  view.network.down = false;
  EXPECT_EQ(::close(fd), 0);
  EXPECT_EQ(view.get("research", "g"), "y");
}

TEST_F(BucketView, AGrantOnAPrefixShowsThatAndNothingElse) {
  view.put("research", "public/a", "a");
  view.put("research", "publicity", "p");
  view.put("research", "secret", "s");
  view.grant({VisibleEntry{BucketName("research"), "public/", AccessLevel::read, {}}});
  EXPECT_TRUE(eventually([&] { return !exists(view.at("research/secret")); }));
  EXPECT_THAT(names(view.at("research")), ElementsAre("public"));
  EXPECT_FALSE(exists(view.at("research/publicity")));
  EXPECT_EQ(read_text(view.at("research/public/a")), "a");
  EXPECT_EQ(
      as_user(4242,
              [this] {
                if (::open(view.at("research/public/new").c_str(), O_CREAT | O_WRONLY, 0600) >= 0 ||
                    errno != EACCES)
                  return 1;
                if (::open(view.at("research/public/a").c_str(), O_WRONLY) >= 0 ||
                    errno != EACCES) {
                  return 2;
                }
                return ::open(view.at("research/public/a").c_str(), O_RDONLY) >= 0 ? 0 : errno;
              }),
      0);
  // Root passes the mode bits, not the grant.
  EXPECT_EQ(::open(view.at("research/public/a").c_str(), O_WRONLY), -1);
  EXPECT_EQ(errno, EACCES);
}

TEST_F(BucketView, ARemovedGrantTakesNamesAndOpenFilesAway) {
  view.put("research", "f", std::string(3u << 20, 'x'));
  const int fd = ::open(view.at("research/f").c_str(), O_RDONLY);
  char byte = 0;
  ASSERT_EQ(::pread(fd, &byte, 1, 0), 1);
  view.grant({VisibleEntry{BucketName("finance"), "", AccessLevel::write, {}}});
  EXPECT_TRUE(eventually([&] { return exists(view.at("finance")); }));
  EXPECT_TRUE(eventually([&] { return !exists(view.at("research")); }));
  EXPECT_THAT(names(view.mount_point), ElementsAre("finance"));
  EXPECT_TRUE(eventually([&] { return ::pread(fd, &byte, 1, 0) < 0; }));
  EXPECT_EQ(errno, EACCES);
  ::close(fd);
}

TEST_F(BucketView, ADropBoxTakesFilesAndShowsNone) {
  view.put("finance", "in/theirs", "t");
  view.grant({VisibleEntry{BucketName("finance"), "in/", AccessLevel::drop, {}}});
  ASSERT_TRUE(eventually([&] { return exists(view.at("finance/in")); }));
  EXPECT_THAT(names(view.at("finance/in")), ElementsAre());
  write_text(view.at("finance/in/mine"), "m");
  EXPECT_EQ(view.get("finance", "in/mine"), "m");
  EXPECT_FALSE(exists(view.at("finance/in/theirs")));
  EXPECT_EQ(::open(view.at("finance/in/theirs").c_str(), O_RDONLY), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(BucketView, ProgramsWorkInIt) {
  view.put("research", "t.csv", "a,b\n1,2\n3,4\n");
  EXPECT_EQ(shell("/usr/bin/python3 -c \"\n"
                  "import csv, zipfile\n"
                  "rows = list(csv.reader(open('" +
                  view.at("research/t.csv") +
                  "')))\n"
                  "with zipfile.ZipFile('" +
                  view.at("research/z.zip") +
                  "', 'w') as z:\n"
                  "    z.writestr('rows', str(rows))\n"
                  "print(zipfile.ZipFile('" +
                  view.at("research/z.zip") + "').read('rows'))\n\""),
            "b\"[['a', 'b'], ['1', '2'], ['3', '4']]\"\n");
  EXPECT_EQ(
      shell("cd " + view.at("research") +
            "; mkdir d; cp t.csv d/; mv d/t.csv d/u.csv; "
            "cat d/u.csv | head -1; sed -i s/a,b/A,B/ d/u.csv; head -1 d/u.csv; du -b d/u.csv "
            "| cut -f1"),
      "a,b\nA,B\n12\n");
}

}  // namespace
}  // namespace holdfast::fusefs::testing
