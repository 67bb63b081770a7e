#include "index/database.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace holdfast::index {
namespace {

class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-db-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    directory = pattern;
  }
  ~DatabaseTest() override { std::filesystem::remove_all(directory); }
  std::string path() const { return directory + "/test.db"; }

  std::string directory;
};

TEST_F(DatabaseTest, BytesCompareAsMemcmpDoes) {
  auto db = Database::open(":memory:");
  ASSERT_TRUE(db && db->run("CREATE TABLE t(k BLOB PRIMARY KEY) WITHOUT ROWID"));
  auto insert = db->prepare("INSERT INTO t VALUES(?)");
  for (const std::string& key :
       {std::string("b"), std::string("a\xff"), std::string("a\0z", 3), std::string("a")}) {
    ASSERT_TRUE(insert->execute(blob(key)));
  }
  auto rows = db->prepare("SELECT k FROM t WHERE k>=? ORDER BY k");
  rows->start(blob("a"));
  std::vector<std::string> keys;
  while (*rows->step()) keys.push_back(rows->string(0));
  EXPECT_EQ(keys, (std::vector<std::string>{"a", std::string("a\0z", 3), "a\xff", "b"}));
}

TEST_F(DatabaseTest, ATransactionThatIsNotCommittedHasNotHappened) {
  auto db = Database::open(path());
  ASSERT_TRUE(db && db->run("CREATE TABLE t(x)"));
  {
    auto transaction = Transaction::begin(*db);
    ASSERT_TRUE(transaction && db->run("INSERT INTO t VALUES(1)"));
  }
  {
    auto transaction = Transaction::begin(*db);
    ASSERT_TRUE(transaction && db->run("INSERT INTO t VALUES(2)") && transaction->commit());
  }
  auto row = db->prepare("SELECT group_concat(x) FROM t");
  ASSERT_TRUE(*row->step());
  EXPECT_EQ(row->string(0), "2");
}

TEST_F(DatabaseTest, AKeptStatementIsTheSameOneAndSurvivesChangesOfTheSchemaAndAMove) {
  auto opened = Database::open(path());
  ASSERT_TRUE(opened && opened->run("CREATE TABLE t(x); INSERT INTO t VALUES(1)"));
  const std::string text = "SELECT * FROM t";
  auto first = opened->kept(text);
  ASSERT_TRUE(first && *(*first)->step());
  (*first)->reset();
  ASSERT_TRUE(opened->run("ALTER TABLE t ADD COLUMN y DEFAULT 7"));
  Database moved = std::move(*opened);
  auto again = moved.kept(std::string(text));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *first);
  ASSERT_TRUE(*(*again)->step());
  EXPECT_EQ((*again)->integer(1), 7);
  (*again)->reset();
  EXPECT_FALSE(moved.kept("SELECT nonsense"));
}

TEST_F(DatabaseTest, AConstraintIsAConflict) {
  auto db = Database::open(":memory:");
  ASSERT_TRUE(db && db->run("CREATE TABLE t(x UNIQUE); INSERT INTO t VALUES(1)"));
  EXPECT_EQ(db->run("INSERT INTO t VALUES(1)").error().code, ErrorCode::conflict);
}

TEST_F(DatabaseTest, AFileThatIsNoDatabaseIsCorrupted) {
  {
    std::ofstream(path()) << std::string(8192, 'x');
  }
  auto db = Database::open(path());
  ASSERT_FALSE(db);
  EXPECT_EQ(db.error().code, ErrorCode::corrupted);
}

TEST_F(DatabaseTest, MigrationsRunOnceEachAndANewerFileIsLeftAlone) {
  const char* one[] = {"CREATE TABLE a(x); INSERT INTO a VALUES(1)"};
  const char* two[] = {one[0], "ALTER TABLE a ADD COLUMN y DEFAULT 7"};
  {
    auto db = Database::open(path());
    ASSERT_TRUE(db && db->migrate(one) && db->migrate(one));
  }
  auto db = Database::open(path());
  ASSERT_TRUE(db && db->migrate(two));
  EXPECT_EQ(*db->user_version(), 2);
  auto rows = db->prepare("SELECT x,y FROM a");
  ASSERT_TRUE(*rows->step());
  EXPECT_EQ(rows->integer(1), 7);
  EXPECT_FALSE(*rows->step());
  EXPECT_EQ(db->migrate(one).error().code, ErrorCode::not_supported);
}

TEST_F(DatabaseTest, AFailedMigrationLeavesTheFormerVersion) {
  const char* steps[] = {"CREATE TABLE a(x)", "CREATE TABLE b(x); CREATE TABLE a(x)"};
  auto db = Database::open(path());
  ASSERT_TRUE(db);
  EXPECT_FALSE(db->migrate(steps));
  EXPECT_EQ(*db->user_version(), 1);
  EXPECT_FALSE(db->run("SELECT * FROM b"));
}

}  // namespace
}  // namespace holdfast::index
