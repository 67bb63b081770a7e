#include "net/server_exchange.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/log.h"

namespace holdfast::net {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t drain_limit = 256u << 10;
constexpr std::size_t stream_step = 128u << 10;
constexpr std::string_view continue_answer = "HTTP/1.1 100 Continue\r\n\r\n";

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

ServerExchange::RequestBody::RequestBody(ServerExchange& exchange, Framing framing)
    : exchange_(exchange),
      reader_(*exchange.connection_.transport_, exchange.connection_.buffer_, framing) {}

asio::awaitable<Result<std::size_t>> ServerExchange::RequestBody::read(std::span<std::byte> out) {
  auto& connection = exchange_.connection_;
  if (exchange_.taken_) co_return fail(ErrorCode::cancelled, "the connection was taken over");
  connection.transport_->set_timeout(connection.lane_->shared().options.body_timeout);
  if (exchange_.expecting_ && !reader_.done()) {
    exchange_.expecting_ = false;
    // A client that did not wait needs no answer before its bytes.
    if (connection.buffer_.empty() && !exchange_.answered_) {
      auto sent = co_await connection.transport_->write(std::as_bytes(std::span(continue_answer)));
      if (!sent) co_return std::unexpected(sent.error());
    }
  }
  co_return co_await reader_.read(out);
}

bool ServerExchange::RequestBody::can_be_drained() const {
  if (reader_.done()) return true;
  return !exchange_.expecting_ && reader_.left().value_or(0) <= drain_limit;
}

asio::awaitable<bool> ServerExchange::RequestBody::drain() {
  if (reader_.done()) co_return true;
  if (!can_be_drained()) co_return false;
  std::vector<std::byte> sink(16u << 10);
  std::uint64_t drained = 0;
  while (drained <= drain_limit) {
    auto got = co_await reader_.read(sink);
    if (!got) co_return false;
    if (*got == 0) co_return true;
    drained += *got;
  }
  co_return false;
}

ServerExchange::ServerExchange(Connection& connection, ParsedRequest request)
    : connection_(connection),
      request_(std::move(request)),
      body_(*this, request_.framing),
      secure_(connection.transport_->secure()),
      expecting_(request_.expect_continue) {}

// Writes the head into the connection's head_out_. True: the body is to be sent, too.
Result<bool> ServerExchange::begin_answer(const ResponseHead& head,
                                          std::optional<std::uint64_t> length) {
  if (answered_) return fail(ErrorCode::internal, "{} was answered twice", request_.head.method);
  if (taken_) return fail(ErrorCode::internal, "the connection was taken over");
  auto& shared = connection_.lane_->shared();
  const bool bodiless = is_bodiless(head.status);
  const bool is_head = request_.head.method == "HEAD";
  const bool unknown = !length && !bodiless && !is_head;
  AnswerFrame frame;
  frame.request_minor = request_.minor;
  frame.chunked = unknown && request_.minor == 1;
  if (!bodiless) frame.content_length = length;
  keep_ = request_.keep_alive && !connection_.lane_->draining() && body_.can_be_drained() &&
          !list_has(head.headers.get("Connection"), "close") && (!unknown || frame.chunked);
  frame.keep_alive = keep_;
  if (secure_)
    frame.strict_transport = static_cast<std::uint64_t>(shared.options.strict_transport.count());
  frame.server_name = shared.options.server_name;
  frame.date = connection_.lane_->date().now();
  if (auto written = write_answer_head(head, frame, connection_.head_out_); !written) {
    return std::unexpected(written.error());
  }
  // RFC 9110 section 10.1.1 lets a server leave it out where no body follows. But botocore 1.29 (of
  // Debian 12) then takes its next answer on the connection, if it expects again, for cut short.
  if (expecting_ && body_.done()) connection_.head_out_.insert(0, continue_answer);
  chunked_ = frame.chunked;
  answered_ = true;
  connection_.transport_->set_timeout(shared.options.body_timeout);
  return !bodiless && !is_head;
}

asio::awaitable<Result<void>> ServerExchange::send(std::string_view body) {
  const std::array<std::string_view, 2> parts{connection_.head_out_, body};
  co_return cut_short(co_await connection_.transport_->write_parts(parts));
}

// An answer that broke off cannot be repaired: the peer must see it as broken.
Result<void> ServerExchange::cut_short(Result<void> result) {
  if (!result) {
    keep_ = false;
    connection_.transport_->close();
  }
  return result;
}

asio::awaitable<Result<void>> ServerExchange::respond(ResponseHead head, std::string body) {
  auto begun = begin_answer(head, body.size());
  if (!begun) co_return std::unexpected(begun.error());
  const std::array<std::string_view, 2> parts{connection_.head_out_,
                                              *begun ? body : std::string_view()};
  co_return cut_short(co_await connection_.transport_->write_parts(parts));
}

asio::awaitable<Result<void>> ServerExchange::respond(ResponseHead head, Body body,
                                                      std::optional<std::uint64_t> length) {
  if (const auto text = bytes_of(body)) {
    // The answer to HEAD may count a body that was never made.
    auto begun = begin_answer(head, text->empty() ? length.value_or(0) : text->size());
    if (!begun) co_return std::unexpected(begun.error());
    co_return co_await send(*begun ? *text : std::string_view());
  }
  if (auto* extents = std::get_if<std::vector<FileExtent>>(&body)) {
    std::uint64_t total = 0;
    for (const auto& extent : *extents) total += extent.length;
    const bool dropped = request_.head.method == "HEAD" || is_bodiless(head.status);
    if (length && *length != total && !dropped) {
      co_return fail(ErrorCode::internal, "answer of {} bytes from extents of {}", *length, total);
    }
    auto begun = begin_answer(head, length.value_or(total));
    if (!begun) co_return std::unexpected(begun.error());
    if (!*begun) co_return co_await send({});
    co_return cut_short(
        co_await connection_.transport_->write_extents(connection_.head_out_, *extents));
  }
  auto& reader = std::get<std::unique_ptr<BodyReader>>(body);
  auto begun = begin_answer(head, length);
  if (!begun) co_return std::unexpected(begun.error());
  if (!*begun || !reader) co_return co_await send({});
  co_return cut_short(co_await send_stream(*reader, length));
}

asio::awaitable<Result<void>> ServerExchange::send_stream(BodyReader& body,
                                                          std::optional<std::uint64_t> length) {
  if (length) return send_counted(body, *length);
  return send_chunked(body);
}

asio::awaitable<Result<void>> ServerExchange::send_counted(BodyReader& body, std::uint64_t length) {
  auto& transport = *connection_.transport_;
  std::string_view head = connection_.head_out_;
  std::vector<std::byte> chunk(std::clamp<std::uint64_t>(length, 1, stream_step));
  // The first bytes ride with the head.
  while (length > 0) {
    auto got =
        co_await body.read(std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), length)));
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) {
      co_return fail(ErrorCode::incomplete_body, "answer: the body ended {} bytes early", length);
    }
    if (auto ok = transport.permitted(); !ok) co_return ok;
    const std::array<std::string_view, 2> parts{head, as_text(std::span(chunk).first(*got))};
    if (auto sent = co_await transport.write_parts(parts); !sent) co_return sent;
    length -= *got;
    head = {};
  }
  if (head.empty()) co_return Result<void>();
  co_return co_await transport.write_parts(std::span(&head, 1));
}

asio::awaitable<Result<void>> ServerExchange::send_chunked(BodyReader& body) {
  auto& transport = *connection_.transport_;
  // At once: a body of unknown length may take its time to begin.
  if (auto sent = co_await send({}); !sent) co_return sent;
  std::vector<std::byte> chunk(stream_step);
  for (;;) {
    auto got = co_await body.read(chunk);
    if (!got) co_return std::unexpected(got.error());
    const std::string size = fmt::format("{:x}\r\n", *got);
    std::array<std::string_view, 3> parts{size, as_text(std::span(chunk).first(*got)), "\r\n"};
    if (auto ok = transport.permitted(); !ok) co_return ok;
    if (!chunked_) parts = {parts[1]};  // HTTP/1.0: the end of the connection ends the body
    if (auto sent = co_await transport.write_parts(parts); !sent) co_return sent;
    if (*got == 0) co_return Result<void>();
  }
}

void ServerExchange::guard(SendGuard guard) {
  guard_ = std::move(guard);
  if (connection_.transport_) connection_.transport_->set_guard(guard_.go_on ? &guard_ : nullptr);
}

std::unique_ptr<Exchange::RawConnection> ServerExchange::take_over() {
  if (answered_ || taken_) return nullptr;
  guard({});
  taken_ = true;
  auto transport = std::move(connection_.transport_);
  transport->set_timeout(std::chrono::milliseconds(0));
  return make_raw_connection(std::move(transport), connection_.buffer_.take());
}

asio::awaitable<bool> ServerExchange::finish() {
  if (taken_) co_return false;
  if (guard_.go_on) guard({});
  if (!answered_) {
    spdlog::error("net: no answer was given to {} {}", log_field(request_.head.method),
                  log_field(request_.head.path()));
    auto sent = co_await respond(ResponseHead{500, {}}, std::string("internal error\n"));
    if (!sent) co_return false;
  }
  if (!connection_.transport_->socket().is_open()) co_return false;
  if (keep_ && co_await body_.drain()) co_return true;
  // Closing over bytes that the client still sends would reset the connection and lose our answer.
  const bool more = !body_.done() || !connection_.buffer_.empty();
  co_await connection_.transport_->linger(std::chrono::milliseconds(more ? 2'000 : 0));
  co_return false;
}

}  // namespace holdfast::net
