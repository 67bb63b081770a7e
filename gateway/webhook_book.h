// The book of the webhooks' lines: how far each has come, kept in a file, and what became of its
// events since the start, for the status. Internal to gateway/webhooks.cc and webhook_line.cc. All
// on one executor, but for rows().
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>
#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/event.h"

namespace holdfast::gateway {

// A bucket's way to one webhook.
struct LineName {
  std::string bucket, target;
  auto operator<=>(const LineName&) const = default;
};

struct LineReport {
  std::uint64_t delivered = 0, failed = 0, lost = 0;
  TimePoint waiting_since{};  // of the event that nobody takes; epoch: none
  std::string error;
};

class WebhookBook {
 public:
  // A file that is missing or cannot be read holds none. `pool` outlives the book.
  WebhookBook(boost::asio::any_io_executor executor, BlockingPool& pool, std::string file);

  std::size_t size() const { return positions_.size(); }
  bool knows(const LineName& name) const { return positions_.contains(name); }
  std::uint64_t position(const LineName& name) const { return positions_.at(name); }
  // False: it is there already, and stays where it is.
  bool add(LineName name, std::uint64_t position);
  void advance(const LineName& name, std::uint64_t position);
  void forget(const LineName& name);
  // Forgets those without a report: nobody follows them any more.
  void forget_unfollowed();

  // Whether anything changed since the last save began.
  bool dirty() const { return dirty_; }
  // What was changed before this call is durable when it returns.
  boost::asio::awaitable<Result<void>> save();

  void open_report(const LineName& name);
  template <class Change>
  void note(const LineName& name, Change change) {
    const std::scoped_lock lock(mutex_);
    if (const auto at = reports_.find(name); at != reports_.end()) change(at->second);
  }
  // As Webhooks::status() has it. Any thread.
  boost::json::array rows() const;

 private:
  BlockingPool& pool_;
  std::string file_;
  std::map<LineName, std::uint64_t> positions_;  // delivered up to here
  Event saved_;
  bool dirty_ = false, saving_ = false;
  mutable std::mutex mutex_;
  std::map<LineName, LineReport> reports_;  // guarded by mutex_
};

}  // namespace holdfast::gateway
