// What Webhooks sends and what it keeps: the body of an event, one delivery, how far each line has
// come. Internal to gateway/webhooks.cc.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "gateway/s3_event_records.h"
#include "net/http_client.h"

namespace holdfast::gateway {

// A bucket's way to one webhook.
struct LineName {
  std::string bucket, target;
  auto operator<=>(const LineName&) const = default;
};
using LinePositions = std::map<LineName, std::uint64_t>;  // delivered up to here

// A file that is missing or cannot be read holds none.
LinePositions read_positions(const std::string& path);
std::string write_positions(const LinePositions& positions);

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
