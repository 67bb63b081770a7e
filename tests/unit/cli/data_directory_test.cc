#include "cli/data_directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

class DataDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/holdfast-data-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  void TearDown() override { fs::remove_all(path_); }

  std::string path_;
};

TEST_F(DataDirectoryTest, IsMadeOnFirstUseAndOpensAgain) {
  const std::string inside = path_ + "/new/data";
  ASSERT_TRUE(DataDirectory::open(inside));
  EXPECT_TRUE(fs::exists(inside + "/FORMAT"));
  EXPECT_TRUE(DataDirectory::open(inside));
}

TEST_F(DataDirectoryTest, IsHeldByOneAtATimeAndSaysByWhom) {
  auto first = DataDirectory::open(path_);
  ASSERT_TRUE(first);
  const auto second = DataDirectory::open(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::locked);
  EXPECT_NE(second.error().context.find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(DataDirectoryTest, LeavesADirectoryOfAnotherVersionAsItIs) {
  ASSERT_TRUE(replace_file(path_ + "/FORMAT", "holdfast data 99\n"));
  const auto opened = DataDirectory::open(path_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().context.find("holdfast data 99"), std::string::npos);
  EXPECT_FALSE(fs::exists(path_ + "/store"));
}

TEST_F(DataDirectoryTest, TouchesNothingInADirectoryThatIsNotOurs) {
  ASSERT_TRUE(replace_file(path_ + "/thesis.txt", "mine"));
  const auto opened = DataDirectory::open(path_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().context.find("thesis.txt"), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(path_), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace holdfast::cli
