// HTTP/1.1 server: one io_context a core (IoPool), one coroutine a connection, a handler for each
// request. Built on Beast with stricter framing (see the checklist in http_server.cc): a request
// with Content-Length and Transfer-Encoding, a duplicate Host or Content-Length, a bare LF,
// "chunked, identity" or chunked in HTTP/1.0 is answered 400 and the connection closed.
// Bounds: 64 KiB of head, 100 headers, target 16 KiB; time-outs for head, body progress and idle.
//
// A handler runs on the connection's executor and answers exactly once; one that returns without an
// answer gives a 500. Bodies are streamed: nothing is read before the handler reads, and
// "100 Continue" is sent at its first read only. An unread body is drained up to 256 KiB, or the
// connection is closed.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/body.h"
#include "base/error.h"
#include "net/http_message.h"
#include "net/io_pool.h"
#include "net/tls_identity.h"

namespace holdfast::net {

// Asked while an answer is being sent, on the connection's executor: also when the peer takes
// nothing. False cuts the connection.
struct SendGuard {
  std::function<bool()> go_on;
  std::chrono::milliseconds every{1'000};  // at most so often; when the peer waits, that often
};

// One request and its answer. Lives on the connection's coroutine; never outlives the handler.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const RequestHead& request() const = 0;
  virtual BodyReader& body() = 0;  // decoded of chunked transfer coding; size() if Content-Length
  virtual const boost::asio::ip::tcp::endpoint& peer() const = 0;
  virtual bool secure() const = 0;  // TLS
  virtual bool answered() const = 0;

  // Sends a whole answer. Sets Content-Length; for HEAD the body is not sent but counted.
  virtual boost::asio::awaitable<Result<void>> respond(ResponseHead head, std::string body) = 0;
  // Streams `body`: extents go out by sendfile(2) where there is no TLS. `length` unknown means
  // chunked. For HEAD the body is dropped. An error in the body after the head cuts the connection.
  virtual boost::asio::awaitable<Result<void>> respond(ResponseHead head, Body body,
                                                       std::optional<std::uint64_t> length) = 0;
  // For the answer that is given next.
  virtual void guard(SendGuard guard) = 0;
  // Takes the raw connection for a protocol switch (WebSocket relay): the handler owns it from now
  // on, `buffered` holds bytes already read behind the request's head. Plain TCP and TLS alike.
  struct RawConnection;
  virtual std::unique_ptr<RawConnection> take_over() = 0;
};

// A byte stream: the browser's connection after take_over().
struct Exchange::RawConnection {
  virtual ~RawConnection() = default;
  virtual boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) = 0;  // 0: end
  virtual boost::asio::awaitable<Result<void>> write(std::span<const std::byte> data) = 0;
  virtual void close() = 0;  // wakes a pending read or write with an error; idempotent
};

using Handler = std::function<boost::asio::awaitable<void>(Exchange&)>;

struct ServerOptions {
  // HOST:PORT, port 0 picks one; or "unix:PATH": a socket that only its owner and root may use.
  std::string address = "127.0.0.1:0";
  std::shared_ptr<TlsIdentity> tls;                     // null: plain HTTP
  std::chrono::milliseconds handshake_timeout{10'000};  // of all of it
  std::size_t max_handshakes = 512;                     // going on at once, a thread
  std::chrono::milliseconds head_timeout{30'000};
  std::chrono::milliseconds idle_timeout{75'000};
  std::chrono::milliseconds body_timeout{60'000};  // between two bits of progress
  std::size_t max_connections = 10'000;            // more wait in the accept queue
  std::string server_name = "Holdfast";            // Server header; empty: none
  // Strict-Transport-Security (RFC 6797) of this age on each answer over TLS; zero: none.
  std::chrono::seconds strict_transport{0};
};

class HttpServer {
 public:
  // conflict when the port is in use: the message names the port and what to do.
  static Result<std::unique_ptr<HttpServer>> listen(IoPool& pool, ServerOptions options,
                                                    Handler handler);
  virtual ~HttpServer() = default;
  virtual boost::asio::ip::tcp::endpoint endpoint() const = 0;
  // Stops accepting, lets requests finish for `grace`, then cuts what is left.
  virtual boost::asio::awaitable<void> stop(std::chrono::milliseconds grace) = 0;
  virtual std::size_t connections() const = 0;
};

// Whether a server could listen there now, without keeping it: for who wants to know before it
// makes anything. As listen(). Unix sockets are not tried.
Result<void> check_listen_address(const std::string& address);

}  // namespace holdfast::net
