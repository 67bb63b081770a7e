#include "store/quota.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace holdfast::store {
namespace {

namespace json = boost::json;

Result<std::optional<std::uint64_t>> limit_of(const json::value& value) {
  if (value.is_null()) return std::optional<std::uint64_t>();
  if (value.is_int64() && value.get_int64() >= 0) {
    return std::optional(static_cast<std::uint64_t>(value.get_int64()));
  }
  return fail(ErrorCode::invalid_argument, "a quota is a whole number from 0 to 2^63-1");
}

Result<void> check_limit(const std::optional<std::uint64_t>& limit, std::uint64_t present,
                         std::uint64_t added, std::uint64_t replaced, std::string_view what) {
  if (!limit || added <= replaced) return {};
  const std::uint64_t after = present - std::min(present, replaced) + added;
  if (after <= *limit) return {};
  return fail(ErrorCode::quota_exceeded,
              "the bucket's quota is {} {} and this would make it {}: remove versions or raise it",
              *limit, what, after);
}

}  // namespace

Result<Quota> parse_quota(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) {
    return fail(ErrorCode::invalid_argument, "a quota is a JSON object of bytes and objects");
  }
  Quota quota;
  for (const auto& [name, member] : value.as_object()) {
    auto limit = limit_of(member);
    if (!limit) return std::unexpected(limit.error());
    if (name == "bytes") {
      quota.bytes = *limit;
    } else if (name == "objects") {
      quota.objects = *limit;
    } else {
      return fail(ErrorCode::invalid_argument, "a quota has the members bytes and objects only");
    }
  }
  return quota;
}

std::string to_json(const Quota& quota) {
  json::object out;
  if (quota.bytes) out["bytes"] = *quota.bytes;
  if (quota.objects) out["objects"] = *quota.objects;
  return json::serialize(out);
}

Result<void> check_quota(const Quota& quota, const BucketUsage& present,
                         const UsageChange& change) {
  auto held =
      check_limit(quota.bytes, present.bytes, change.added.bytes, change.replaced.bytes, "bytes");
  if (!held) return held;
  return check_limit(quota.objects, present.objects, change.added.objects, change.replaced.objects,
                     "objects");
}

}  // namespace holdfast::store
