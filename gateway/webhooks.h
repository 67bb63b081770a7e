// Webhooks: delivers the events of buckets to the administrator's HTTP endpoints, as their
// notification configurations ask. The store's change feed is the queue: one line a bucket and
// webhook follows it, in order, one event at a time, at least once; how far each has come is
// durable, so what the feed still tells is delivered after a kill. An endpoint that is away delays
// its own lines only. All state lives on one executor; the public methods may be called from any
// thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/random.h"
#include "gateway/notification_rules.h"
#include "store/object_store.h"

namespace holdfast::gateway {

struct WebhookTarget {
  std::string id, url;
  std::string authorization;  // the header's value; empty: none
};

struct WebhookOptions {
  std::vector<WebhookTarget> targets;
  std::string region;
  std::string position_file;
  std::size_t most_lines = 10'000;
  std::chrono::milliseconds first_retry{500}, longest_retry{30'000};  // full jitter between
  // An event of which nobody would take the delivery for so long is given up and counted as lost.
  std::chrono::seconds give_up_after{72 * 3600};
  std::chrono::milliseconds answer_timeout{10'000};
};

class Webhooks {
 public:
  struct Parts {  // all outlive this
    store::ObjectStore& store;
    BlockingPool& pool;
    const Clock& clock;
    Random& random;
  };
  Webhooks(boost::asio::any_io_executor executor, Parts parts, WebhookOptions options);
  ~Webhooks();  // stop() has returned
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

  // Follows what the buckets' configurations ask for, until stop(). On the executor.
  boost::asio::awaitable<void> start();
  boost::asio::awaitable<void> stop();

  // Of a configuration that is to be put; invalid_argument or malformed says what is wrong with it.
  Result<std::vector<NotificationRule>> check(std::string_view xml) const;
  // Before it is stored: lines that are new begin at the feed's present end, durably.
  boost::asio::awaitable<Result<void>> prepare(BucketName bucket,
                                               std::vector<NotificationRule> rules);
  // After it was stored or removed.
  boost::asio::awaitable<void> reload(BucketName bucket);

  // [{bucket, webhook, delivered, failed, lost, waiting_since, error}] for the status, counted
  // since the start. `lost`: events given up, and times that the feed no longer told what had come.
  boost::json::array status() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::gateway
