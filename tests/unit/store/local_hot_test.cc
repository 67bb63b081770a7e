// The cache of latest versions alone, and under it a store whose readers and writer race.
#include "store/local_hot.h"

#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

constexpr std::size_t roomy = 1u << 20;

std::shared_ptr<const HotObject> object(const std::string& bucket, const std::string& key,
                                        std::string body = "body") {
  HotObject made;
  made.bucket = BucketName(bucket);
  made.info.key = ObjectKey(key);
  made.body = std::move(body);
  return std::make_shared<const HotObject>(std::move(made));
}

TEST(HotObjects, GivesBackWhatWasKeptOfThatBucketOnly) {
  HotObjects hot(roomy);
  hot.keep(hot.ticket("k"), object("one", "k"));
  ASSERT_TRUE(hot.find(BucketName("one"), "k"));
  EXPECT_FALSE(hot.find(BucketName("two"), "k"));
  EXPECT_FALSE(hot.find(BucketName("one"), "other"));
  hot.keep(hot.ticket("k"), object("two", "k"));
  EXPECT_TRUE(hot.find(BucketName("two"), "k"));
  EXPECT_FALSE(hot.find(BucketName("one"), "k"));
  hot.forget("k");
  EXPECT_FALSE(hot.find(BucketName("two"), "k"));
}

class HotStore : public LocalStoreTest {};

TEST_F(HotStore, ABodyThatIsBeingSentIsTheOneThatWasRead) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "k", "the old body"));
  ASSERT_EQ(*get("data", "k"), "the old body");
  auto sent = get_result(get_request("data", "k"));
  ASSERT_TRUE(sent);
  ASSERT_TRUE(std::holds_alternative<SharedText>(sent->body)) << "from memory, without a copy";
  auto request = get_request("data", "k");
  request.range = ByteRange{.first = 4, .last = 6};
  auto part = get_result(request);
  ASSERT_TRUE(part);
  ASSERT_TRUE(put("data", "k", "another"));
  EXPECT_EQ(*get("data", "k"), "another");
  close();
  EXPECT_EQ(*bytes_of(sent->body), "the old body");
  EXPECT_EQ(*text_of(std::move(sent)), "the old body");
  EXPECT_EQ(*text_of(std::move(part)), "old");
}

TEST(HotObjects, RefusesWhatWasLookedUpBeforeACommit) {
  HotObjects hot(roomy);
  const auto before = hot.ticket("k");
  {
    const HotObjects::ClosedKeys commit(hot, {"k"});
  }
  hot.keep(before, object("one", "k"));
  EXPECT_FALSE(hot.find(BucketName("one"), "k"));
  hot.keep(hot.ticket("k"), object("one", "k"));
  EXPECT_TRUE(hot.find(BucketName("one"), "k"));
}

TEST(HotObjects, NeitherAnswersNorKeepsAKeyWhileItIsClosed) {
  HotObjects hot(roomy);
  hot.keep(hot.ticket("k"), object("one", "k"));
  HotObjects::Ticket meanwhile;
  {
    const HotObjects::ClosedKeys commit(hot, {"k", "k"});
    EXPECT_FALSE(hot.find(BucketName("one"), "k"));
    hot.keep(hot.ticket("k"), object("one", "k"));
    EXPECT_FALSE(hot.find(BucketName("one"), "k"));
    meanwhile = hot.ticket("k");
  }
  // What was looked up while it was closed may be the state before the commit.
  hot.keep(meanwhile, object("one", "k"));
  EXPECT_FALSE(hot.find(BucketName("one"), "k"));
  hot.keep(hot.ticket("k"), object("one", "k"));
  EXPECT_TRUE(hot.find(BucketName("one"), "k"));
}

TEST(HotObjects, KeepsWithinItsBytesAndPrefersWhatIsUsed) {
  HotObjects hot(roomy);
  const std::string favourite = "favourite";
  hot.keep(hot.ticket(favourite), object("b", favourite));
  std::size_t kept = 0;
  for (int n = 0; n < 2000; ++n) {
    const std::string key = fmt::format("key-{}", n);
    hot.keep(hot.ticket(key), object("b", key, std::string(4000, 'x')));
    ASSERT_TRUE(hot.find(BucketName("b"), favourite)) << n;
  }
  for (int n = 0; n < 2000; ++n) {
    if (hot.find(BucketName("b"), fmt::format("key-{}", n))) ++kept;
  }
  EXPECT_GT(kept, 100u);
  EXPECT_LT(kept * 4000, roomy);
  hot.keep(hot.ticket("huge"), object("b", "huge", std::string(roomy, 'x')));
  EXPECT_FALSE(hot.find(BucketName("b"), "huge"));
}

TEST(HotObjects, WithoutCapacityKeepsNothing) {
  HotObjects hot(0);
  hot.keep(hot.ticket("k"), object("b", "k"));
  EXPECT_FALSE(hot.find(BucketName("b"), "k"));
}

class HotStoreTest : public LocalStoreTest {};

TEST_F(HotStoreTest, ReadersNeverGoBackInTimeWhileAWriterReplaces) {
  open();
  make_bucket("data");
  constexpr int writes = 300;
  ASSERT_TRUE(put("data", "k", "0"));
  std::atomic<int> acknowledged = 0;
  std::atomic<bool> wrong = false;
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&] {
      int last = 0;
      while (acknowledged < writes && !wrong) {
        const int known = acknowledged;
        const auto text = get("data", "k");
        const int seen = text ? std::stoi(*text) : -1;
        if (seen < known || seen < last) wrong = true;
        last = seen;
      }
    });
  }
  for (int n = 1; n <= writes && !wrong; ++n) {
    if (!put("data", "k", std::to_string(n))) wrong = true;
    acknowledged = n;
  }
  acknowledged = writes;
  for (auto& reader : readers) reader.join();
  EXPECT_FALSE(wrong);
}

TEST_F(HotStoreTest, ADeletedOrRetaggedObjectIsNotAnsweredFromMemory) {
  open();
  make_bucket("data", Versioning::enabled);
  ASSERT_TRUE(put("data", "k", "one"));
  EXPECT_EQ(*get("data", "k"), "one");
  ASSERT_TRUE(run(store->set_tags(BucketName("data"), ObjectKey("k"), std::nullopt, {{"a", "b"}})));
  auto tagged = get_result(get_request("data", "k"));
  ASSERT_TRUE(tagged);
  EXPECT_EQ(tagged->info.attributes.tags.at("a"), "b");
  ASSERT_TRUE(remove("data", "k"));
  EXPECT_EQ(get("data", "k").error().code, ErrorCode::no_such_key);
  ASSERT_TRUE(put("data", "k", "two"));
  EXPECT_EQ(*get("data", "k"), "two");
}

TEST_F(HotStoreTest, ARangeOfAnObjectInMemoryIsThatRange) {
  open();
  make_bucket("data");
  ASSERT_TRUE(put("data", "k", "0123456789"));
  EXPECT_EQ(*get("data", "k"), "0123456789");
  auto request = get_request("data", "k");
  request.range = ByteRange{.first = 2, .last = 4};
  EXPECT_EQ(*text_of(get_result(request)), "234");
}

}  // namespace
}  // namespace holdfast::store
