#include "net/unix_transfer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <string_view>

#include "base/event.h"
#include "base/fd.h"
#include "net/transport.h"

namespace holdfast::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// connect(2) on a unix socket is done at once, or the listener's backlog is full.
constexpr milliseconds backlog_pause(10);

asio::awaitable<Result<Fd>> connect_unix(std::string path, milliseconds deadline) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) {
    co_return fail(ErrorCode::invalid_argument, "the socket's path is too long: {}", path);
  }
  path.copy(address.sun_path, path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) co_return fail_errno(errno, "make a unix socket");
  const auto end = Clock::now() + deadline;
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
         0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error != EAGAIN) {
      co_return fail(ErrorCode::unavailable, "connect to {}: {}", path,
                     std::generic_category().message(error));
    }
    if (Clock::now() >= end) {
      co_return fail(ErrorCode::timed_out, "connect to {}: no answer in {} ms", path,
                     deadline.count());
    }
    co_await sleep_for(backlog_pause);
    if (auto now = co_await asio::this_coro::cancellation_state;
        now.cancelled() != asio::cancellation_type::none) {
      co_return fail(ErrorCode::cancelled, "connect to {}", path);
    }
  }
  co_return socket;
}

bool has_body_by_nature(std::string_view method) {
  return method == "PUT" || method == "POST" || method == "PATCH";
}

Framing framing_of(const ClientRequest& request) {
  if (request.body == nullptr) {
    // Says Content-Length: 0, which some servers insist on.
    const bool empty = has_body_by_nature(request.method);
    return {empty ? Framing::Kind::length : Framing::Kind::none, 0};
  }
  if (request.body_size) return {Framing::Kind::length, *request.body_size};
  return {Framing::Kind::chunked, 0};
}

}  // namespace

Result<void> UnixTransfer::start() {
  constexpr std::string_view scheme = "http://";
  const std::string_view url = request_.url;
  const auto slash = url.find('/', scheme.size());
  if (!url.starts_with(scheme) || slash == std::string_view::npos || slash == scheme.size()) {
    return fail(ErrorCode::malformed, "a unix socket is asked by an http://HOST/… URL");
  }
  sent_ = {request_.method, std::string(url.substr(slash)), std::move(request_.headers)};
  if (!sent_.headers.has("Host")) {
    sent_.headers.add("Host", url.substr(scheme.size(), slash - scheme.size()));
  }
  sent_.headers.add("Connection", "close");
  return {};
}

asio::awaitable<Result<void>> UnixTransfer::run_to_head() {
  auto done = co_await exchange();
  // The body reader is the caller's again from here on.
  request_.body = nullptr;
  if (!done) co_return std::unexpected(explained(done.error()));
  if (aborted_) co_return std::unexpected(*aborted_);
  co_return done;
}

asio::awaitable<Result<void>> UnixTransfer::exchange() {
  auto socket = co_await connect_unix(request_.unix_socket, request_.connect_timeout);
  if (!socket) co_return std::unexpected(socket.error());
  if (aborted_) co_return std::unexpected(*aborted_);
  // Asio's TCP types only pass the descriptor to send and recv, which are the same here.
  asio::ip::tcp::socket stream(co_await asio::this_coro::executor);
  boost::system::error_code error;
  stream.assign(asio::ip::tcp::v4(), socket->get(), error);
  if (error) co_return fail(ErrorCode::io, "watch a unix socket: {}", error.message());
  (void)socket->release();
  stream_ = StreamClient::over(make_plain_transport(std::move(stream)),
                               {request_.head_timeout, request_.stall_timeout});
  auto sent = co_await send();
  // What the peer said before it closed explains a body that it did not take; a body that we could
  // not read ends the request.
  if (!sent && sent.error().code != ErrorCode::unavailable) co_return sent;
  auto head = co_await stream_->read_head();
  if (head) {
    head_ = *std::move(head);
    co_return Result<void>();
  }
  co_return std::unexpected(sent ? head.error() : sent.error());
}

asio::awaitable<Result<void>> UnixTransfer::send() {
  using namespace asio::experimental::awaitable_operators;
  const auto framing = framing_of(request_);
  if (request_.body == nullptr) {
    co_return co_await stream_->send(std::move(sent_), framing, nullptr);
  }
  // An early answer ends the upload.
  auto first =
      co_await (stream_->send(std::move(sent_), framing, request_.body) || stream_->wait_answer());
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return Result<void>();
}

asio::awaitable<Result<std::size_t>> UnixTransfer::read(std::span<std::byte> out) {
  if (aborted_) co_return std::unexpected(*aborted_);
  auto got = co_await stream_->body().read(out);
  if (!got) co_return std::unexpected(explained(got.error()));
  co_return got;
}

void UnixTransfer::abort(Error error) {
  if (aborted_) return;
  aborted_ = std::move(error);
  if (stream_) stream_->close();
}

Error UnixTransfer::explained(Error error) const { return aborted_ ? *aborted_ : error; }

std::optional<std::uint64_t> UnixTransfer::content_length() const {
  if (request_.method == "HEAD") return 0;
  if (head_.framing.kind != Framing::Kind::length) return std::nullopt;
  return head_.framing.length;
}

}  // namespace holdfast::net
