// Transport: one TCP connection, plain or TLS, with a time-out on every wait. All calls on its
// executor; one reader and one writer at a time. Net's own; others see it as a RawConnection.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <string_view>

#include "base/body.h"
#include "base/error.h"
#include "net/http_server.h"
#include "net/tls_identity.h"

namespace holdfast::net {

// Calls `expire` when a deadline passes. Setting one is cheap: the timer underneath is only
// touched when it would fire too late; when it fires too early it moves itself.
class Watchdog {
 public:
  class Target {
   public:
    virtual void expire() = 0;

   protected:
    ~Target() = default;
  };

  Watchdog(boost::asio::any_io_executor executor, Target& target);
  ~Watchdog();
  void arm(std::chrono::milliseconds limit);  // zero: no deadline
  void disarm();

 private:
  struct State;
  static void wait(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

class Transport : public Exchange::RawConnection, private Watchdog::Target {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  // How long one wait for the peer may last from now on; zero: for ever.
  void set_timeout(std::chrono::milliseconds limit) { timeout_ = limit; }
  bool timed_out() const { return expired_; }
  // After a time-out every call fails at once; this lets a last answer out.
  void forget_timeout() { expired_ = false; }

  // Asked from now on by what sends; null: nobody. REQUIRES: it lives until it is taken away.
  void set_guard(const SendGuard* guard);
  // Asks the guard if that is due. An error: the connection is closed.
  Result<void> permitted();

  // All parts in order, by one gather write where possible.
  virtual boost::asio::awaitable<Result<void>> write_parts(
      std::span<const std::string_view> parts) = 0;
  // `head`, then the extents: by sendfile(2) on plain TCP.
  virtual boost::asio::awaitable<Result<void>> write_extents(
      std::string_view head, std::span<const FileExtent> extents) = 0;
  virtual boost::asio::awaitable<Result<void>> handshake() = 0;
  // Sends our end, waits for the peer's (at most `limit`; zero: not at all) and closes, so that an
  // answer sent before an unread request is not lost to a reset.
  boost::asio::awaitable<void> linger(std::chrono::milliseconds limit);
  // Wakes pending calls with an error, leaves the connection open.
  void cancel();
  bool secure() const { return secure_; }
  Socket& socket() { return socket_of(); }

  boost::asio::awaitable<Result<void>> write(std::span<const std::byte> data) final;
  void close() final;

 protected:
  Transport(boost::asio::any_io_executor executor, bool secure);
  virtual Socket& socket_of() = 0;
  virtual boost::asio::awaitable<void> send_end() = 0;

  // Around each wait: begin_wait() arms the time-out, end_wait() turns its outcome into an error.
  void begin_wait();
  // A peer that is slow takes from the socket's buffer long before the socket can be written again:
  // while it takes some of it in each time-out the wait goes on.
  void begin_write_wait();
  Result<void> end_wait(const boost::system::error_code& error, std::string_view what);
  Result<void> usable() const;

 private:
  void expire() final;

  Watchdog watchdog_;
  const SendGuard* guard_ = nullptr;
  std::chrono::steady_clock::time_point asked_at_, wait_until_;
  std::chrono::milliseconds timeout_{0};
  int queued_ = 0;  // bytes in the socket's buffer, of a wait to write
  bool expired_ = false;
  bool secure_ = false;
};

std::unique_ptr<Transport> make_plain_transport(Transport::Socket socket);
// With the identity of this moment, whatever it is replaced by later.
std::unique_ptr<Transport> make_tls_transport(Transport::Socket socket,
                                              const TlsIdentity& identity);

// The connection as its new owner sees it: bytes already read come first.
std::unique_ptr<Exchange::RawConnection> make_raw_connection(
    std::unique_ptr<Exchange::RawConnection> connection, std::string buffered);

}  // namespace holdfast::net
