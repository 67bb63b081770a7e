// The store's own threads: what they do beside the writes, and how they end.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "index/database.h"
#include "store/local_sequencer.h"
#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

namespace asio = boost::asio;

class LocalThreads : public LocalStoreTest {
 protected:
  std::uintmax_t durable_index_bytes() const {
    return std::filesystem::file_size(options().directory + "/index/catalogue.db");
  }
};

TEST_F(LocalThreads, TheIndexBecomesDurableAfterACountOfWrites) {
  auto wanted = options();
  wanted.checkpoint_records = 10;
  open(wanted);
  make_bucket("data");
  const auto before = durable_index_bytes();
  const std::string filler(900, 'k');
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(put("data", filler + std::to_string(i), "x"));
  EXPECT_EQ(durable_index_bytes(), before) << "SQLite's own measure is 64 MiB";
  // It is done beside the writes, but they do not run away from it: after ten more it is waited
  // for.
  for (int i = 3; i < 30; ++i) ASSERT_TRUE(put("data", filler + std::to_string(i), "x"));
  EXPECT_GT(durable_index_bytes(), before);
}

TEST_F(LocalThreads, WhatFailsBesideTheWritesIsDoneBetweenThem) {
  std::filesystem::create_directories(directory.path() + "/log");
  const std::string path = directory.path() + "/catalogue.db";
  auto catalogue = index::Catalogue::open(path, index::Catalogue::Role::unsynced_writer);
  ASSERT_TRUE(catalogue) << catalogue.error().context;
  auto log = LogWriter::open({directory.path() + "/log", 1u << 20, false}, {}, 1);
  ASSERT_TRUE(log) << log.error().context;
  HotObjects hot(0);
  std::atomic<int> asked = 0;
  const auto before = std::filesystem::file_size(path);
  {
    Sequencer sequencer(std::move(*catalogue), std::move(*log), {}, clock, random,
                        {.checkpoint_records = 10},
                        {.hot = hot,
                         .committed = [](const ApplyEffects&) {},
                         .checkpoint_aside = [&]() -> Result<void> {
                           ++asked;
                           return fail(ErrorCode::no_space, "no room beside the writes");
                         }});
    for (int i = 0; i < 40; ++i) {
      auto made = run(sequencer.submit([i](WriteGroup& group) {
        return group.append(CreateBucketOp{std::string(900, 'b') + std::to_string(i), 0, false});
      }));
      ASSERT_TRUE(made) << made.error().context;
    }
    EXPECT_GT(asked.load(), 1);
    EXPECT_GT(std::filesystem::file_size(path), before);
  }
}

// A reader may hold the index's write lock for a moment; here it is held until the write waits.
TEST_F(LocalThreads, AWriteWaitsForTheIndexThatAReaderHolds) {
  open();
  make_bucket("data");
  auto other = index::Database::open(options().directory + "/index/catalogue.db");
  ASSERT_TRUE(other) << other.error().context;
  ASSERT_TRUE(other->run("BEGIN IMMEDIATE"));
  auto answer = std::async(std::launch::async, [&] { return put("data", "k", "x"); });
  EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  ASSERT_TRUE(other->run("ROLLBACK"));
  const auto done = answer.get();
  EXPECT_TRUE(done) << done.error().context;
}

// The group's look at a bucket is remembered, so what changes the bucket has to be seen at once.
TEST_F(LocalThreads, WritesOfOneGroupSeeWhatThoseBeforeThemDidToTheirBucket) {
  open();
  make_bucket("data");
  auto other = index::Database::open(options().directory + "/index/catalogue.db");
  ASSERT_TRUE(other) << other.error().context;
  ASSERT_TRUE(other->run("BEGIN IMMEDIATE"));  // the first write waits; the rest become one group
  asio::io_context context;
  const auto write = [&](std::string key, std::string text) {
    auto reader = std::make_shared<std::unique_ptr<BodyReader>>(make_string_reader(text));
    PutRequest request;
    request.bucket = BucketName("data");
    request.key = ObjectKey(std::move(key));
    request.size = text.size();
    auto done = [](ObjectStore& to, PutRequest what, auto body) -> Async<PutResult> {
      co_return co_await to.put(std::move(what), **body);
    };
    return asio::co_spawn(context, done(*store, std::move(request), reader), asio::use_future);
  };
  auto holder = write("holder", "x");
  auto first = write("k", "one");
  auto enabled = asio::co_spawn(
      context, store->set_versioning(BucketName("data"), Versioning::enabled), asio::use_future);
  auto second = write("k", "two");
  auto third = write("k", "three");
  std::thread io([&] { context.run(); });
  EXPECT_EQ(holder.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  ASSERT_TRUE(other->run("ROLLBACK"));
  io.join();
  ASSERT_TRUE(first.get());
  ASSERT_TRUE(enabled.get());
  const auto versioned = second.get();
  ASSERT_TRUE(versioned);
  EXPECT_FALSE(versioned->version.empty()) << "the bucket keeps versions from here on";
  ASSERT_TRUE(third.get());
  ListVersionsRequest request;
  request.bucket = BucketName("data");
  request.prefix = "k";
  const auto page = run(store->list_versions(request));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->versions.size(), 3u);
  EXPECT_EQ(*get("data", "k"), "three");
  close();  // its threads answered to `context`
}

// Holds whoever asks for the time, once it is told to: a write asks on the sequencer's thread.
class HeldClock final : public Clock {
 public:
  TimePoint now() const override {
    std::unique_lock lock(mutex_);
    if (held_) asked_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    return SystemClock().now();
  }
  MonotonicTime monotonic() const override { return SystemClock().monotonic(); }
  void hold() {
    const std::scoped_lock lock(mutex_);
    held_ = true;
  }
  bool wait_until_asked() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return asked_; });
  }
  void go_on() {
    const std::scoped_lock lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool asked_ = false;
  bool held_ = false;
};

// What the group has written so far is not in the index's sums yet, so it has to be counted beside.
TEST_F(LocalThreads, ManyWritersDoNotPassAQuotaTogether) {
  HeldClock held;
  auto opened = LocalStore::open(options(), held, random);
  ASSERT_TRUE(opened) << opened.error().context;
  store = std::move(*opened);
  make_bucket("data");
  EXPECT_TRUE(run(
      store->set_bucket_document(BucketName("data"), BucketDocument::quota, R"({"bytes":1000})")));
  asio::io_context context;
  std::vector<std::unique_ptr<BodyReader>> bodies;
  int stored = 0, refused = 0;
  const auto write = [&](std::string key) {
    bodies.push_back(make_string_reader("ten bytes."));
    asio::co_spawn(context,
                   store->put({.bucket = BucketName("data"), .key = ObjectKey(std::move(key))},
                              *bodies.back()),
                   [&](const std::exception_ptr&, const Result<PutResult>& done) {
                     ++(done ? stored : refused);
                     if (!done) EXPECT_EQ(done.error().code, ErrorCode::quota_exceeded);
                   });
    context.poll();  // small bodies wait for nothing before they are queued
  };
  held.hold();
  write("first");
  EXPECT_TRUE(held.wait_until_asked());
  // The sequencer has taken that one alone: these become one group.
  for (int n = 0; n < 200; ++n) write(fmt::format("k{}", n));
  held.go_on();
  context.run();
  EXPECT_EQ(stored, 100);
  EXPECT_EQ(refused, 101);
  EXPECT_EQ(list("data").objects.size(), 100u);
  close();  // before the clock
}

// As a server does that ends right after its last answer. Under the sanitizers a thread of the
// store that still held the context was seen in one of some hundred rounds.
TEST_F(LocalThreads, NoneHoldsOnToACallersContextOnceTheStoreIsFinished) {
  for (int round = 0; round < 100; ++round) {
    open();
    auto context = std::make_unique<asio::io_context>(1);
    auto work = std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(
        context->get_executor());
    std::thread io([&] { context->run(); });
    const auto made =
        asio::co_spawn(*context, store->create_bucket(BucketName("data"), false), asio::use_future)
            .get();
    ASSERT_EQ(made.has_value(), round == 0);
    context->stop();
    io.join();
    store->finish();
    work.reset();
    context.reset();
  }
  ASSERT_FALSE(put("data", "late", "x"));
  open();
  EXPECT_TRUE(store->recovery().clean);
}

}  // namespace
}  // namespace holdfast::store
