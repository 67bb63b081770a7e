// What this gateway's buckets are called at the endpoint behind it: one by one, or by a prefix.
// Pure; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/ids.h"

namespace holdfast::store {

class UpstreamNames {
 public:
  UpstreamNames() = default;  // the same here and there
  // `prefix` "acme-": our "homes" is "acme-homes" there. `buckets`: ours to theirs, before the
  // prefix.
  UpstreamNames(std::string prefix, std::map<std::string, std::string> buckets)
      : prefix_(std::move(prefix)), buckets_(std::move(buckets)) {}

  // invalid_argument: a mapping that names no valid bucket, or one twice.
  Result<void> check() const;
  BucketName theirs(const BucketName& ours) const;
  // nullopt: not one of ours.
  std::optional<BucketName> ours(const BucketName& theirs) const;

 private:
  std::string prefix_;
  std::map<std::string, std::string> buckets_;
};

}  // namespace holdfast::store
