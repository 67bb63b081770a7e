// Temporary credentials (AWS STS): an access key, a secret and a session token that holds all that
// has to be known of them, sealed with a key of this server (AES-256-GCM), so that they outlive a
// restart and cost no record. They are revoked with what they stand on: the key that asked for
// them, and the principal. Thread-safe.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "control/policy.h"
#include "s3/error.h"
#include "s3/policy_document.h"

namespace holdfast::gateway {

struct TemporarySession {
  control::KeyRecord key;  // with the scope that the parent key has now
  AccessKeyId parent;      // that asked; empty: an identity provider vouched for the principal
  std::string name;        // RoleSessionName
  std::string policy_text;
  std::optional<s3::PolicyDocument> policy;  // narrows what the principal may do
};

bool is_sealed(std::string_view session_token);

class SessionSealer {
 public:
  // `secret`: kept across restarts, never shown.
  SessionSealer(std::string_view secret, Random& random);

  // A fresh pair for the session; fills in id, secret and session token of its key.
  // REQUIRES: key.principal and key.not_after are set.
  TemporarySession issue(TemporarySession session);

  // invalid_token: not ours, altered, or another key's. expired_token: its time is over.
  // invalid_access_key_id: the key that it stands on is gone. The caller checks the principal.
  s3::ApiResult<std::shared_ptr<const TemporarySession>> open(std::string_view token,
                                                              const AccessKeyId& id,
                                                              const control::PolicySnapshot& policy,
                                                              TimePoint now) const;

 private:
  std::string draw(std::string_view alphabet, std::size_t count);
  std::array<unsigned char, 32> key_;
  std::mutex mutex_;  // of the dice
  Random& random_;
};

}  // namespace holdfast::gateway
