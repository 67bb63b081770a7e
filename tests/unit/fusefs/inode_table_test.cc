#include "fusefs/inode_table.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace holdfast::fusefs {
namespace {

class InodeTableTest : public ::testing::Test {
 protected:
  InodeTableTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "holdfast-table-XXXXXX").string();
    tree = ::mkdtemp(pattern.data());
    std::filesystem::create_directories(tree + "/a/b");
    std::ofstream(tree + "/a/b/f") << "x";
    auto root = open_file(tree, O_RDONLY | O_DIRECTORY);
    table = std::move(*InodeTable::open(std::move(*root), 2));
  }
  ~InodeTableTest() override { std::filesystem::remove_all(tree); }
  InodePtr look(const InodePtr& parent, const std::string& name) {
    auto found = table->lookup(parent, name);
    return found ? found->inode : nullptr;
  }
  std::string tree;
  std::unique_ptr<InodeTable> table;
};

TEST_F(InodeTableTest, KnowsPathsThroughRenamesOfParents) {
  const auto a = look(table->root(), "a"), b = look(a, "b"), f = look(b, "f");
  EXPECT_EQ(table->path(*f), "a/b/f");
  std::filesystem::rename(tree + "/a", tree + "/z");
  table->renamed(table->root(), "a", table->root(), "z");
  EXPECT_EQ(table->path(*f), "z/b/f");
  EXPECT_EQ(table->path(*table->root()), "");
}

TEST_F(InodeTableTest, RemembersTheLastPathOfWhatIsRemoved) {
  const auto a = look(table->root(), "a"), b = look(a, "b"), f = look(b, "f");
  table->removed(b, "f");
  EXPECT_EQ(table->path(*f), "a/b/f");
  EXPECT_EQ(table->at(b, "f"), nullptr);
}

TEST_F(InodeTableTest, CountsLookupsAndForgetsAtZero) {
  const auto a = look(table->root(), "a");
  EXPECT_EQ(look(table->root(), "a"), a);
  table->forget(a->id, 1);
  EXPECT_EQ(table->find(a->id), a);
  table->forget(a->id, 1);
  EXPECT_EQ(table->find(a->id), nullptr);
  EXPECT_NE(look(table->root(), "a")->id, a->id);  // ids are never used again
}

TEST_F(InodeTableTest, ReopensByHandleWhatItsBudgetClosed) {
  std::vector<InodePtr> all;
  for (int n = 0; n < 10; ++n) {
    std::ofstream(tree + "/" + std::to_string(n)) << n;
    all.push_back(look(table->root(), std::to_string(n)));
  }
  for (const auto& inode : all) {
    const auto fd = table->pin(inode);
    ASSERT_TRUE(fd);
    struct stat status{};
    EXPECT_EQ(::fstat((*fd)->get(), &status), 0);
    EXPECT_EQ(status.st_size, 1);
  }
}

TEST_F(InodeTableTest, HardLinksAreOneNodeWithSeveralPaths) {
  std::filesystem::create_hard_link(tree + "/a/b/f", tree + "/g");
  const auto a = look(table->root(), "a"), b = look(a, "b"), f = look(b, "f");
  EXPECT_EQ(look(table->root(), "g"), f);
  EXPECT_THAT(table->paths(*f), ::testing::UnorderedElementsAre("a/b/f", "g"));
  EXPECT_EQ(table->path(*f), "g");  // the one used last
}

}  // namespace
}  // namespace holdfast::fusefs
