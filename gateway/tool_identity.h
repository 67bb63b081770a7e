// Who a browser is on a tool host: one-time tickets that carry a sign-in from the console's host,
// and the signed cookie that each tool host gets for itself. The cookie names a web session, so it
// ends with that session. Thread-safe. Internal to gateway/.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/random.h"
#include "control/publisher.h"
#include "control/sessions.h"
#include "net/http_message.h"

namespace holdfast::gateway {

struct ToolVisitor {
  PrincipalName principal;
  std::string session_id;
  bool admin = false;
};

class ToolIdentity {
 public:
  static constexpr std::string_view cookie_name = "__Host-holdfast-tool";

  ToolIdentity(std::string secret, control::Sessions& sessions, control::PolicyPublisher& policy,
               const Clock& clock, Random& random);

  // A ticket for one tool host; worth something once, for 30 s.
  std::string issue(const control::Session& session, std::string_view label);
  // The Set-Cookie value that a ticket buys on `label`; nullopt: used, expired or for another host.
  std::optional<std::string> redeem(std::string_view ticket, std::string_view label);
  // Whose cookie this is, while the session lives and the person is not disabled.
  std::optional<ToolVisitor> visitor(const net::Headers& headers, std::string_view label);
  // The same question again for somebody who holds a connection open.
  bool still_valid(const ToolVisitor& visitor);

 private:
  struct Ticket {
    PrincipalName principal;
    std::string session_id, label;
    TimePoint expires{};
  };
  std::string mac(std::string_view label, const PrincipalName& principal,
                  std::string_view session_id) const;

  std::string secret_;
  control::Sessions& sessions_;
  control::PolicyPublisher& policy_;
  const Clock& clock_;
  Random& random_;
  std::mutex mutex_;
  std::unordered_map<std::string, Ticket> tickets_;  // bounded by ticket_limit
};

}  // namespace holdfast::gateway
