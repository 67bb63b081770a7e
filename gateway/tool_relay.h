// Relays one request, or one WebSocket, between a browser and a tool's container. Streams both ways
// with back-pressure; no time-out but the connect's, since tools answer when they are done.
// Internal to gateway/.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "control/launcher.h"
#include "net/http_server.h"

namespace holdfast::gateway {

struct RelayTarget {
  control::ToolAddress address;
  std::string public_origin;  // "http://jupyter-alice.localhost:7080"
  std::string user;           // told to the tool as X-Forwarded-User
};

// True for "Connection: Upgrade" with "Upgrade: websocket" (RFC 6455 section 4.2.1).
bool is_websocket_upgrade(const net::RequestHead& request);

// The head as the tool gets it: hop-by-hop fields gone (the client's Connection tokens first), our
// cookies and every inbound forwarding or identity field stripped, ours set.
net::RequestHead head_for_tool(const net::Exchange& exchange, const RelayTarget& target);

// unavailable: nothing was sent to the browser yet, the caller shows why. Other errors: the answer
// had begun and the connection was cut.
boost::asio::awaitable<Result<void>> relay_http(net::Exchange& exchange, RelayTarget target);

// After the switch: runs until either side ends or `until_cut` returns (the right, the session or
// the generation ended).
boost::asio::awaitable<Result<void>> relay_websocket(
    net::Exchange& exchange, RelayTarget target,
    std::function<boost::asio::awaitable<void>()> until_cut);

}  // namespace holdfast::gateway
