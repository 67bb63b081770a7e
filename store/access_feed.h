// AccessFeed: what the caller may see of the store, and word of it when that changes. Served by a
// Holdfast gateway as `GET /?holdfast-access&epoch=N&wait=SECONDS` (signed), which answers JSON
// {"epoch":N,"principal":"alice","visible":[{"bucket","prefix","level","not_after"}]}.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "store/object_store.h"

namespace holdfast::store {

enum class AccessLevel : std::uint8_t { read, write, drop, admin };

struct VisibleEntry {
  BucketName bucket;
  std::string prefix;  // empty: the whole bucket
  AccessLevel level = AccessLevel::read;
  std::optional<TimePoint> not_after;
};

struct AccessPage {
  std::uint64_t epoch = 0;
  PrincipalName principal;
  std::vector<VisibleEntry> visible;  // in byte order of (bucket, prefix)
};

class AccessFeed {
 public:
  virtual ~AccessFeed() = default;
  // Answers at once when the epoch is not `after_epoch`, else after `wait` at the latest (whole
  // seconds, at most 60). not_supported where the endpoint is no Holdfast gateway.
  virtual Async<AccessPage> access(std::uint64_t after_epoch, std::chrono::milliseconds wait) = 0;
};

}  // namespace holdfast::store
