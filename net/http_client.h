// HTTP client on libcurl's multi interface, driven by asio (socket and timer callbacks). Keeps
// connections alive per origin; streams bodies both ways with back-pressure; also over unix sockets
// (podman's API), there without libcurl, a connection a request. Follows no redirects. One client
// per executor thread: all calls on its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/body.h"
#include "base/error.h"
#include "net/http_message.h"
#include "net/reach.h"

namespace holdfast::net {

struct ClientRequest {
  std::string method = "GET";
  std::string url;  // absolute; sent as given, never re-encoded or squashed (CURLOPT_PATH_AS_IS)
  Headers headers;  // "Expect:" and "Accept:" are not added unless given
  BodyReader* body = nullptr;              // lives until the response head has arrived
  std::optional<std::uint64_t> body_size;  // nullopt with a body: chunked
  std::string unix_socket;                 // path; empty: TCP. The URL is then an http:// one
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds head_timeout{60'000};   // request sent to response head
  std::chrono::milliseconds stall_timeout{60'000};  // without a byte in either direction
};

// The body reader may be dropped unread: the transfer is then cancelled.
struct ClientResponse {
  unsigned status = 0;
  Headers headers;
  std::unique_ptr<BodyReader> body;
};

struct ClientOptions {
  std::size_t max_connections = 64;       // per client; further requests wait
  std::size_t buffer_bytes = 256u << 10;  // per response body before the transfer is paused
  std::string ca_file;                    // empty: the system's
  Reach reach = Reach::anywhere;          // other addresses are refused: unavailable
};

class HttpClient {
 public:
  HttpClient(boost::asio::any_io_executor executor, ClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Errors: unavailable (refused, reset, DNS), timed_out, cancelled, io. An HTTP status is no
  // error.
  boost::asio::awaitable<Result<ClientResponse>> send(ClientRequest request);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::net
