#include "index/catalogue.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace holdfast::index {
namespace {

class CatalogueTest : public ::testing::Test {
 protected:
  CatalogueTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-ix-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    directory = pattern;
    auto opened = Catalogue::open(directory + "/c.db", Catalogue::Role::unsynced_writer);
    if (!opened) std::abort();
    catalogue.emplace(std::move(*opened));
  }
  ~CatalogueTest() override {
    catalogue.reset();
    std::filesystem::remove_all(directory);
  }
  static VersionRow version(const std::string& key, std::uint64_t sequence, bool marker = false) {
    VersionRow row;
    row.bucket = 1;
    row.key = key;
    row.sequence = sequence;
    row.version = fmt::format("v{}", sequence);
    row.delete_marker = marker;
    return row;
  }

  std::string directory;
  std::optional<Catalogue> catalogue;
};

TEST_F(CatalogueTest, AReaderSeesWhatIsCommittedAndNothingElse) {
  auto reader = Catalogue::open(directory + "/c.db", Catalogue::Role::reader);
  ASSERT_TRUE(reader);
  ASSERT_TRUE(catalogue->begin());
  ASSERT_TRUE(catalogue->insert_current(version("k", 1)));
  EXPECT_TRUE(*catalogue->find_current(1, "k"));
  EXPECT_FALSE(*reader->find_current(1, "k"));
  ASSERT_TRUE(catalogue->commit());
  EXPECT_TRUE(*reader->find_current(1, "k"));
}

TEST_F(CatalogueTest, AVersionMovesBetweenTheTablesWhole) {
  auto row = version("k", 5);
  row.meta = "meta";
  row.extents = "extents";
  ASSERT_TRUE(catalogue->insert_current(row));
  ASSERT_TRUE(catalogue->move_current_to_old(1, "k"));
  EXPECT_FALSE(*catalogue->find_current(1, "k"));
  ASSERT_TRUE(catalogue->move_old_to_current(1, "k", 5));
  auto back = catalogue->find_version(1, "k", 5);
  ASSERT_TRUE(back && *back);
  EXPECT_EQ((*back)->extents, "extents");
  EXPECT_TRUE((*back)->latest);
}

TEST_F(CatalogueTest, ABlobGoesWithItsLastReference) {
  const BlobRow blob_row{"b", 10, 99};
  EXPECT_EQ(*catalogue->add_blob_reference(blob_row, 1), 1);
  EXPECT_EQ(*catalogue->add_blob_reference(blob_row, 1), 2);
  EXPECT_EQ(*catalogue->add_blob_reference(blob_row, -1), 1);
  EXPECT_EQ((*catalogue->find_blob("b"))->checksum, 99u);
  EXPECT_EQ(*catalogue->add_blob_reference(blob_row, -1), 0);
  EXPECT_FALSE(*catalogue->find_blob("b"));
}

TEST_F(CatalogueTest, ADelimitedListingOfManyKeysCostsWhatItReturns) {
  ASSERT_TRUE(catalogue->begin());
  for (int folder = 0; folder < 10; ++folder) {
    for (int n = 0; n < 10'000; ++n) {
      const auto key = fmt::format("f{}/{:06}", folder, n);
      ASSERT_TRUE(catalogue->insert_current(version(key, 1)));
    }
  }
  ASSERT_TRUE(catalogue->commit());
  // The fastest of nine, which leaves out what else the machine did meanwhile.
  const auto time = [&](const KeyQuery& query) {
    auto fastest = std::chrono::steady_clock::duration::max();
    auto page = catalogue->list(query);
    for (int run = 0; run < 9; ++run) {
      const auto start = std::chrono::steady_clock::now();
      page = catalogue->list(query);
      fastest = std::min(fastest, std::chrono::steady_clock::now() - start);
      EXPECT_TRUE(page);
    }
    return std::pair(std::move(*page), fastest);
  };
  const auto [whole, whole_time] = time({1, "", "", "", 200'000});
  const auto [folders, folders_time] = time({1, "", "/", "", 1000});
  EXPECT_EQ(whole.versions.size(), 100'000u);
  EXPECT_EQ(folders.common_prefixes.size(), 10u);
  EXPECT_FALSE(folders.truncated);
  // A scan would take as long as the whole listing; ten seeks take a thousandth of it.
  EXPECT_LT(folders_time * 10, whole_time);
}

TEST_F(CatalogueTest, AKeyThatEndsInTheHighestByteIsSkippedAsAPrefixToo) {
  for (const std::string& key : {std::string("\xff\xff"
                                             "1"),
                                 std::string("\xff\xff"
                                             "2")}) {
    ASSERT_TRUE(catalogue->insert_current(version(key, 1)));
  }
  auto page = catalogue->list({1, "", "\xff\xff", "", 10});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->common_prefixes, std::vector<std::string>{"\xff\xff"});
  EXPECT_FALSE(page->truncated);
}

TEST_F(CatalogueTest, VersionsOfBothTablesComeNewestFirstAndPageAnywhere) {
  ASSERT_TRUE(catalogue->insert_old(version("a", 1)));
  ASSERT_TRUE(catalogue->insert_old(version("a", 2, true)));
  ASSERT_TRUE(catalogue->insert_old(version("b", 3)));
  ASSERT_TRUE(catalogue->insert_current(version("b", 4)));
  ASSERT_TRUE(catalogue->insert_current(version("c", 5)));
  std::vector<std::string> seen;
  VersionQuery query{1, "", "", "", std::nullopt, 1};
  for (;;) {
    auto page = catalogue->list_versions(query);
    ASSERT_TRUE(page && page->versions.size() == 1);
    const auto& row = page->versions[0];
    seen.push_back(fmt::format("{}{}{}", row.key, row.sequence, row.latest ? "*" : ""));
    if (!page->truncated) break;
    query.key_marker = page->next_key;
    query.sequence_marker = row.sequence;
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"a2*", "a1", "b4*", "b3", "c5*"}));
}

}  // namespace
}  // namespace holdfast::index
