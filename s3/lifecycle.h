// Lifecycle configurations of buckets (AWS S3 API reference, PutBucketLifecycleConfiguration):
// reading, checking, writing, and what a rule says of one object. Pure; any thread.
// Not supported: transitions to other storage classes, since there is one only (not_implemented).
// More lenient than AWS: a Filter may hold several conditions without <And>; all must hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "s3/error.h"
#include "s3/headers.h"

namespace holdfast::s3 {

struct LifecycleFilter {
  std::string prefix;
  Tags tags;                                               // all must be there
  std::optional<std::uint64_t> larger_than, smaller_than;  // bytes, exclusive
  bool at_rule = false;  // written as the rule's own <Prefix>, the older form
};

struct LifecycleRule {
  std::string id;
  bool enabled = false;
  LifecycleFilter filter;
  // Expiration: one of the three.
  std::optional<std::uint32_t> expire_days;
  std::optional<TimePoint> expire_date;
  bool expire_markers = false;  // delete markers with no version behind them
  std::optional<std::uint32_t> noncurrent_days;
  std::uint32_t keep_noncurrent = 0;  // NewerNoncurrentVersions: so many newest ones stay
  std::optional<std::uint32_t> abort_days;
};
using LifecycleRules = std::vector<LifecycleRule>;

// malformed_xml, invalid_argument (0 days, an id twice or too long), invalid_request. Rules without
// an id get one made of their place.
ApiResult<LifecycleRules> parse_lifecycle(std::string_view text);
std::string write_lifecycle(const LifecycleRules& rules);

// One version, or one multipart upload (size 0, no tags), as filters see it.
struct LifecycleSubject {
  std::string_view key;
  std::uint64_t size = 0;
  const Tags* tags = nullptr;  // null: none
  bool delete_marker = false;  // has neither size nor tags: filters on these leave it alone
};
bool applies(const LifecycleRule& rule, const LifecycleSubject& subject);

// How long a day is: shorter ones are for tests.
inline constexpr std::chrono::seconds whole_day{86'400};
// When `days` have passed: rounded up to the next midnight UTC, unless days are shortened.
TimePoint after_days(TimePoint from, std::uint32_t days, std::chrono::seconds day);

// The first rule by which the current version expires.
struct Expiry {
  TimePoint at{};
  const LifecycleRule* rule = nullptr;
};
std::optional<Expiry> expiry_of(const LifecycleRules& rules, const LifecycleSubject& subject,
                                TimePoint modified, std::chrono::seconds day);
// The value of x-amz-expiration.
std::string expiration_header(const Expiry& expiry);

}  // namespace holdfast::s3
