#include "store/local_objects.h"
#include "store/local_rows.h"
#include "store/object_lock.h"
#include "store/quota.h"

namespace holdfast::store {

Result<void> settle_retention(WriteGroup& group, const index::BucketRow& bucket,
                              Retention& retention) {
  if (auto lockable = check_retention_on(bucket, retention); !lockable) return lockable;
  if (!bucket.object_lock || retention.mode != Retention::Mode::none) return {};
  auto text =
      group.catalogue().document(bucket.id, std::to_underlying(BucketDocument::object_lock));
  if (!text) return std::unexpected(text.error());
  if (!*text) return {};
  auto given = default_retention(**text, group.clock().now());
  if (!given) return std::unexpected(given.error());
  retention.mode = given->mode;
  retention.until = given->until;
  return {};
}

Result<void> check_room(WriteGroup& group, const index::BucketRow& bucket,
                        const UsageChange& change) {
  const Quota quota{bucket.quota.bytes, bucket.quota.objects};
  if (!quota.limits()) return {};
  auto row = group.catalogue().usage(bucket.id);
  if (!row) return std::unexpected(row.error());
  BucketUsage present{row->bytes, row->objects};
  const auto pending = group.effects().usage.find(bucket.id);
  if (pending != group.effects().usage.end()) {
    present.bytes += static_cast<std::uint64_t>(pending->second.bytes);  // wraps for less
    present.objects += static_cast<std::uint64_t>(pending->second.objects);
  }
  return check_quota(quota, present, change);
}

Result<void> check_room_for(WriteGroup& group, const index::BucketRow& bucket,
                            const NewVersion& version) {
  if (!bucket.quota.bytes && !bucket.quota.objects) return {};
  UsageChange change{{version.size, 1}, {}};
  if (static_cast<Versioning>(bucket.versioning) != Versioning::enabled) {
    auto null = find_version_row(group.catalogue(), bucket.id, version.key, VersionId("null"));
    if (!null) return std::unexpected(null.error());
    if (*null && !(*null)->delete_marker) change.replaced = {(*null)->size, 1};
  }
  return check_room(group, bucket, change);
}

}  // namespace holdfast::store
