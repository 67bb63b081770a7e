// The identity provider whose word AssumeRoleWithWebIdentity takes: one OpenID Connect issuer,
// known by its key set (RFC 7517). A token counts when its signature does (RS256 or ES256 by a key
// of the set, nothing else), and then its issuer, audience and times (RFC 7519, RFC 8725).
// Thread-safe.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace holdfast::gateway {

struct WebIdentityOptions {
  std::string issuer;                    // must equal "iss"
  std::string audience;                  // must be, or be among, "aud"
  std::string claim = "sub";             // that names the principal here
  std::chrono::seconds keys_for{300};    // how long a key set is used before it is read again
  std::chrono::seconds retry_after{30};  // at least, between two reads of it
};

struct WebIdentity {
  std::string principal;  // the claim's value; whether there is such a user is not known here
  std::string subject;
  TimePoint expires{};
};

// Pure. unauthenticated: the token does not count, with a reason for the log; expired. not_found:
// the key set has no key of the token's "kid".
Result<WebIdentity> verify_web_token(std::string_view token, std::string_view key_set,
                                     const WebIdentityOptions& options, TimePoint now);

class WebIdentities {
 public:
  using Fetch = std::function<boost::asio::awaitable<Result<std::string>>()>;

  // `fetch` reads the key set; it runs on the executor of whoever needs it.
  WebIdentities(WebIdentityOptions options, Fetch fetch, const Clock& clock);

  // As verify_web_token; unavailable: the key set cannot be read.
  boost::asio::awaitable<Result<WebIdentity>> verify(std::string token);
  const WebIdentityOptions& options() const { return options_; }

 private:
  std::optional<std::string> known_keys(MonotonicTime not_before);
  boost::asio::awaitable<Result<std::string>> read_keys();

  const WebIdentityOptions options_;
  const Fetch fetch_;
  const Clock& clock_;
  std::mutex mutex_;
  std::string keys_;
  std::optional<MonotonicTime> read_at_;
};

}  // namespace holdfast::gateway
