// What webhooks are sent: the body of an event, and one delivery of it. Internal to
// gateway/webhooks.cc and webhook_line.cc.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "gateway/s3_event_records.h"
#include "net/http_client.h"

namespace holdfast::gateway {

// {"EventName", "Key", "Records":[…]} as MinIO's webhooks have it.
std::string event_body(const store::Change& change, const EventSource& source);

// Never to link-local addresses; it follows no redirects.
net::ClientOptions webhook_client_options();

struct Delivery {
  std::string url, authorization;  // the latter empty: no such header
  std::string body;
  std::chrono::milliseconds timeout;
};
// unavailable or timed_out unless the answer is a 2xx.
boost::asio::awaitable<Result<void>> deliver_event(net::HttpClient& client, Delivery delivery);

}  // namespace holdfast::gateway
