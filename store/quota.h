// A bucket's quota and what it counts: the bytes and the number of all versions, and the bytes of
// the parts of open uploads. Delete markers count nothing, so that a full bucket can be emptied.
// Kept as BucketDocument::quota, {"bytes":N,"objects":N}, a missing member being no limit. Every
// store holds it inside its commit: concurrent writers cannot pass it together. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "store/object_types.h"

namespace holdfast::store {

struct Quota {
  std::optional<std::uint64_t> bytes, objects;
  bool limits() const { return bytes || objects; }
};

// invalid_argument: no JSON object of these members, or a number beyond 2^63.
Result<Quota> parse_quota(std::string_view json);
std::string to_json(const Quota& quota);

// What a write brings and what it takes the place of.
struct UsageChange {
  BucketUsage added, replaced;
};
// quota_exceeded when the write would leave more than the quota. One that grows nothing is allowed
// in a bucket that is over its quota already.
Result<void> check_quota(const Quota& quota, const BucketUsage& present, const UsageChange& change);

}  // namespace holdfast::store
