// Sessions: web sign-in. A session token is 256 random bits of which only the SHA-256 is kept; a
// one-time link is consumed by its first use and expires. Thread-safe. find() answers from memory
// and never waits for the disk; the other calls block and belong on a BlockingPool.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "control/records.h"
#include "control/registry.h"

namespace holdfast::control {

struct Session {
  std::string id;  // hex of the token's hash: may be shown and logged
  PrincipalName principal;
  TimePoint created{}, expires{}, last_used{};
};
struct NewSession {
  std::string token;  // base64url, for the cookie; never stored or logged
  Session session;
};
struct SignInLink {
  std::string token;  // base64url, for /signin/TOKEN
  PrincipalName principal;
  TimePoint expires{};
};

class Sessions {
 public:
  static constexpr std::chrono::hours session_lifetime{12};
  static constexpr std::chrono::minutes link_lifetime{30};

  static Result<std::unique_ptr<Sessions>> open(Registry& registry, const Clock& clock,
                                                Random& random);
  ~Sessions();  // before the registry
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  // Administrators make links for anybody, a principal for itself. The principal must exist and
  // not be disabled.
  Result<SignInLink> create_link(const Actor& actor, const PrincipalName& principal);
  // Consumes the link and begins a session. Used, expired and unknown links are `expired`, each
  // audited as a denial.
  Result<NewSession> sign_in(const Actor& actor, std::string_view link_token);
  // A session without a link, once an identity provider has vouched for the principal.
  Result<NewSession> begin(const Actor& actor, const PrincipalName& principal);

  // The live session of a cookie's token. Whether its principal is disabled is the policy
  // snapshot's to say.
  std::optional<Session> find(std::string_view token);
  Result<void> end(const Actor& actor, std::string_view token);
  Result<void> end_all(const Actor& actor, const PrincipalName& principal);
  std::vector<Session> of(const PrincipalName& principal);

 private:
  Sessions(Registry& registry, const Clock& clock, Random& random);
  void forget(const PrincipalName& principal);  // disabled or removed: its sessions have ended
  Result<NewSession> store(const Actor& actor, const PrincipalName& principal,
                           const std::string* link_hash);

  Registry& registry_;
  const Clock& clock_;
  Random& random_;
  std::mutex mutex_;
  std::unordered_map<std::string, Session> sessions_;  // by id
};

}  // namespace holdfast::control
