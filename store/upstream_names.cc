#include "store/upstream_names.h"

#include <set>

#include "base/log.h"
#include "s3/names.h"

namespace holdfast::store {

Result<void> UpstreamNames::check() const {
  std::set<std::string> seen;
  for (const auto& [ours, theirs] : buckets_) {
    if (!s3::validate_bucket_name(ours) || !s3::validate_bucket_name(theirs)) {
      return fail(ErrorCode::invalid_argument, "the bucket mapping {} = {} names no valid bucket",
                  log_field(ours), log_field(theirs));
    }
    if (!seen.insert(theirs).second) {
      return fail(ErrorCode::invalid_argument,
                  "two buckets are mapped to the upstream bucket {}: each needs one of its own",
                  theirs);
    }
  }
  return {};
}

BucketName UpstreamNames::theirs(const BucketName& ours) const {
  const auto found = buckets_.find(ours.value);
  if (found != buckets_.end()) return BucketName(found->second);
  return BucketName(prefix_ + ours.value);
}

std::optional<BucketName> UpstreamNames::ours(const BucketName& theirs) const {
  for (const auto& [here, there] : buckets_) {
    if (there == theirs.value) return BucketName(here);
  }
  if (!theirs.value.starts_with(prefix_)) return std::nullopt;
  BucketName name(theirs.value.substr(prefix_.size()));
  // Hidden by a mapping of the same name, or no name that could be asked for.
  if (buckets_.contains(name.value)) return std::nullopt;
  if (!s3::validate_bucket_name(name.value)) return std::nullopt;
  return name;
}

}  // namespace holdfast::store
