// ChangeWaiters: coroutines on any executor that wait for news of a bucket, woken by the sequencer.
// Thread-safe. Register first, look second, wait third: news in between is not missed.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

namespace holdfast::store {

class ChangeWaiters {
 public:
  class Ticket;

  // The calling coroutine's place in the queue for news of the bucket.
  boost::asio::awaitable<std::shared_ptr<Ticket>> enter(std::uint64_t bucket);
  // Until notify() was called after enter(), or for `limit`.
  static boost::asio::awaitable<void> wait(std::shared_ptr<Ticket> ticket,
                                           std::chrono::milliseconds limit);
  void notify(const std::set<std::uint64_t>& buckets);

 private:
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::vector<std::weak_ptr<Ticket>>> waiting_;
};

}  // namespace holdfast::store
