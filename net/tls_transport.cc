// TLS over a TCP connection, on OpenSSL with a pair of memory-less ends of our own: what OpenSSL
// reads comes straight from the socket, what it writes is gathered, so that many records leave by
// one system call. Nothing that OpenSSL does ever waits for room to write; we do, between calls.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <optional>
#include <string>

#include "net/transport.h"

namespace holdfast::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Plain bytes that are encrypted before the socket is asked to take them.
constexpr std::size_t batch_bytes = 128u << 10;
// What may wait for the socket. Only a peer that makes us answer and reads nothing gets here.
constexpr std::size_t most_pending = 512u << 10;
// Below this, parts are joined into one record.
constexpr std::size_t join_limit = 16u << 10;

// What the BIO has in hand: the socket, and what is to be sent.
struct Wire {
  int fd = -1;
  std::string out;
  std::size_t sent = 0;
  bool ended = false;  // the peer closed without close_notify
  int read_error = 0;

  std::size_t pending() const { return out.size() - sent; }
};

int wire_write(BIO* bio, const char* data, int size) {
  auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire.pending() > most_pending) return -1;
  wire.out.append(data, static_cast<std::size_t>(size));
  return size;
}

int wire_read(BIO* bio, char* out, int size) {
  auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  for (;;) {
    const ssize_t got = ::recv(wire.fd, out, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (got > 0) return static_cast<int>(got);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      BIO_set_retry_read(bio);
      return -1;
    }
    if (got == 0) wire.ended = true;
    wire.read_error = got < 0 ? errno : 0;
    return got == 0 ? 0 : -1;
  }
}

long wire_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
}

BIO_METHOD* make_wire_method() {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "holdfast");
  BIO_meth_set_write(method, wire_write);
  BIO_meth_set_read(method, wire_read);
  BIO_meth_set_ctrl(method, wire_control);
  return method;
}

// Constant once made; OpenSSL asks for one of a kind.
const BIO_METHOD* wire_method() {
  static const BIO_METHOD* const method = make_wire_method();
  return method;
}

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

std::string reason_of_failure() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason != nullptr ? reason : "the peer broke off";
}

class TlsTransport final : public Transport {
 public:
  TlsTransport(Socket socket, const TlsIdentity& identity)
      : Transport(socket.get_executor(), true),
        socket_(std::move(socket)),
        ssl_(SSL_new(identity.context().get())) {
    wire_.fd = socket_.native_handle();
    BIO* bio = BIO_new(wire_method());
    BIO_set_data(bio, &wire_);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_accept_state(ssl_.get());
  }

  asio::awaitable<Result<void>> handshake() override {
    for (;;) {
      if (auto ok = standing(); !ok) co_return ok;
      ERR_clear_error();
      const int done = SSL_do_handshake(ssl_.get());
      const int state = SSL_get_error(ssl_.get(), done);
      if (done != 1 && state != SSL_ERROR_WANT_READ) co_return co_await refuse_handshake();
      if (auto sent = co_await flush(); !sent) co_return sent;
      if (done == 1) co_return Result<void>();
      if (auto ready = co_await wait_for(Socket::wait_read, "TLS handshake"); !ready) {
        co_return ready;
      }
    }
  }

  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    for (;;) {
      if (auto ok = standing(); !ok) co_return std::unexpected(ok.error());
      auto got = decrypt(out);
      // What OpenSSL answers on its own leaves now, or with our next bytes.
      if (!flushing_ && wire_.pending() > 0) send_some();
      if (!got) co_return std::unexpected(got.error());
      if (*got) co_return **got;
      if (auto ready = co_await wait_for(Socket::wait_read, "read from the peer"); !ready) {
        co_return std::unexpected(ready.error());
      }
    }
  }

  asio::awaitable<Result<void>> write_parts(std::span<const std::string_view> parts) override {
    std::string joined;
    for (const auto& part : parts) {
      if (part.size() <= join_limit) {
        joined += part;
        continue;
      }
      if (auto made = encrypt(joined); !made) co_return made;
      joined.clear();
      for (std::size_t at = 0; at < part.size(); at += batch_bytes) {
        if (auto made = encrypt(part.substr(at, batch_bytes)); !made) co_return made;
        if (auto sent = co_await flush(); !sent) co_return sent;
      }
    }
    if (auto made = encrypt(joined); !made) co_return made;
    auto sent = co_await flush();
    shrink();
    co_return sent;
  }

  asio::awaitable<Result<void>> write_extents(std::string_view head,
                                              std::span<const FileExtent> extents) override {
    if (auto made = encrypt(head); !made) co_return made;
    for (const auto& extent : extents) {
      for (std::uint64_t done = 0; done < extent.length;) {
        const auto step = std::min<std::uint64_t>(extent.length - done, batch_bytes);
        if (auto made = encrypt_file(extent, done, step); !made) co_return made;
        done += step;
        if (auto sent = co_await flush(); !sent) co_return sent;
        // A fast reader never blocks us: let the other connections of this thread have their turn.
        if (done < extent.length && ++batches_ % 8 == 0) {
          co_await asio::post(socket_.get_executor(), asio::use_awaitable);
          if (auto ok = permitted(); !ok) co_return ok;
        }
      }
    }
    auto sent = co_await flush();
    shrink();
    co_return sent;
  }

 protected:
  Socket& socket_of() override { return socket_; }

  asio::awaitable<void> send_end() override {
    if (!failed_ && SSL_is_init_finished(ssl_.get())) {
      ERR_clear_error();
      SSL_shutdown(ssl_.get());
      (void)co_await flush();
    }
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }

 private:
  asio::awaitable<Result<void>> wait_for(Socket::wait_type what, std::string_view doing) {
    if (auto ok = standing(); !ok) co_return ok;
    if (what == Socket::wait_write) {
      begin_write_wait();
    } else {
      begin_wait();
    }
    error_code error;
    co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, error));
    auto ended = end_wait(error, doing);
    if (ended && what == Socket::wait_write) ended = permitted();
    co_return ended;
  }

  // The alert, if OpenSSL made one. Who speaks plain HTTP is told so.
  asio::awaitable<Result<void>> refuse_handshake() {
    failed_ = true;
    const bool plain = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST;
    const std::string reason = reason_of_failure();
    if (plain) {
      constexpr std::string_view sentence = "this port speaks HTTPS only: use https://\n";
      wire_.out = fmt::format(
          "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n"
          "Connection: close\r\n\r\n{}",
          sentence.size(), sentence);
      wire_.sent = 0;
    }
    if (!wire_.ended && wire_.read_error == 0) (void)co_await flush();
    co_return fail(ErrorCode::unavailable, "TLS handshake: {}", reason);
  }

  // nullopt: bytes must come first.
  Result<std::optional<std::size_t>> decrypt(std::span<std::byte> out) {
    ERR_clear_error();
    std::size_t got = 0;
    const int done = SSL_read_ex(ssl_.get(), out.data(), out.size(), &got);
    if (done == 1) return got;
    switch (SSL_get_error(ssl_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        return std::nullopt;
      case SSL_ERROR_ZERO_RETURN:
        return 0;
      default:
        break;
    }
    failed_ = true;
    // A cut without close_notify is told apart by the message's own framing.
    if (wire_.ended) return 0;
    if (wire_.read_error != 0) {
      return fail(ErrorCode::unavailable, "read from the peer: {}",
                  error_code(wire_.read_error, boost::system::system_category()).message());
    }
    return fail(ErrorCode::unavailable, "read from the peer: {}", reason_of_failure());
  }

  Result<void> encrypt(std::string_view plain) {
    while (!plain.empty()) {
      ERR_clear_error();
      std::size_t taken = 0;
      if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &taken) != 1) {
        failed_ = true;
        return fail(ErrorCode::unavailable, "write to the peer: {}", reason_of_failure());
      }
      plain.remove_prefix(taken);
    }
    return {};
  }

  // The plain bytes live on the stack only: no connection holds a buffer for them.
  Result<void> encrypt_file(const FileExtent& extent, std::uint64_t from, std::uint64_t length) {
    std::array<std::byte, batch_bytes> plain;
    auto got = read_at(extent.file->get(), std::span(plain).first(length), extent.offset + from);
    if (!got) return std::unexpected(got.error());
    if (*got != length) {
      return fail(ErrorCode::corrupted, "send a stored body: the file ends {} bytes early",
                  extent.length - from - *got);
    }
    return encrypt({reinterpret_cast<const char*>(plain.data()), length});
  }

  // One attempt. True: more can be tried at once.
  Result<bool> send_some() {
    const ssize_t sent = ::send(wire_.fd, wire_.out.data() + wire_.sent, wire_.pending(),
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) return true;
    if (sent < 0 && errno == EAGAIN) return false;
    if (sent < 0) {
      failed_ = true;
      if (errno == EPIPE || errno == ECONNRESET) {
        return fail(ErrorCode::unavailable, "write to the peer: it closed the connection");
      }
      return fail_errno(errno, "write to the peer");
    }
    wire_.sent += static_cast<std::size_t>(sent);
    if (wire_.pending() > 0) return true;
    wire_.sent = 0;
    wire_.out.clear();
    return true;
  }

  // A connection that has nothing to send holds no large buffer.
  void shrink() {
    if (wire_.out.empty() && wire_.out.capacity() > join_limit) std::string().swap(wire_.out);
  }

  Result<void> standing() const {
    if (auto ok = usable(); !ok) return ok;
    if (socket_.is_open()) return {};
    return fail(ErrorCode::cancelled, "the connection was closed");
  }

  asio::awaitable<Result<void>> flush() {
    flushing_ = true;
    Result<void> result;
    while (wire_.pending() > 0) {
      result = standing();
      if (!result) break;
      auto more = send_some();
      if (!more) {
        result = std::unexpected(more.error());
        break;
      }
      if (*more) continue;
      result = co_await wait_for(Socket::wait_write, "write to the peer");
      if (!result) break;
    }
    flushing_ = false;
    co_return result;
  }

  Socket socket_;
  Wire wire_;
  std::unique_ptr<SSL, SslFree> ssl_;
  unsigned batches_ = 0;
  bool flushing_ = false;
  bool failed_ = false;  // nothing more can be said in TLS (SSL_shutdown(3))
};

}  // namespace

std::unique_ptr<Transport> make_tls_transport(Transport::Socket socket,
                                              const TlsIdentity& identity) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  return std::make_unique<TlsTransport>(std::move(socket), identity);
}

}  // namespace holdfast::net
