#include "net/transport.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

namespace holdfast::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::size_t sendfile_step = 1u << 20;
// Below this a copy into one packet with the head is cheaper than a second system call.
constexpr std::uint64_t copy_limit = 16u << 10;
constexpr std::size_t max_parts = 8;
// What a slow peer has to take within a time-out: so little that none of good will fails, so much
// that nobody holds on to our buffers for days.
constexpr int least_taken = 16 << 10;

int bytes_queued(int socket) {
  int bytes = 0;
  return ::ioctl(socket, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

Result<void> read_extents(std::span<const FileExtent> extents, std::string& out) {
  for (const auto& extent : extents) {
    const std::size_t before = out.size();
    out.resize(before + extent.length);
    auto got = read_at(extent.file->get(), std::as_writable_bytes(std::span(out)).subspan(before),
                       extent.offset);
    if (!got) return std::unexpected(got.error());
    if (*got != extent.length) {
      return fail(ErrorCode::corrupted, "send a stored body: the file ends early");
    }
  }
  return {};
}

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(Socket socket)
      : Transport(socket.get_executor(), false), socket_(std::move(socket)) {}

  asio::awaitable<Result<void>> handshake() override { co_return Result<void>(); }

  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (auto ok = usable(); !ok) co_return std::unexpected(ok.error());
    begin_wait();
    error_code error;
    const std::size_t got = co_await socket_.async_read_some(
        asio::buffer(out.data(), out.size()), asio::redirect_error(asio::use_awaitable, error));
    if (auto ok = end_wait(error, "read from the peer"); !ok) {
      if (error == asio::error::eof) co_return 0;
      co_return std::unexpected(ok.error());
    }
    co_return got;
  }

  asio::awaitable<Result<void>> write_parts(std::span<const std::string_view> parts) override {
    return send_parts(parts, 0);
  }

  asio::awaitable<Result<void>> write_extents(std::string_view head,
                                              std::span<const FileExtent> extents) override {
    std::uint64_t total = 0;
    for (const auto& extent : extents) total += extent.length;
    if (total <= copy_limit) {
      std::string body;
      if (auto read = read_extents(extents, body); !read) co_return read;
      const std::array<std::string_view, 2> parts{head, body};
      co_return co_await send_parts(parts, 0);
    }
    const std::array<std::string_view, 1> parts{head};
    if (auto sent = co_await send_parts(parts, MSG_MORE); !sent) co_return sent;
    for (const auto& extent : extents) {
      if (auto sent = co_await send_extent(extent); !sent) co_return sent;
    }
    co_return Result<void>();
  }

 protected:
  Socket& socket_of() override { return socket_; }
  asio::awaitable<void> send_end() override {
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    co_return;
  }

 private:
  asio::awaitable<Result<void>> wait_writable() {
    if (auto ok = usable(); !ok) co_return ok;
    begin_write_wait();
    error_code error;
    co_await socket_.async_wait(Socket::wait_write,
                                asio::redirect_error(asio::use_awaitable, error));
    auto ended = end_wait(error, "write to the peer");
    // A peer that takes a little all the time lets no wait last until the guard is due.
    if (ended) ended = permitted();
    co_return ended;
  }

  // Tries the system call first: with room in the socket's buffer no wait is needed at all.
  asio::awaitable<Result<void>> send_parts(std::span<const std::string_view> parts, int flags) {
    std::array<iovec, max_parts> vectors;
    std::size_t count = 0;
    for (const auto& part : parts) {
      if (part.empty()) continue;
      vectors[count++] = {const_cast<char*>(part.data()), part.size()};
    }
    std::size_t first = 0;
    while (first < count) {
      msghdr message{};
      message.msg_iov = &vectors[first];
      message.msg_iovlen = count - first;
      const ssize_t sent =
          ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) {
        if (auto ready = co_await wait_writable(); !ready) co_return ready;
        continue;
      }
      if (sent < 0) co_return fail_send(errno);
      auto left = static_cast<std::size_t>(sent);
      while (first < count && left >= vectors[first].iov_len) left -= vectors[first++].iov_len;
      if (first < count) {
        vectors[first].iov_base = static_cast<char*>(vectors[first].iov_base) + left;
        vectors[first].iov_len -= left;
      }
    }
    co_return Result<void>();
  }

  asio::awaitable<Result<void>> send_extent(const FileExtent& extent) {
    auto offset = static_cast<off_t>(extent.offset);
    std::uint64_t left = extent.length;
    while (left > 0) {
      const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(left, sendfile_step));
      const ssize_t sent = ::sendfile(socket_.native_handle(), extent.file->get(), &offset, step);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) {
        if (auto ready = co_await wait_writable(); !ready) co_return ready;
        continue;
      }
      if (sent < 0) co_return fail_send(errno);
      if (sent == 0) {
        co_return fail(ErrorCode::corrupted, "send a stored body: the file ends {} bytes early",
                       left);
      }
      left -= static_cast<std::uint64_t>(sent);
      // A fast reader never blocks us: let the other connections of this thread have their turn.
      if (static_cast<std::size_t>(sent) == step && left > 0) {
        co_await asio::post(socket_.get_executor(), asio::use_awaitable);
        if (auto ok = permitted(); !ok) co_return ok;
      }
    }
    co_return Result<void>();
  }

  static std::unexpected<Error> fail_send(int error_number) {
    if (error_number == EPIPE || error_number == ECONNRESET) {
      return fail(ErrorCode::unavailable, "write to the peer: it closed the connection");
    }
    return fail_errno(error_number, "write to the peer");
  }

  Socket socket_;
};

// A connection with bytes that were read before it changed hands.
class RawConnection final : public Exchange::RawConnection {
 public:
  RawConnection(std::unique_ptr<Exchange::RawConnection> connection, std::string buffered)
      : connection_(std::move(connection)), buffered_(std::move(buffered)) {}

  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (at_ == buffered_.size()) return connection_->read(out);
    return read_buffered(out);
  }
  asio::awaitable<Result<void>> write(std::span<const std::byte> data) override {
    return connection_->write(data);
  }
  void close() override { connection_->close(); }

 private:
  asio::awaitable<Result<std::size_t>> read_buffered(std::span<std::byte> out) {
    const std::size_t n = std::min(out.size(), buffered_.size() - at_);
    std::memcpy(out.data(), buffered_.data() + at_, n);
    at_ += n;
    if (at_ == buffered_.size()) {
      std::string().swap(buffered_);
      at_ = 0;
    }
    co_return n;
  }

  std::unique_ptr<Exchange::RawConnection> connection_;
  std::string buffered_;
  std::size_t at_ = 0;
};

}  // namespace

struct Watchdog::State {
  State(asio::any_io_executor executor, Target& t) : timer(std::move(executor)), target(&t) {}

  asio::steady_timer timer;
  Target* target;  // null once the watchdog is gone
  Clock::time_point deadline = Clock::time_point::max();
  bool waiting = false;
};

Watchdog::Watchdog(asio::any_io_executor executor, Target& target)
    : state_(std::make_shared<State>(std::move(executor), target)) {}

Watchdog::~Watchdog() {
  state_->target = nullptr;
  state_->timer.cancel();
}

void Watchdog::arm(std::chrono::milliseconds limit) {
  if (limit.count() <= 0) return disarm();
  state_->deadline = Clock::now() + limit;
  if (!state_->waiting || state_->timer.expiry() > state_->deadline) wait(state_);
}

void Watchdog::disarm() { state_->deadline = Clock::time_point::max(); }

void Watchdog::wait(std::shared_ptr<State> state) {
  state->waiting = true;
  auto& timer = state->timer;
  timer.expires_at(state->deadline);  // cancels an earlier wait, whose handler then does nothing
  timer.async_wait([state = std::move(state)](const error_code& error) mutable {
    if (error || state->target == nullptr) return;
    state->waiting = false;
    if (state->deadline == Clock::time_point::max()) return;
    if (Clock::now() < state->deadline) return wait(std::move(state));
    state->deadline = Clock::time_point::max();
    state->target->expire();
  });
}

Transport::Transport(asio::any_io_executor executor, bool secure)
    : watchdog_(std::move(executor), *this), secure_(secure) {}

void Transport::set_guard(const SendGuard* guard) {
  guard_ = guard;
  asked_at_ = Clock::now();
}

Result<void> Transport::permitted() {
  if (guard_ == nullptr) return {};
  const auto now = Clock::now();
  if (now - asked_at_ < guard_->every) return {};
  asked_at_ = now;
  if (guard_->go_on()) return {};
  guard_ = nullptr;
  close();
  return fail(ErrorCode::cancelled, "the answer was cut off");
}

void Transport::begin_wait() {
  if (guard_ != nullptr) {
    wait_until_ = timeout_.count() > 0 ? Clock::now() + timeout_ : Clock::time_point::max();
    return watchdog_.arm(timeout_.count() > 0 ? std::min(timeout_, guard_->every) : guard_->every);
  }
  if (timeout_.count() > 0) watchdog_.arm(timeout_);
}

void Transport::begin_write_wait() {
  queued_ = bytes_queued(socket_of().native_handle());
  begin_wait();
}

Result<void> Transport::end_wait(const error_code& error, std::string_view what) {
  watchdog_.disarm();
  queued_ = 0;
  if (!error) return {};
  if (expired_) return fail(ErrorCode::timed_out, "{}: no progress in time", what);
  if (error == asio::error::operation_aborted) return fail(ErrorCode::cancelled, "{}", what);
  if (error == asio::error::connection_reset || error == asio::error::broken_pipe ||
      error == asio::error::eof || error == asio::error::bad_descriptor) {
    return fail(ErrorCode::unavailable, "{}: {}", what, error.message());
  }
  return fail(ErrorCode::io, "{}: {}", what, error.message());
}

Result<void> Transport::usable() const {
  if (expired_) return fail(ErrorCode::timed_out, "the connection timed out before");
  return {};
}

void Transport::expire() {
  if (guard_ != nullptr) {
    if (!permitted()) return;
    if (Clock::now() < wait_until_) return watchdog_.arm(guard_->every);
    wait_until_ = Clock::now() + timeout_;  // for who is slow, as below
  }
  const int left = queued_ == 0 ? 0 : bytes_queued(socket_of().native_handle());
  if (queued_ - left >= least_taken) {
    queued_ = left;
    return watchdog_.arm(guard_ != nullptr ? guard_->every : timeout_);
  }
  expired_ = true;
  cancel();
}

void Transport::cancel() {
  error_code ignored;
  socket_of().cancel(ignored);
}

void Transport::close() {
  error_code ignored;
  socket_of().close(ignored);
}

asio::awaitable<Result<void>> Transport::write(std::span<const std::byte> data) {
  const std::array<std::string_view, 1> parts{
      std::string_view(reinterpret_cast<const char*>(data.data()), data.size())};
  co_return co_await write_parts(parts);
}

asio::awaitable<void> Transport::linger(std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  set_timeout(std::max(limit, std::chrono::milliseconds(500)));
  co_await send_end();
  std::array<std::byte, 4096> sink;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) break;
    set_timeout(left);
    // What comes is thrown away as it is, encrypted or not.
    begin_wait();
    error_code error;
    co_await socket_of().async_read_some(asio::buffer(sink),
                                         asio::redirect_error(asio::use_awaitable, error));
    if (!end_wait(error, "wait for the peer's end")) break;
  }
  close();
}

std::unique_ptr<Transport> make_plain_transport(Transport::Socket socket) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  return std::make_unique<PlainTransport>(std::move(socket));
}

std::unique_ptr<Exchange::RawConnection> make_raw_connection(
    std::unique_ptr<Exchange::RawConnection> connection, std::string buffered) {
  if (buffered.empty()) return connection;
  return std::make_unique<RawConnection>(std::move(connection), std::move(buffered));
}

}  // namespace holdfast::net
