// One line of the webhooks: follows a bucket's changes and delivers those that its rules want to
// one endpoint, in order, one at a time. Internal to gateway/webhooks.cc; on its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/event.h"
#include "gateway/webhook_book.h"
#include "gateway/webhooks.h"
#include "net/http_client.h"

namespace holdfast::gateway {

struct WebhookEndpoint {
  WebhookTarget target;
  std::unique_ptr<net::HttpClient> client;
};

class WebhookLine {
 public:
  struct Parts {  // all outlive the line
    store::ObjectStore& store;
    const Clock& clock;
    Random& random;
    const WebhookOptions& options;
    WebhookBook& book;
    WebhookEndpoint& endpoint;
  };
  // The book knows the line and how far it has come.
  WebhookLine(boost::asio::any_io_executor executor, LineName name, Parts parts);

  const LineName& name() const { return name_; }
  void set_rules(std::vector<NotificationRule> rules) { rules_ = std::move(rules); }

  enum class End : std::uint8_t { told, bucket_gone };
  // Until it is told to end, or its bucket is gone.
  boost::asio::awaitable<End> follow();
  // The server stops: what is being delivered still counts.
  void stop();
  // Nobody wants the line any more: the book hears nothing of it from now on.
  void drop();

 private:
  boost::asio::awaitable<Result<void>> follow_page();
  boost::asio::awaitable<bool> deliver(const store::Change& change, std::string rule_id);
  bool give_up(const store::Change& change);
  void advance(std::uint64_t position);

  LineName name_;
  Parts parts_;
  std::vector<NotificationRule> rules_;
  std::uint64_t position_;  // delivered up to here
  bool over_ = false, dropped_ = false;
  Event woken_;
};

}  // namespace holdfast::gateway
