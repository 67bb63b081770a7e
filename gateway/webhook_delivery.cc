#include "gateway/webhook_delivery.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/body.h"
#include "base/event.h"
#include "gateway/web_request.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;

constexpr std::size_t answer_limit = 64u << 10;
constexpr std::size_t connections_per_target = 16;

}  // namespace

// There the record's names start with "s3:", and the key is told plainly, where that can be done.
std::string event_body(const store::Change& change, const EventSource& source) {
  json::object record = event_record(change, source);
  std::string key = source.bucket.value + "/" + change.key.value;
  if (!is_utf8(key)) {
    const json::string& encoded = record.at("s3").at("object").at("key").as_string();
    key = source.bucket.value + "/" + std::string(encoded);
  }
  json::object body;
  body["EventName"] = record.at("eventName");
  body["Key"] = std::move(key);
  body["Records"] = json::array{std::move(record)};
  return json::serialize(body);
}

net::ClientOptions webhook_client_options() {
  net::ClientOptions options;
  options.max_connections = connections_per_target;
  options.reach = net::Reach::not_link_local;
  return options;
}

boost::asio::awaitable<Result<void>> deliver_event(net::HttpClient& client, Delivery delivery) {
  using namespace boost::asio::experimental::awaitable_operators;
  net::ClientRequest request;
  request.method = "POST";
  request.url = delivery.url;
  request.headers.add("Content-Type", "application/json");
  request.headers.add("User-Agent", "Holdfast");
  if (!delivery.authorization.empty()) {
    request.headers.add("Authorization", delivery.authorization);
  }
  auto reader = make_string_reader(delivery.body);
  request.body = reader.get();
  request.body_size = delivery.body.size();
  request.head_timeout = delivery.timeout;
  request.stall_timeout = delivery.timeout;
  auto response = co_await client.send(std::move(request));
  if (!response) co_return std::unexpected(response.error());
  // Read, so that the connection can be used again; what it says does not matter.
  if (response->body) {
    (void)co_await (read_all(*response->body, answer_limit) || sleep_for(delivery.timeout));
  }
  if (response->status / 100 == 2) co_return Result<void>();
  co_return fail(ErrorCode::unavailable, "it answers {}", response->status);
}

}  // namespace holdfast::gateway
