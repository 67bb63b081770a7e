// ToolProxy: serves TOOL-USER.<domain>. Signs the browser in on that host by a one-time ticket,
// shows the start page while the tool starts, then relays HTTP and WebSockets to the container with
// back-pressure, and says why when it failed. Thread-safe; handlers run on the connection's
// executor.
//
// Headers: the client's Connection tokens are applied first, our cookies and inbound identity
// headers (Forwarded, X-Forwarded-*, X-Real-IP, underscore variants) are stripped, then ours are
// set. The tool's own cookies and Authorization pass. Upgrades need the tool cookie and an Origin
// of the same host. Open sockets are cut when the person's right, the session or the tool's
// generation ends.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "control/launcher.h"
#include "control/publisher.h"
#include "control/sessions.h"
#include "net/http_server.h"

namespace holdfast::gateway {

struct ToolProxyOptions {
  std::string scheme = "http";
  std::string domain = "localhost:7080";  // with port: tools are TOOL-USER.<domain>
  std::string secret;                     // signs the tool hosts' cookies; kept across restarts
};

class ToolProxy {
 public:
  struct Parts {
    control::ToolLauncher& launcher;
    control::PolicyPublisher& policy;
    control::Sessions& sessions;
    control::AuditLog& audit;
    const Clock& clock;
    Random& random;
  };
  ToolProxy(Parts parts, ToolProxyOptions options);
  ~ToolProxy();

  // The label before ".<domain>" when `host` is a tool host; nullopt for every other host.
  std::optional<std::string> tool_label(std::string_view host) const;
  // A request on a tool host.
  boost::asio::awaitable<void> handle(net::Exchange& exchange, std::string label);
  // For GET /enter on the console's host: where to send the signed-in `session`'s browser so that
  // it gets the cookie of that tool host: a one-time ticket of 30 s. access_denied when the tool is
  // another person's (administrators may enter too; it is audited), not_found for no such tool.
  Result<std::string> ticket_url(const control::Session& session, std::string_view label,
                                 std::string_view to);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::gateway
