// WebService: the handler of the web listener (console, JSON API, sign-in, tool hosts) and of the
// admin socket. It never carries file bytes: those go to signed URLs on the S3 listener.
//
// Sign-in: a one-time link sets the cookie __Host-holdfast (RFC 6265bis): HttpOnly, Secure,
// SameSite=Lax, never for a whole domain. Unsafe calls need the session's CSRF token and, where the
// browser says so, Sec-Fetch-Site: same-origin. Tool hosts have a cookie of their own
// (gateway/tool_proxy.h). Thread-safe; handlers run on the connection's executor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "gateway/web_api.h"
#include "net/http_server.h"

namespace holdfast::gateway {

class ToolProxy;

struct WebServiceOptions {
  std::string domain = "localhost:7080";  // with the port as browsers write it
  std::uint32_t admin_uid = 0;            // beside root, who may use the admin socket
};

class WebService {
 public:
  // `tools` may be null: tool hosts then answer that this server launches none.
  WebService(WebApi& api, ToolProxy* tools, Random& random, WebServiceOptions options);

  boost::asio::awaitable<void> handle(net::Exchange& exchange);        // the web listener
  boost::asio::awaitable<void> handle_admin(net::Exchange& exchange);  // the admin socket

 private:
  boost::asio::awaitable<void> handle_console(net::Exchange& exchange);
  boost::asio::awaitable<void> handle_api(net::Exchange& exchange, Caller caller);
  boost::asio::awaitable<void> sign_in(net::Exchange& exchange, std::string token);
  boost::asio::awaitable<void> sign_out(net::Exchange& exchange, Caller caller);
  boost::asio::awaitable<void> enter_tool(net::Exchange& exchange);
  std::optional<Caller> session_caller(const net::Exchange& exchange);
  control::Actor actor_of(const net::Exchange& exchange);

  WebApi& api_;
  ToolProxy* tools_;
  Random& random_;
  WebServiceOptions options_;
  std::string csrf_secret_;
};

}  // namespace holdfast::gateway
