#include "net/http_connection.h"

#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>

#include "base/log.h"
#include "net/server_exchange.h"

namespace holdfast::net {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

}  // namespace

Lane::Lane(asio::any_io_executor executor, std::shared_ptr<ServerShared> shared)
    : executor_(executor), shared_(std::move(shared)), tasks_(executor) {}

void Lane::start(Transport::Socket socket) {
  boost::system::error_code error;
  auto peer = socket.remote_endpoint(error);
  if (peer.data()->sa_family == AF_UNIX) peer = {asio::ip::address_v4::loopback(), 0};
  // A unix socket has no such option and no need of it.
  boost::system::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (error || draining_) {
    --shared_->connections;
    return;
  }
  const auto& tls = shared_->options.tls;
  auto transport =
      tls ? make_tls_transport(std::move(socket), *tls) : make_plain_transport(std::move(socket));
  auto connection = std::make_shared<Connection>(shared_from_this(), std::move(transport), peer);
  tasks_.spawn("http connection", Connection::run(std::move(connection)));
}

void Lane::drain() {
  draining_ = true;
  for (auto* connection : connections_) connection->drain();
}

void Lane::begin_handshake(Connection& connection) {
  handshaking_.push_back(&connection);
  if (handshaking_.size() <= shared_->options.max_handshakes) return;
  // Who does it in earnest is done within milliseconds: the oldest is the likeliest to be idle.
  handshaking_.front()->cut();
  handshaking_.pop_front();
}

void Lane::end_handshake(Connection& connection) { handshaking_.remove(&connection); }

void Lane::cut() {
  draining_ = true;
  for (auto* connection : connections_) connection->cut();
}

asio::awaitable<void> Lane::stop(milliseconds grace) {
  auto self = shared_from_this();
  drain();
  co_await tasks_.stop(grace);
}

Connection::Connection(std::shared_ptr<Lane> lane, std::unique_ptr<Transport> transport,
                       asio::ip::tcp::endpoint peer)
    : lane_(std::move(lane)), transport_(std::move(transport)), peer_(std::move(peer)) {
  lane_->connections_.insert(this);
}

Connection::~Connection() {
  lane_->connections_.erase(this);
  lane_->end_handshake(*this);
  --lane_->shared().connections;
}

void Connection::drain() {
  if (idle_ && transport_) transport_->cancel();
}

void Connection::cut() {
  if (transport_) transport_->close();
}

asio::awaitable<void> Connection::run(std::shared_ptr<Connection> self) {
  auto lane = self->lane_;
  try {
    co_await self->serve();
  } catch (const std::exception& e) {
    // Cancelled by stop(), or a bug; in both cases nothing can be saved of this connection.
    if (!lane->draining()) spdlog::error("net: a connection ended by an exception: {}", e.what());
  }
  self.reset();
  if (lane->shared().full.load() && lane->shared().on_room) lane->shared().on_room();
}

asio::awaitable<bool> Connection::shake_hands() {
  const auto limit = lane_->shared().options.handshake_timeout;
  Watchdog watchdog(lane_->executor(), *this);
  watchdog.arm(limit);  // of the whole; each wait within it has the same limit
  transport_->set_timeout(limit);
  lane_->begin_handshake(*this);
  auto shaken = co_await transport_->handshake();
  lane_->end_handshake(*this);
  if (!shaken) {
    spdlog::debug("net: {} from {}", shaken.error().context, peer_.address().to_string());
    co_await transport_->linger(milliseconds(0));
  }
  co_return shaken.has_value();
}

asio::awaitable<void> Connection::serve() {
  if (transport_->secure() && !co_await shake_hands()) co_return;
  while (co_await serve_one()) {
  }
}

asio::awaitable<std::optional<std::size_t>> Connection::read_head() {
  const auto& options = lane_->shared().options;
  HeadScanner scanner;
  std::optional<Clock::time_point> begun;  // when the first byte was there
  if (buffer_.empty()) buffer_.shrink();
  for (;;) {
    auto end = scanner.scan(buffer_.view());
    if (!end) {
      co_await refuse(end.error().status, end.error().reason);
      co_return std::nullopt;
    }
    if (*end) co_return *end;
    idle_ = buffer_.empty();
    if (idle_ && lane_->draining()) co_return std::nullopt;
    auto limit = options.idle_timeout;
    if (!idle_) {
      if (!begun) begun = Clock::now();
      const auto spent = std::chrono::duration_cast<milliseconds>(Clock::now() - *begun);
      limit = std::max(milliseconds(1), options.head_timeout - spent);
    }
    transport_->set_timeout(limit);
    auto got = co_await transport_->read(buffer_.prepare(InputBuffer::usual_bytes));
    const bool was_idle = std::exchange(idle_, false);
    if (!got && transport_->timed_out() && !was_idle)
      co_await refuse(408, "the head took too long");
    if (!got || *got == 0) co_return std::nullopt;
    buffer_.commit(*got);
  }
}

// Answers what is no request, and ends the connection.
asio::awaitable<void> Connection::refuse(unsigned status, std::string_view reason) {
  spdlog::debug("net: refused a request from {}: {}", peer_.address().to_string(), reason);
  transport_->forget_timeout();
  transport_->set_timeout(lane_->shared().options.body_timeout);
  const std::string body = fmt::format("{}\n", reason);
  ResponseHead head{status, {}};
  head.headers.add("Content-Type", "text/plain");
  AnswerFrame frame;
  frame.content_length = body.size();
  frame.keep_alive = false;
  frame.server_name = lane_->shared().options.server_name;
  frame.date = lane_->date().now();
  if (!write_answer_head(head, frame, head_out_)) co_return;
  const std::array<std::string_view, 2> parts{head_out_, body};
  if (auto sent = co_await transport_->write_parts(parts); !sent) co_return;
  co_await transport_->linger(std::chrono::seconds(2));
}

asio::awaitable<bool> Connection::serve_one() {
  const auto size = co_await read_head();
  if (!size) co_return false;
  auto parsed = parse_request_head(buffer_.view().substr(0, *size));
  if (!parsed) {
    co_await refuse(parsed.error().status, parsed.error().reason);
    co_return false;
  }
  buffer_.consume(*size);
  ServerExchange exchange(*this, *std::move(parsed));
  try {
    co_await lane_->shared().handler(exchange);
  } catch (const std::exception& e) {
    if (!lane_->draining()) {
      spdlog::error("net: the handler of {} {} threw: {}", log_field(exchange.request().method),
                    log_field(exchange.request().path()), e.what());
    }
  }
  co_return co_await exchange.finish();
}

}  // namespace holdfast::net
