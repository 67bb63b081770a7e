// Invalidator: tells the kernel to drop what it caches, from a thread of its own, since the kernel
// may make such a call wait for a request that is being served. Posting never blocks: the queue is
// bounded, and what does not fit becomes one "drop everything that is known". Any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

namespace holdfast::fusefs {

class Invalidator {
 public:
  // `everything` takes the place of what did not fit.
  Invalidator(std::function<void()> everything, std::size_t limit);
  ~Invalidator();  // stop()
  Invalidator(const Invalidator&) = delete;
  Invalidator& operator=(const Invalidator&) = delete;

  // Runs `action` on the invalidator's thread; once, if the same identity waits already.
  void post(std::string identity, std::function<void()> action);
  void wait_idle();
  void stop();  // drops what waits, and all that is posted later; idempotent

 private:
  struct Item {
    std::string identity;
    std::function<void()> action;
  };
  void run();

  std::function<void()> everything_action_;
  std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;
  std::unordered_set<std::string> queued_;
  bool everything_ = false, stopping_ = false, busy_ = false;
  std::thread thread_;
};

}  // namespace holdfast::fusefs
