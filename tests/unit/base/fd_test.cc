#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/encoding.h"
#include "directory.h"

namespace holdfast {
namespace {

using test::Directory;

TEST(Fd, MovesAndClosesOnce) {
  Directory directory;
  auto file = open_file(directory / "a", O_RDWR | O_CREAT);
  ASSERT_TRUE(file);
  const int number = file->get();
  Fd moved = std::move(*file);
  EXPECT_FALSE(file->valid());
  EXPECT_EQ(moved.get(), number);
  moved.reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST(Fd, IsNotInheritedByPrograms) {
  Directory directory;
  auto file = open_file(directory / "a", O_RDWR | O_CREAT);
  EXPECT_NE(::fcntl(file->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Files, ReadAndWriteAtOffsets) {
  Directory directory;
  auto file = open_file(directory / "a", O_RDWR | O_CREAT);
  ASSERT_TRUE(write_all_at(file->get(), as_bytes("world"), 6));
  ASSERT_TRUE(write_all_at(file->get(), as_bytes("hello "), 0));
  std::string text(20, '?');
  const auto got = read_at(file->get(), std::as_writable_bytes(std::span(text)), 3);
  ASSERT_TRUE(got);
  EXPECT_EQ(text.substr(0, *got), "lo world");  // short at the end of the file
  EXPECT_EQ(*read_at(file->get(), std::as_writable_bytes(std::span(text)), 100), 0u);
  EXPECT_TRUE(sync_data(file->get()));
}

TEST(Files, MissingOnesAreNotFoundAndNamed) {
  Directory directory;
  const auto missing = open_file(directory / "no", O_RDONLY);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_NE(missing.error().context.find("/no"), std::string::npos);
  EXPECT_FALSE(read_file(directory / "no"));
}

TEST(ReadFile, StopsAtTheLimit) {
  Directory directory;
  ASSERT_TRUE(replace_file(directory / "a", std::string(1000, 'x')));
  EXPECT_EQ(read_file(directory / "a")->size(), 1000u);
  EXPECT_EQ(read_file(directory / "a", 1000)->size(), 1000u);
  EXPECT_EQ(read_file(directory / "a", 999).error().code, ErrorCode::entity_too_large);
}

TEST(ReplaceFile, LeavesOldOrNewAndNothingBeside) {
  Directory directory;
  ASSERT_TRUE(replace_file(directory / "a", "one"));
  ASSERT_TRUE(replace_file(directory / "a", "two", 0640));
  EXPECT_EQ(*read_file(directory / "a"), "two");
  struct stat status{};
  ASSERT_EQ(::stat((directory / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    entries += entry.exists();
  }
  EXPECT_EQ(entries, 1u);
  EXPECT_FALSE(replace_file(directory / "no/such/place", "x"));
}

TEST(MakeDirectories, CreatesParentsAndAcceptsWhatIsThere) {
  Directory directory;
  EXPECT_TRUE(make_directories(directory / "a/b/c"));
  EXPECT_TRUE(make_directories(directory / "a/b/c/"));
  ASSERT_TRUE(replace_file(directory / "file", "x"));
  EXPECT_FALSE(make_directories(directory / "file"));
  EXPECT_FALSE(make_directories(directory / "file/x"));
  EXPECT_TRUE(sync_directory(directory / "a"));
}

}  // namespace
}  // namespace holdfast
