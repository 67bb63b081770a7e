#include "base/body.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "directory.h"
#include "run.h"

namespace holdfast {
namespace {

using test::Directory;
using test::run;

std::shared_ptr<const Fd> file_with(const std::string& path, std::string_view text) {
  auto file = open_file(path, O_RDWR | O_CREAT);
  HOLDFAST_CHECK(file && write_all(file->get(), as_bytes(text)));
  return std::make_shared<const Fd>(std::move(*file));
}

TEST(Bodies, StringsAreReadToTheirEndAndTheEndRepeats) {
  const auto reader = make_string_reader("hello");
  EXPECT_EQ(reader->size(), 5u);
  std::vector<std::byte> three(3);
  EXPECT_EQ(*run(reader->read(three)), 3u);
  EXPECT_EQ(*run(reader->read(three)), 2u);
  EXPECT_EQ(*run(reader->read(three)), 0u);
  EXPECT_EQ(*run(reader->read(three)), 0u);
}

TEST(Bodies, ExtentsOfSeveralFilesAreOneStream) {
  Directory directory;
  const auto a = file_with(directory / "a", "0123456789"), b = file_with(directory / "b", "abcdef");
  const auto reader = make_extent_reader({{a, 2, 3}, {b, 0, 0}, {b, 4, 2}, {a, 9, 1}});
  EXPECT_EQ(reader->size(), 6u);
  EXPECT_EQ(*run(read_all(*reader, 100)), "234ef9");
}

TEST(Bodies, AFileThatWasUnlinkedIsStillRead) {
  Directory directory;
  const auto a = file_with(directory / "a", "kept");
  std::filesystem::remove(directory / "a");
  const auto reader = make_extent_reader({{a, 0, 4}});
  EXPECT_EQ(*run(read_all(*reader, 100)), "kept");
}

TEST(Bodies, AFileThatEndsEarlyIsAnErrorNotAShortBody) {
  Directory directory;
  const auto a = file_with(directory / "a", "short");
  const auto reader = make_extent_reader({{a, 0, 50}});
  EXPECT_EQ(run(read_all(*reader, 100)).error().code, ErrorCode::corrupted);
}

TEST(Bodies, ReadAllStopsAtItsLimit) {
  EXPECT_EQ(run(read_all(*make_string_reader(std::string(100, 'x')), 100))->size(), 100u);
  EXPECT_EQ(run(read_all(*make_string_reader(std::string(101, 'x')), 100)).error().code,
            ErrorCode::entity_too_large);
}

TEST(Bodies, EveryKindBecomesAReader) {
  Directory directory;
  EXPECT_EQ(*run(read_all(*make_reader(Body("text")), 100)), "text");
  Body extents = std::vector<FileExtent>{{file_with(directory / "a", "file"), 0, 4}};
  EXPECT_EQ(*run(read_all(*make_reader(std::move(extents)), 100)), "file");
  EXPECT_EQ(*run(read_all(*make_reader(Body(make_string_reader("stream"))), 100)), "stream");
  auto owner = std::make_shared<const std::string>("a part of it");
  const std::string_view part = std::string_view(*owner).substr(2, 4);
  Body shared = SharedText{std::move(owner), part};
  EXPECT_EQ(bytes_of(shared), "part");
  EXPECT_EQ(make_reader(SharedText{nullptr, "four"})->size(), 4u);
  EXPECT_EQ(*run(read_all(*make_reader(std::move(shared)), 100)), "part");
  EXPECT_EQ(bytes_of(Body(make_string_reader("stream"))), std::nullopt);
}

}  // namespace
}  // namespace holdfast
