// The store's own threads: what they do beside the writes, and how they end.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <future>
#include <thread>

#include "index/database.h"
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
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(put("data", filler + std::to_string(i), "x"));
  EXPECT_EQ(durable_index_bytes(), before) << "SQLite's own measure is 64 MiB";
  for (int i = 5; i < 30; ++i) ASSERT_TRUE(put("data", filler + std::to_string(i), "x"));
  // The writer is answered before the checkpoint; the next one is judged after it.
  ASSERT_TRUE(put("data", "last", "x"));
  EXPECT_GT(durable_index_bytes(), before);
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
