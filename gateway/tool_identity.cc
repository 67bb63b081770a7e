#include "gateway/tool_identity.h"

#include <algorithm>

#include "base/encoding.h"
#include "gateway/web_cookies.h"

namespace holdfast::gateway {
namespace {

constexpr std::size_t ticket_limit = 10'000;
constexpr std::chrono::seconds ticket_lifetime{30};

}  // namespace

ToolIdentity::ToolIdentity(std::string secret, control::Sessions& sessions,
                           control::PolicyPublisher& policy, const Clock& clock, Random& random)
    : secret_(std::move(secret)),
      sessions_(sessions),
      policy_(policy),
      clock_(clock),
      random_(random) {}

std::string ToolIdentity::issue(const control::Session& session, std::string_view label) {
  const auto now = clock_.now();
  std::string ticket = random_.hex(32);
  const std::scoped_lock lock(mutex_);
  std::erase_if(tickets_, [now](const auto& entry) { return entry.second.expires <= now; });
  if (tickets_.size() >= ticket_limit) tickets_.erase(tickets_.begin());
  tickets_.emplace(
      ticket, Ticket{session.principal, session.id, std::string(label), now + ticket_lifetime});
  return ticket;
}

std::optional<std::string> ToolIdentity::redeem(std::string_view ticket, std::string_view label) {
  Ticket found;
  {
    const std::scoped_lock lock(mutex_);
    auto node = tickets_.extract(std::string(ticket));
    if (!node) return std::nullopt;
    found = std::move(node.mapped());
  }
  if (found.label != label || found.expires <= clock_.now()) return std::nullopt;
  const std::string value = fmt::format("{}.{}.{}", found.principal.value, found.session_id,
                                        mac(label, found.principal, found.session_id));
  const std::chrono::seconds age = control::Sessions::session_lifetime;
  return set_cookie({cookie_name, value, age.count()});
}

std::optional<ToolVisitor> ToolIdentity::visitor(const net::Headers& headers,
                                                 std::string_view label) {
  const auto cookie = cookie_value(headers, cookie_name);
  const auto first = cookie.find('.');
  const auto second = cookie.find('.', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  ToolVisitor visitor{PrincipalName(std::string(cookie.substr(0, first))),
                      std::string(cookie.substr(first + 1, second - first - 1))};
  if (!constant_time_equal(cookie.substr(second + 1),
                           mac(label, visitor.principal, visitor.session_id))) {
    return std::nullopt;
  }
  if (!still_valid(visitor)) return std::nullopt;
  const auto snapshot = policy_.current();
  const auto* record = snapshot->find_principal(visitor.principal);
  visitor.admin = record != nullptr && record->admin;
  return visitor;
}

bool ToolIdentity::still_valid(const ToolVisitor& visitor) {
  const auto snapshot = policy_.current();
  const auto* record = snapshot->find_principal(visitor.principal);
  if (record == nullptr || record->disabled) return false;
  const auto now = clock_.now();
  return std::ranges::any_of(sessions_.of(visitor.principal), [&](const auto& session) {
    return session.id == visitor.session_id && session.expires > now;
  });
}

std::string ToolIdentity::mac(std::string_view label, const PrincipalName& principal,
                              std::string_view session_id) const {
  return hmac_hex(secret_, fmt::format("tool {} {} {}", label, principal.value, session_id));
}

}  // namespace holdfast::gateway
