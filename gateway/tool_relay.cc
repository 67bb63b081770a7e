#include "gateway/tool_relay.h"

#include <algorithm>
#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/encoding.h"
#include "gateway/web_cookies.h"
#include "net/http_answer.h"
#include "net/stream_client.h"
#include "s3/names.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds connect_limit{5'000};

// Fields by which proxies tell who a client is. A tool that trusts them must only ever see ours;
// some frameworks read '_' as '-' (CVE-2025-64484).
bool is_identity_field(std::string_view name) {
  std::string lower = s3::ascii_lower(name);
  std::ranges::replace(lower, '_', '-');
  constexpr std::array exact = {"forwarded",   "x-real-ip", "x-client-ip",  "true-client-ip",
                                "remote-user", "via",       "x-remote-user"};
  return lower.starts_with("x-forwarded-") || lower.starts_with("x-holdfast-") ||
         lower.starts_with("x-auth-request-") || std::ranges::find(exact, lower) != exact.end();
}

net::Framing request_framing(const net::RequestHead& request) {
  using Kind = net::Framing::Kind;
  if (request.headers.has("Transfer-Encoding")) return {.kind = Kind::chunked};
  if (!request.headers.has("Content-Length")) return {.kind = Kind::none};
  // The listener has checked it: digits only, once.
  return {.kind = Kind::length,
          .length = std::strtoull(std::string(request.headers.get("Content-Length")).c_str(),
                                  nullptr, 10)};
}

// The tool's answer without what belongs to its own connection; Set-Cookie and all else pass.
net::ResponseHead head_for_browser(const net::ParsedResponse& response) {
  net::Headers headers = response.headers;
  net::remove_hop_by_hop(headers);
  net::ResponseHead head{.status = response.status, .headers = {}};
  for (const auto& header : headers.items()) {
    if (!net::is_framing_field(header.name)) head.headers.add(header.name, header.value);
  }
  return head;
}

std::optional<std::uint64_t> answer_length(const net::ParsedResponse& response) {
  if (response.framing.kind == net::Framing::Kind::length) return response.framing.length;
  if (response.framing.kind != net::Framing::Kind::none) return std::nullopt;
  const auto declared = response.headers.get("Content-Length");  // of an answer to HEAD
  return declared.empty() ? 0 : std::strtoull(std::string(declared).c_str(), nullptr, 10);
}

// The client's body under the interface that respond() takes over; the client outlives it.
class BorrowedReader final : public BodyReader {
 public:
  explicit BorrowedReader(BodyReader& reader) : reader_(reader) {}
  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    return reader_.read(out);
  }
  std::optional<std::uint64_t> size() const override { return reader_.size(); }

 private:
  BodyReader& reader_;
};

asio::awaitable<Result<std::unique_ptr<net::StreamClient>>> connect_to(
    control::ToolAddress address) {
  return net::StreamClient::connect(
      {.host = address.ip, .port = address.port, .deadline = connect_limit},
      // A tool computes as long as it does: only the connect has a deadline.
      {.head = std::chrono::hours(24), .stall = std::chrono::milliseconds(0)});
}

std::string switch_head(const net::ParsedResponse& response) {
  std::string out = "HTTP/1.1 101 Switching Protocols\r\n";
  for (const auto& header : response.headers.items()) {
    out += fmt::format("{}: {}\r\n", header.name, header.value);
  }
  return out + "\r\n";
}

}  // namespace

bool is_websocket_upgrade(const net::RequestHead& request) {
  return request.method == "GET" && net::list_has(request.headers.get("Connection"), "upgrade") &&
         net::list_has(request.headers.get("Upgrade"), "websocket");
}

net::RequestHead head_for_tool(const net::Exchange& exchange, const RelayTarget& target) {
  const auto& request = exchange.request();
  net::Headers passed = request.headers;
  net::remove_hop_by_hop(passed);
  net::RequestHead out{.method = request.method, .target = request.target, .headers = {}};
  for (const auto& header : passed.items()) {
    if (is_identity_field(header.name) || s3::equal_ascii_case(header.name, "Expect")) continue;
    if (s3::equal_ascii_case(header.name, "Cookie")) {
      const auto rest = without_cookies(header.value, "__Host-holdfast");
      if (!rest.empty()) out.headers.add("Cookie", rest);
      continue;
    }
    out.headers.add(header.name, header.value);
  }
  out.headers.add("X-Forwarded-For", exchange.peer().address().to_string());
  out.headers.add("X-Forwarded-Host", request.host());
  out.headers.add("X-Forwarded-Proto", exchange.secure() ? "https" : "http");
  out.headers.add("X-Forwarded-User", target.user);
  return out;
}

asio::awaitable<Result<void>> relay_http(net::Exchange& exchange, RelayTarget target) {
  auto client = co_await connect_to(target.address);
  if (!client) co_return fail(ErrorCode::unavailable, "{}", client.error().context);
  const auto framing = request_framing(exchange.request());
  auto sent = co_await (*client)->send(head_for_tool(exchange, target), framing, &exchange.body());
  if (!sent && sent.error().code != ErrorCode::unavailable) co_return sent;
  auto response = co_await (*client)->read_head();
  if (!response) {
    co_return fail(ErrorCode::unavailable, "the tool closed the connection: {}",
                   response.error().context);
  }
  auto head = head_for_browser(*response);
  const auto length = answer_length(*response);
  co_return co_await exchange.respond(
      std::move(head), Body(std::make_unique<BorrowedReader>((*client)->body())), length);
}

asio::awaitable<Result<void>> relay_websocket(net::Exchange& exchange, RelayTarget target,
                                              std::function<asio::awaitable<void>()> until_cut) {
  using namespace asio::experimental::awaitable_operators;
  auto client = co_await connect_to(target.address);
  if (!client) co_return fail(ErrorCode::unavailable, "{}", client.error().context);
  auto head = head_for_tool(exchange, target);
  head.headers.add("Connection", "Upgrade");
  head.headers.add("Upgrade", "websocket");
  auto sent = co_await (*client)->send(std::move(head), {}, nullptr);
  if (!sent) co_return sent;
  auto response = co_await (*client)->read_head();
  if (!response) co_return std::unexpected(response.error());
  if (response->status != 101) {
    auto refusal = head_for_browser(*response);
    const auto length = answer_length(*response);
    co_return co_await exchange.respond(
        std::move(refusal), Body(std::make_unique<BorrowedReader>((*client)->body())), length);
  }
  auto browser = exchange.take_over();
  const std::string answer = switch_head(*response);
  if (auto written = co_await browser->write(as_bytes(answer)); !written) co_return written;
  auto tool = (*client)->release();
  auto ended = co_await (net::relay(*browser, *tool, {}) || until_cut());
  browser->close();
  tool->close();
  if (ended.index() == 0) {
    auto count = std::get<0>(std::move(ended));
    if (!count) co_return std::unexpected(count.error());
  }
  co_return Result<void>();
}

}  // namespace holdfast::gateway
