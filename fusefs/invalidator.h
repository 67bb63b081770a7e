// Invalidator: tells the kernel to drop what it caches, from a thread of its own, since the kernel
// may make such a call wait for a request that is being served. Posting never blocks: the queue is
// bounded, and what does not fit becomes one "drop everything that is known". Any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

#include "fusefs/reply.h"

namespace holdfast::fusefs {

class Invalidator {
 public:
  // Run on the invalidator's thread.
  struct Actions {
    std::function<void(const std::string&)> entry;    // the name at this path, and what it names
    std::function<void(const std::string&)> content;  // pages and attributes of the file there
    std::function<void(NodeId)> attributes;
    std::function<void()> everything;
  };
  Invalidator(Actions actions, std::size_t limit);
  ~Invalidator();  // stop()
  Invalidator(const Invalidator&) = delete;
  Invalidator& operator=(const Invalidator&) = delete;

  void entry(const std::string& path) { post({Kind::entry, path, 0}); }
  void content(const std::string& path) { post({Kind::content, path, 0}); }
  void attributes(NodeId node) { post({Kind::attributes, {}, node}); }
  void wait_idle();
  void stop();  // drops what waits, and all that is posted later; idempotent

 private:
  enum class Kind : char { entry = 'e', content = 'c', attributes = 'a' };
  struct Item {
    Kind kind;
    std::string path;
    NodeId node;
  };
  static std::string identity(const Item& item);
  void post(Item item);
  void run();

  Actions actions_;
  std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;
  std::unordered_set<std::string> queued_;
  bool everything_ = false, stopping_ = false, busy_ = false;
  std::thread thread_;
};

}  // namespace holdfast::fusefs
