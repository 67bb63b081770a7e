#include "net/stream_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <vector>

#include "base/event.h"
#include "net/transport.h"

namespace holdfast::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t stream_step = 128u << 10;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

asio::awaitable<Result<tcp::socket>> open_socket(std::string host, std::uint16_t port) {
  auto executor = co_await asio::this_coro::executor;
  error_code error;
  std::vector<tcp::endpoint> endpoints;
  if (const auto address = asio::ip::make_address(host, error); !error) {
    endpoints.emplace_back(address, port);
  } else {
    tcp::resolver resolver(executor);
    auto found = co_await resolver.async_resolve(host, std::to_string(port),
                                                 asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      co_return fail(ErrorCode::invalid_argument, "resolve {}: {}", host, error.message());
    }
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  }
  tcp::socket socket(executor);
  co_await asio::async_connect(socket, endpoints, asio::redirect_error(asio::use_awaitable, error));
  if (error) {
    co_return fail(ErrorCode::unavailable, "connect to {}:{}: {}", host, port, error.message());
  }
  socket.set_option(tcp::no_delay(true), error);
  co_return socket;
}

asio::awaitable<Result<std::unique_ptr<Transport>>> open_transport(ConnectTarget target) {
  using namespace asio::experimental::awaitable_operators;
  auto outcome = co_await (open_socket(target.host, target.port) || sleep_for(target.deadline));
  if (outcome.index() == 1) {
    co_return fail(ErrorCode::timed_out, "connect to {}:{}: no answer in {} ms", target.host,
                   target.port, target.deadline.count());
  }
  auto socket = std::get<0>(std::move(outcome));
  if (!socket) co_return std::unexpected(socket.error());
  co_return make_plain_transport(*std::move(socket));
}

bool is_body_field(std::string_view name) {
  return equal_ignoring_case(name, "Content-Length") ||
         equal_ignoring_case(name, "Transfer-Encoding");
}

// One direction of a relay.
struct Pump {
  RawConnection& from;
  RawConnection& to;
  std::uint64_t& count;
  Clock::time_point& last;
};

asio::awaitable<Result<void>> run_pump(Pump pump) {
  std::vector<std::byte> buffer(4u << 10);
  for (;;) {
    auto got = co_await pump.from.read(buffer);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return Result<void>();
    pump.last = Clock::now();
    auto sent = co_await pump.to.write(std::span(buffer).first(*got));
    if (!sent) co_return sent;
    pump.last = Clock::now();
    pump.count += *got;
    if (*got == buffer.size() && buffer.size() < (64u << 10)) buffer.resize(buffer.size() * 2);
  }
}

asio::awaitable<Result<void>> watch_idle(const Clock::time_point& last, milliseconds limit) {
  for (;;) {
    const auto left = limit.count() <= 0
                          ? milliseconds(std::chrono::hours(24))
                          : std::chrono::duration_cast<milliseconds>(last + limit - Clock::now());
    if (left.count() <= 0) {
      co_return fail(ErrorCode::timed_out, "relay: nothing was sent for {} ms", limit.count());
    }
    co_await sleep_for(left);
  }
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<RawConnection>>> connect(ConnectTarget target) {
  auto transport = co_await open_transport(std::move(target));
  if (!transport) co_return std::unexpected(transport.error());
  co_return std::unique_ptr<RawConnection>(*std::move(transport));
}

Result<std::string> write_request_head(const RequestHead& head, const Framing& framing) {
  const bool fit = is_token(head.method) && !head.target.empty() &&
                   head.target.find_first_of(std::string_view(" \r\n\t\0", 5)) == std::string::npos;
  if (!fit) return fail(ErrorCode::malformed, "request line unfit to be sent");
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", head.method, head.target);
  for (const auto& [name, value] : head.headers.items()) {
    if (is_body_field(name)) continue;
    if (!is_token(name) || !is_field_value(value)) {
      return fail(ErrorCode::malformed, "request header unfit to be sent");
    }
    out.append(name).append(": ").append(value).append("\r\n");
  }
  if (framing.kind == Framing::Kind::length) {
    out += fmt::format("Content-Length: {}\r\n", framing.length);
  } else if (framing.kind == Framing::Kind::chunked) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  out += "\r\n";
  return out;
}

void remove_hop_by_hop(Headers& headers) {
  std::vector<std::string> named;
  for (auto value : headers.all("Connection")) {
    while (!value.empty()) {
      const auto comma = value.find(',');
      auto name = value.substr(0, comma);
      while (!name.empty() && (name.front() == ' ' || name.front() == '\t')) name.remove_prefix(1);
      while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
      // A peer must not strip what the message stands on.
      if (!name.empty() && !equal_ignoring_case(name, "Host") && !is_body_field(name)) {
        named.emplace_back(name);
      }
      value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
    }
  }
  for (const auto& name : named) headers.remove(name);
  for (const auto* name :
       {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Transfer-Encoding", "Upgrade"}) {
    headers.remove(name);
  }
}

struct StreamClient::State {
  std::unique_ptr<Transport> transport;
  Timeouts timeouts;
  InputBuffer buffer;
  std::optional<FramedReader> body;
  std::string method;
  bool sent = false;        // the whole request went out
  bool keep_alive = false;  // of the response
};

StreamClient::StreamClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
StreamClient::~StreamClient() = default;

asio::awaitable<Result<std::unique_ptr<StreamClient>>> StreamClient::connect(ConnectTarget target,
                                                                             Timeouts timeouts) {
  auto transport = co_await open_transport(std::move(target));
  if (!transport) co_return std::unexpected(transport.error());
  co_return over(*std::move(transport), timeouts);
}

std::unique_ptr<StreamClient> StreamClient::over(std::unique_ptr<Transport> transport,
                                                 Timeouts timeouts) {
  auto state = std::make_unique<State>();
  state->transport = std::move(transport);
  state->timeouts = timeouts;
  return std::unique_ptr<StreamClient>(new StreamClient(std::move(state)));
}

asio::awaitable<Result<void>> StreamClient::send(RequestHead head, Framing framing,
                                                 BodyReader* body) {
  auto text = write_request_head(head, framing);
  if (!text) co_return std::unexpected(text.error());
  auto& transport = *state_->transport;
  state_->method = head.method;
  state_->sent = false;
  state_->keep_alive = false;
  state_->body.reset();
  transport.set_timeout(state_->timeouts.stall);
  const bool chunked = framing.kind == Framing::Kind::chunked;
  std::string_view lead = *text;  // rides with the first bytes of the body
  std::uint64_t left = framing.length;
  if (body == nullptr || (!chunked && left == 0)) {
    auto sent = co_await transport.write_parts(std::span(&lead, 1));
    state_->sent = sent.has_value();
    co_return sent;
  }
  std::vector<std::byte> chunk(stream_step);
  for (;;) {
    const auto want = chunked ? chunk.size() : std::min<std::uint64_t>(chunk.size(), left);
    auto got = co_await body->read(std::span(chunk).first(want));
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0 && !chunked) {
      co_return fail(ErrorCode::incomplete_body, "request body ended {} bytes early", left);
    }
    const std::string size = chunked ? fmt::format("{:x}\r\n", *got) : std::string();
    const std::array<std::string_view, 4> parts{lead, size, as_text(std::span(chunk).first(*got)),
                                                chunked ? "\r\n" : ""};
    if (auto sent = co_await transport.write_parts(parts); !sent) co_return sent;
    lead = {};
    left -= chunked ? 0 : *got;
    if (chunked ? *got == 0 : left == 0) break;
  }
  state_->sent = true;
  co_return Result<void>();
}

asio::awaitable<void> StreamClient::wait_answer() {
  error_code ignored;
  co_await state_->transport->socket().async_wait(
      Transport::Socket::wait_read, asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<Result<ParsedResponse>> StreamClient::read_head() {
  auto& state = *state_;
  const auto end = Clock::now() + state.timeouts.head;
  HeadScanner scanner;
  for (;;) {
    auto size = scanner.scan(state.buffer.view());
    if (!size) co_return fail(ErrorCode::malformed, "upstream: {}", size.error().reason);
    if (!*size) {
      const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now());
      state.transport->set_timeout(std::max(left, milliseconds(1)));
      auto got = co_await state.transport->read(state.buffer.prepare(max_head_bytes));
      if (!got) co_return std::unexpected(got.error());
      if (*got == 0) co_return fail(ErrorCode::unavailable, "upstream closed before its answer");
      state.buffer.commit(*got);
      continue;
    }
    auto head = parse_response_head(state.buffer.view().substr(0, **size), state.method);
    if (!head) co_return fail(ErrorCode::malformed, "upstream: {}", head.error().reason);
    state.buffer.consume(**size);
    scanner = {};
    if (head->status < 200 && head->status != 101) continue;
    state.keep_alive = head->keep_alive && head->status != 101;
    state.body.emplace(*state.transport, state.buffer, head->framing);
    state.transport->set_timeout(state.timeouts.stall);
    co_return *std::move(head);
  }
}

BodyReader& StreamClient::body() { return *state_->body; }

bool StreamClient::reusable() const {
  return state_->transport && state_->transport->socket().is_open() && state_->sent &&
         state_->keep_alive && state_->body && state_->body->done() && state_->buffer.empty();
}

std::unique_ptr<RawConnection> StreamClient::release() {
  state_->transport->set_timeout(milliseconds(0));
  return make_raw_connection(std::move(state_->transport), state_->buffer.take());
}

void StreamClient::close() {
  if (state_->transport) state_->transport->close();
}

asio::awaitable<Result<RelayCount>> relay(RawConnection& left, RawConnection& right,
                                          RelayOptions options) {
  using namespace asio::experimental::awaitable_operators;
  RelayCount count;
  auto last = Clock::now();
  auto outcome = co_await (run_pump(Pump{left, right, count.to_right, last}) ||
                           run_pump(Pump{right, left, count.to_left, last}) ||
                           watch_idle(last, options.idle_timeout));
  left.close();
  right.close();
  auto result = std::visit([](auto& value) { return Result<void>(value); }, outcome);
  if (!result) co_return std::unexpected(result.error());
  co_return count;
}

}  // namespace holdfast::net
