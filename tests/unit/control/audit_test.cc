#include "control/audit.h"

#include "index/database.h"
#include "tests/unit/control/fixtures.h"

namespace holdfast::control {
namespace {

using testing::administrator;

class AuditTest : public testing::RegistryTest {
 protected:
  AuditTest() {
    for (int i = 0; i < 20; ++i) {
      registry->audit().record({.actor = PrincipalName("bob"),
                                .action = "s3.denied",
                                .target = fmt::format("research/{}", i),
                                .outcome = "denied",
                                .grant = 5,
                                .request_id = "r",
                                .source = "127.0.0.1",
                                .detail = R"({"method":"GET"})"});
    }
    registry->audit().flush();
  }
  AuditVerdict verify() {
    auto verdict = registry->audit().verify();
    EXPECT_TRUE(verdict) << verdict.error().context;
    return *verdict;
  }
  // What somebody with the file in hand may do.
  void tamper(const std::string& sql) {
    auto database = index::Database::open(directory.path + "/registry.db");
    ASSERT_TRUE(database);
    auto done = database->run(
        "DROP TRIGGER IF EXISTS audit_no_update;"
        "DROP TRIGGER IF EXISTS audit_no_delete;" +
        sql);
    ASSERT_TRUE(done) << done.error().context;
  }
};

TEST_F(AuditTest, AnUntouchedLogVerifies) {
  const auto verdict = verify();
  EXPECT_TRUE(verdict.ok()) << verdict.reason;
  EXPECT_GE(verdict.events, 20u);
  EXPECT_EQ(verdict.head.size(), 64u);
}

TEST_F(AuditTest, AnyChangedFieldIsFoundAtItsRow) {
  for (const auto* column :
       {"time=time+1", "actor=x'6576'", "on_behalf_of=x'61'", "action=x'61'", "target=x'61'",
        "outcome=x'6f6b'", "grant_id=grant_id+1", "request_id=x'61'", "source=x'61'",
        "detail=x'61'", "hash=zeroblob(32)"}) {
    auto fresh = std::make_unique<testing::TemporaryDirectory>();
    std::filesystem::copy_file(directory.path + "/registry.db", fresh->path + "/registry.db");
    if (std::filesystem::exists(directory.path + "/registry.db-wal")) {
      std::filesystem::copy_file(directory.path + "/registry.db-wal",
                                 fresh->path + "/registry.db-wal");
    }
    {
      auto database = index::Database::open(fresh->path + "/registry.db");
      ASSERT_TRUE(database);
      ASSERT_TRUE(database->run(fmt::format(
          "DROP TRIGGER audit_no_update; UPDATE audit SET {} WHERE sequence=10", column)));
    }
    auto opened = Registry::open({.path = fresh->path + "/registry.db"}, clock, random);
    ASSERT_TRUE(opened);
    auto verdict = (*opened)->audit().verify();
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict->first_bad, 10u) << column;
  }
}

TEST_F(AuditTest, ARemovedRowIsFoundInTheMiddleAndAtTheEnd) {
  const auto last = verify().events;
  tamper(fmt::format("DELETE FROM audit WHERE sequence={}", last));
  EXPECT_EQ(verify().first_bad, last) << "the head knows how many there were";
  tamper("DELETE FROM audit WHERE sequence=7");
  EXPECT_EQ(verify().first_bad, 7u);
}

TEST_F(AuditTest, SwappedRowsAreFound) {
  tamper(
      "UPDATE audit SET sequence=1000 WHERE sequence=5;"
      "UPDATE audit SET sequence=5 WHERE sequence=6;"
      "UPDATE audit SET sequence=6 WHERE sequence=1000;");
  EXPECT_EQ(verify().first_bad, 5u);
}

TEST_F(AuditTest, MovingBytesBetweenFieldsIsFound) {
  tamper("UPDATE audit SET actor=x'626f', on_behalf_of=x'62' WHERE sequence=8");
  EXPECT_EQ(verify().first_bad, 8u);
}

TEST_F(AuditTest, TheTableRefusesChangesByItself) {
  auto database = index::Database::open(directory.path + "/registry.db");
  EXPECT_FALSE(database->run("UPDATE audit SET outcome='ok'"));
  EXPECT_FALSE(database->run("DELETE FROM audit"));
}

TEST_F(AuditTest, TailFiltersAndPagesNewestFirst) {
  ASSERT_TRUE(registry->create_principal(administrator(), {PrincipalName("alice")}));
  auto all = registry->audit().tail(5, {});
  ASSERT_EQ(all->size(), 5u);
  EXPECT_GT(all->at(0).sequence, all->at(1).sequence);
  EXPECT_EQ(all->at(0).action, "principal.create");
  auto denied = registry->audit().tail(3, {.action = "s3."});
  ASSERT_EQ(denied->size(), 3u);
  EXPECT_EQ(denied->at(0).target, "research/19");
  EXPECT_EQ(denied->at(0).grant, 5);
  auto next = registry->audit().tail(3, {.action = "s3.", .before = denied->at(2).sequence});
  EXPECT_EQ(next->at(0).target, "research/16");
  EXPECT_TRUE(registry->audit().tail(3, {.actor = PrincipalName("eve")})->empty());
  EXPECT_TRUE(registry->audit().tail(3, {.after = all->at(0).sequence})->empty());
}

TEST_F(AuditTest, FieldsAreBounded) {
  registry->audit().record({.action = "s3.denied",
                            .target = std::string(1 << 20, 'x'),
                            .detail = std::string(1 << 20, 'y')});
  auto events = registry->audit().tail(1, {});
  EXPECT_LE(events->at(0).target.size(), 4096u);
  EXPECT_LE(events->at(0).detail.size(), 4096u);
  EXPECT_TRUE(verify().ok());
}

TEST_F(AuditTest, AFloodDropsEventsButCountsThem) {
  auto& audit = registry->audit();
  const std::size_t flood = AuditLog::queue_limit * 3;
  for (std::size_t i = 0; i < flood; ++i) audit.record({.action = "flood"});
  audit.flush();
  audit.record({.action = "after"});
  audit.flush();
  auto written = audit.tail(flood + 100, {.action = "flood"});
  auto dropped = audit.tail(100, {.action = "audit.dropped"});
  std::size_t counted = 0;
  for (const auto& event : *dropped) {
    counted += std::stoul(event.detail.substr(event.detail.find(':') + 1));
  }
  EXPECT_EQ(written->size() + counted, flood);
  EXPECT_TRUE(verify().ok());
}

}  // namespace
}  // namespace holdfast::control
