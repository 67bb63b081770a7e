#include "gateway/webhook_delivery.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/body.h"
#include "base/event.h"
#include "base/fd.h"
#include "gateway/web_request.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;

constexpr std::size_t position_limit = 16u << 20, answer_limit = 64u << 10;
constexpr std::size_t connections_per_target = 16;

}  // namespace

LinePositions read_positions(const std::string& path) {
  LinePositions positions;
  const auto text = read_file(path, position_limit);
  if (!text) return positions;
  boost::system::error_code error;
  const json::value rows = json::parse(*text, error);
  if (error || !rows.is_array()) return positions;
  for (const json::value& row : rows.get_array()) {
    if (!row.is_object()) continue;
    const json::value* bucket = row.get_object().if_contains("bucket");
    const json::value* target = row.get_object().if_contains("webhook");
    const json::value* after = row.get_object().if_contains("after");
    if (!bucket || !target || !after || !bucket->is_string() || !target->is_string()) continue;
    const auto number = after->to_number<std::uint64_t>(error);
    if (error) continue;
    positions[{std::string(bucket->get_string()), std::string(target->get_string())}] = number;
  }
  return positions;
}

std::string write_positions(const LinePositions& positions) {
  json::array rows;
  for (const auto& [name, after] : positions) {
    rows.push_back(
        json::object{{"bucket", name.bucket}, {"webhook", name.target}, {"after", after}});
  }
  return json::serialize(rows);
}

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
