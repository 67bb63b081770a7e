// StreamClient: HTTP/1.1 to an upstream on a connection of one's own, message by message, with our
// own framing: what a proxy needs (RFC 9112, RFC 9110 section 7.6). And relay(), which joins two
// raw connections once a protocol switch is done (RFC 6455 does not matter to it).
// All calls on the executor of the coroutine that connected. One request at a time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/body.h"
#include "base/error.h"
#include "net/framed_reader.h"
#include "net/http_message.h"
#include "net/http_parse.h"
#include "net/http_server.h"

namespace holdfast::net {

using RawConnection = Exchange::RawConnection;
class Transport;

struct ConnectTarget {
  std::string host;  // name or address
  std::uint16_t port = 0;
  std::chrono::milliseconds deadline{5'000};  // for all addresses of the name together
};

// unavailable: refused or unreachable. timed_out. invalid_argument: no such name.
boost::asio::awaitable<Result<std::unique_ptr<RawConnection>>> connect(ConnectTarget target);

// The head as it is sent: the request line and fields as given, then Content-Length or
// Transfer-Encoding of `framing`; those two in `head` are left out. malformed when a part of it is
// unfit to be sent.
Result<std::string> write_request_head(const RequestHead& head, const Framing& framing);

// RFC 9110 section 7.6.1: removes Connection, the fields it names, Keep-Alive, Proxy-Connection,
// TE, Transfer-Encoding and Upgrade. A proxy that relays an upgrade adds those two again.
void remove_hop_by_hop(Headers& headers);

class StreamClient {
 public:
  struct Timeouts {
    std::chrono::milliseconds head{60'000};   // request sent to response head
    std::chrono::milliseconds stall{60'000};  // without progress of a body; zero: none
  };

  static boost::asio::awaitable<Result<std::unique_ptr<StreamClient>>> connect(ConnectTarget target,
                                                                               Timeouts timeouts);
  // On a connection that is there already.
  static std::unique_ptr<StreamClient> over(std::unique_ptr<Transport> transport,
                                            Timeouts timeouts);
  ~StreamClient();

  // `body` may be null when framing is none. Sends the head, then all of the body.
  boost::asio::awaitable<Result<void>> send(RequestHead head, Framing framing, BodyReader* body);
  // Returns when the peer has sent something or closed, or when the coroutine is cancelled; beside
  // a send(), whose end an answer need not wait for.
  boost::asio::awaitable<void> wait_answer();
  // The final head, or 101; other 1xx are skipped.
  boost::asio::awaitable<Result<ParsedResponse>> read_head();
  // The body of the response whose head was read. Lives as long as this client.
  BodyReader& body();

  // After the body's end: the connection may carry another request.
  bool reusable() const;
  // After a 101: the connection itself, with what was already read.
  std::unique_ptr<RawConnection> release();
  void close();

 private:
  struct State;
  explicit StreamClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct RelayOptions {
  std::chrono::milliseconds idle_timeout{0};  // no byte either way; zero: for ever
};

struct RelayCount {
  std::uint64_t to_left = 0;
  std::uint64_t to_right = 0;
};

// Copies both ways until either side ends, an error, the idle time-out (timed_out) or cancellation;
// then closes both. A slow reader slows its writer: one buffer a direction, 4 KiB that grow to
// 64 KiB while they run full.
boost::asio::awaitable<Result<RelayCount>> relay(RawConnection& left, RawConnection& right,
                                                 RelayOptions options);

}  // namespace holdfast::net
