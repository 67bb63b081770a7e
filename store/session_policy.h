// Session policies for an endpoint's STS: what temporary credentials may do there at most. They
// allow and never deny, so what cannot be said exactly is left out. Pure.
// AWS IAM user guide, "Policies and permissions" (session policies).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"

namespace holdfast::store {

enum class SessionRight : std::uint8_t { read, write };  // write: read, put and delete

struct SessionPlace {
  BucketName bucket;   // as the endpoint calls it
  std::string prefix;  // whole components: "data/" covers "data", "data/" and "data/x"
  SessionRight right = SessionRight::read;
};

// AWS takes no longer one, nor does Ceph.
inline constexpr std::size_t max_session_policy_bytes = 2'048;

// Whether a policy can name this and nothing else: no character that is a pattern or a variable
// there, none that endpoints read differently.
bool can_be_named(std::string_view path);

// To list, read and, where asked, write there. REQUIRES: every prefix can be named.
std::string session_policy(std::span<const SessionPlace> places);
// To put this one key and nothing else, so that a part cannot be copied from anywhere. nullopt: the
// key cannot be named.
std::optional<std::string> part_policy(const BucketName& bucket, const ObjectKey& key);

}  // namespace holdfast::store
