#include "store/restore.h"

#include <fmt/format.h>

#include <map>

#include "store/fault_store.h"
#include "store_test.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

class Restore : public StoreTest {
 protected:
  RestorePlan plan(const std::string& path, TimePoint at) {
    auto made = run(plan_restore(memory_, {bucket_, path}, at));
    EXPECT_EQ(outcome(made), "ok");
    return made.value_or(RestorePlan());
  }
  RestoreReport apply(RestorePlan what, RestoreOptions options = {}) {
    auto report = run(apply_restore(memory_, std::move(what), std::move(options)));
    EXPECT_EQ(outcome(report), "ok");
    return report.value_or(RestoreReport());
  }
  static std::vector<std::string> lines(const RestorePlan& plan) {
    std::vector<std::string> all;
    for (const auto& row : plan.rows) {
      all.push_back(fmt::format("{} {}", to_string(row.action), row.key.value));
    }
    return all;
  }
};

TEST_F(Restore, ADeletedTreeComesBackWithItsMetadata) {
  write(memory_, "alice/docs/", "", {{"mode", "16877"}, {"mtime", "1.5"}});
  for (int i = 0; i < 200; ++i) {
    write(memory_, fmt::format("alice/docs/{:03}", i), fmt::format("text {}", i),
          {{"mode", "33261"}, {"mtime", fmt::format("{}.25", i)}});
  }
  write("alice/other", "stays");
  const auto at = clock_.now();
  for (int i = 0; i < 200; ++i) erase(fmt::format("alice/docs/{:03}", i));
  erase("alice/docs/");

  const auto made = plan("alice/docs", at);
  EXPECT_EQ(made.copies, 201u);
  EXPECT_EQ(made.kept, 0u);
  const auto report = apply(made);
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.copied, 201u);
  EXPECT_EQ(report.actual_root, report.expected_root);
  EXPECT_EQ(text("alice/docs/123"), "text 123");
  const auto info = run(memory_.head({.bucket = bucket_, .key = ObjectKey("alice/docs/123")}));
  EXPECT_EQ(info->info.attributes.metadata.at("mtime"), "123.25");
  EXPECT_EQ(info->info.attributes.metadata.at("mode"), "33261");
  EXPECT_EQ(versions("alice/other"), 1u) << "what is outside is not touched";
}

TEST_F(Restore, EachKeyGoesBackToWhatItWasThen) {
  write("d/changed", "old");
  write("d/deleted", "old");
  write("d/kept", "old");
  write("d/gone before", "x");
  erase("d/gone before");
  const auto at = clock_.now();
  write("d/changed", "new");
  erase("d/deleted");
  write("d/created", "new");
  write("d/brief", "new");
  erase("d/brief");

  const auto made = plan("d", at);
  EXPECT_EQ(lines(made), (std::vector<std::string>{"restore d/changed", "remove d/created",
                                                   "restore d/deleted", "keep d/kept"}));
  EXPECT_EQ(made.rows[0].reason, RestoreReason::changed_since);
  EXPECT_EQ(made.rows[1].reason, RestoreReason::created_since);
  EXPECT_EQ(made.rows[2].reason, RestoreReason::deleted_since);
  EXPECT_TRUE(explain(made.rows[2]).starts_with("deleted at 2026-11-22T"));
  const auto report = apply(made);
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.kept, 1u);
  EXPECT_EQ(text("d/changed"), "old");
  EXPECT_EQ(text("d/deleted"), "old");
  EXPECT_EQ(text("d/created"), "<no such key>");
  EXPECT_EQ(versions("d/kept"), 1u);
}

TEST_F(Restore, ARestoreIsUndoneByAnother) {
  write("d/a", "one");
  const auto early = clock_.now();
  write("d/a", "two");
  write("d/b", "new");
  const auto late = clock_.now();
  clock_.advance(1min);
  EXPECT_TRUE(apply(plan("d", early)).complete());
  EXPECT_EQ(text("d/a"), "one");
  EXPECT_EQ(text("d/b"), "<no such key>");
  clock_.advance(1min);
  EXPECT_TRUE(apply(plan("d", late)).complete());
  EXPECT_EQ(text("d/a"), "two");
  EXPECT_EQ(text("d/b"), "new");
}

TEST_F(Restore, OfVersionsWithOneTimeTheLaterCounts) {
  write("a", "first");
  const auto at = clock_.now();
  for (const char* text : {"second", "third"}) {
    clock_.set(at - 1s);
    write("a", text);
  }
  EXPECT_EQ(clock_.now(), at);
  clock_.advance(1s);
  write("a", "later");
  EXPECT_TRUE(apply(plan("a", at)).complete());
  EXPECT_EQ(text("a"), "third");
}

TEST_F(Restore, APathCoversItselfAndWhatIsBelowOnly) {
  for (const char* key : {"docs", "docs/", "docs/a", "docs-2/a", "docs2"}) write(key, "v");
  const auto at = clock_.now();
  for (const char* key : {"docs", "docs/", "docs/a", "docs-2/a", "docs2"}) erase(key);
  EXPECT_EQ(lines(plan("docs", at)),
            (std::vector<std::string>{"restore docs", "restore docs/", "restore docs/a"}));
  EXPECT_EQ(lines(plan("docs/", at)),
            (std::vector<std::string>{"restore docs/", "restore docs/a"}));
  EXPECT_EQ(plan("", at).rows.size(), 5u);
  EXPECT_EQ(outcome(run(plan_restore(memory_, {bucket_, "doc"}, at))), "no such key");
}

TEST_F(Restore, DirectoriesAboveComeBackWhereTheyWereDeletedToo) {
  write("alice/", "");
  write("alice/p/", "");
  write("alice/p/f", "text");
  const auto at = clock_.now();
  erase("alice/p/f");
  erase("alice/p/");
  const auto made = plan("alice/p/f", at);
  EXPECT_EQ(lines(made), (std::vector<std::string>{"restore alice/p/", "restore alice/p/f"}));
  EXPECT_EQ(made.rows[0].reason, RestoreReason::needed_parent);
  EXPECT_TRUE(apply(made).complete());
  EXPECT_EQ(text("alice/p/"), "");
  EXPECT_EQ(text("alice/p/f"), "text");
}

TEST_F(Restore, AFileTakesItsNameBackFromADirectory) {
  write("d/name", "file");
  const auto at = clock_.now();
  erase("d/name");
  write("d/name/", "");
  write("d/name/inside", "new");
  EXPECT_TRUE(apply(plan("d", at)).complete());
  EXPECT_EQ(text("d/name"), "file");
  EXPECT_EQ(text("d/name/"), "<no such key>");
  EXPECT_EQ(text("d/name/inside"), "<no such key>");
}

TEST_F(Restore, EqualContentWrittenAgainIsKept) {
  write("d/a", "same");
  const auto at = clock_.now();
  write("d/a", "same");
  const auto made = plan("d", at);
  ASSERT_EQ(made.rows.size(), 1u);
  EXPECT_EQ(made.rows[0].reason, RestoreReason::same_content);
  EXPECT_TRUE(apply(made).complete());
  EXPECT_EQ(versions("d/a"), 2u);
}

TEST_F(Restore, BesideLeavesThePresentAlone) {
  write("d/a", "old a");
  write("d/sub/b", "old b");
  const auto at = clock_.now();
  write("d/a", "new a");
  erase("d/sub/b");
  const auto report = apply(plan("d/", at), {.beside = "d restored/"});
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.copied, 2u);
  EXPECT_EQ(text("d restored/a"), "old a");
  EXPECT_EQ(text("d restored/sub/b"), "old b");
  EXPECT_EQ(text("d/a"), "new a");
  EXPECT_EQ(text("d/sub/b"), "<no such key>");
}

TEST_F(Restore, AKeyThatChangedAfterThePlanIsLeftAndReported) {
  write("d/a", "old");
  write("d/b", "old");
  const auto at = clock_.now();
  write("d/a", "new");
  write("d/b", "new");
  const auto made = plan("d", at);
  write("d/a", "newest");
  const auto report = apply(made);
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.failed, 1u);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].key.value, "d/a");
  EXPECT_EQ(report.failures[0].error.code, ErrorCode::precondition_failed);
  EXPECT_NE(report.actual_root, report.expected_root);
  EXPECT_EQ(text("d/a"), "newest");
  EXPECT_EQ(text("d/b"), "old");
}

TEST_F(Restore, ARowThatFailsStopsNoOther) {
  for (int i = 0; i < 10; ++i) write(fmt::format("d/{}", i), "v");
  const auto at = clock_.now();
  for (int i = 0; i < 10; ++i) erase(fmt::format("d/{}", i));
  ScriptedFaults faults;
  faults.add(Operation::write, {.kind = Fault::Kind::before});
  FaultStore broken(memory_, faults);
  const auto made = plan("d", at);
  const auto report = run(apply_restore(broken, made, {.concurrency = 3}));
  ASSERT_EQ(outcome(report), "ok");
  EXPECT_EQ(report->copied, 9u);
  EXPECT_EQ(report->failed, 1u);
  EXPECT_TRUE(apply(plan("d", at)).complete()) << "a second run does the rest";
}

TEST_F(Restore, AnyMomentOfARandomHistoryComesBackExactly) {
  using Tree = std::map<std::string, std::string>;
  const std::vector<std::string> names = {"a", "a/", "a/b", "a/b/", "a/b/c", "a-", "b", "b/\xff"};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    SeededRandom random(seed);
    const std::string root = fmt::format("{}/", seed);
    Tree tree;
    std::vector<std::pair<TimePoint, Tree>> moments;
    for (int step = 0; step < 60; ++step) {
      const auto& name = names[random.below(names.size())];
      if (random.below(3) == 0) {
        erase(root + name);
        tree.erase(name);
      } else {
        tree[name] = fmt::format("{}", random.below(4));
        write(root + name, tree[name]);
      }
      moments.emplace_back(clock_.now(), tree);
    }
    for (int round = 0; round < 5; ++round) {
      const auto& [at, then] = moments[random.below(moments.size())];
      clock_.advance(1s);
      ASSERT_TRUE(apply(plan(root, at), {.concurrency = 4}).complete());
      Tree now;
      const auto page = run(memory_.list({.bucket = bucket_, .prefix = root}));
      for (const auto& info : page->objects) {
        now[info.key.value.substr(root.size())] = text(info.key.value);
      }
      EXPECT_EQ(now, then);
    }
  }
}

TEST_F(Restore, APlanThatCannotReadTheStoreIsNoPlan) {
  write("d/a", "v");
  ScriptedFaults faults;
  faults.add(Operation::list, {.kind = Fault::Kind::before});
  FaultStore broken(memory_, faults);
  EXPECT_EQ(outcome(run(plan_restore(broken, {bucket_, "d/"}, clock_.now()))), "unavailable");
}

}  // namespace
}  // namespace holdfast::store
