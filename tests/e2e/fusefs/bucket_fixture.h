// A bucket view mounted for real over a store in memory, with grants that the test sets and a store
// that it can take away.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/event.h"
#include "fusefs/bucket_fs.h"
#include "fusefs/session.h"
#include "store/fault_store.h"
#include "store/memory_store.h"

namespace holdfast::fusefs::testing {

class FakeAccess final : public store::AccessFeed {
 public:
  explicit FakeAccess(boost::asio::any_io_executor executor) : changed_(std::move(executor)) {}
  store::Async<store::AccessPage> access(std::uint64_t after_epoch,
                                         std::chrono::milliseconds wait) override;
  void set(std::vector<store::VisibleEntry> visible);  // on the executor

 private:
  std::uint64_t epoch_ = 1;
  std::vector<store::VisibleEntry> visible_;
  Event changed_;
};

// Fails everything while `down`.
class Switch final : public store::FaultPlan {
 public:
  store::Fault next(store::Operation operation) override;
  std::atomic<bool> down{false};
  std::atomic<std::uint64_t> reads{0};
};

class BucketMount {
 public:
  BucketMount();
  ~BucketMount();

  std::string at(const std::string& name) const { return mount_point + "/" + name; }
  void grant(std::vector<store::VisibleEntry> visible);
  void put(const std::string& bucket, const std::string& key, const std::string& content);
  // The object's content, or nullopt.
  std::optional<std::string> get(const std::string& bucket, const std::string& key);
  std::vector<std::string> keys(const std::string& bucket);

  template <class T>
  T run(boost::asio::awaitable<T> work) {
    return boost::asio::co_spawn(context, std::move(work), boost::asio::use_future).get();
  }

  boost::asio::io_context context{1};
  SystemClock clock;
  SystemRandom random;
  std::string directory, mount_point;
  Switch network;
  std::unique_ptr<store::MemoryStore> memory;
  std::unique_ptr<store::FaultStore> store;
  std::unique_ptr<FakeAccess> access;
  std::shared_ptr<BucketFs> files;
  std::unique_ptr<Session> session;

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      context.get_executor()};
  std::thread thread_;
};

}  // namespace holdfast::fusefs::testing
