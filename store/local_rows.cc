#include "store/local_rows.h"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "store/conditions.h"

namespace holdfast::store {

std::int64_t to_nanoseconds(TimePoint time) { return time.time_since_epoch().count(); }
TimePoint from_nanoseconds(std::int64_t time) { return TimePoint(std::chrono::nanoseconds(time)); }

BucketInfo to_bucket_info(const index::BucketRow& row) {
  return {BucketName(row.name), from_nanoseconds(row.created),
          static_cast<Versioning>(row.versioning), row.object_lock, std::nullopt};
}

Result<ObjectInfo> to_object_info(const index::VersionRow& row) {
  ObjectInfo info;
  info.key = ObjectKey(row.key);
  info.version = VersionId(row.version);
  info.etag = ETag(row.etag);
  info.size = row.size;
  info.modified = from_nanoseconds(row.modified);
  info.sequence = row.sequence;
  info.delete_marker = row.delete_marker;
  info.latest = row.latest;
  if (row.meta.empty()) return info;
  auto meta = decode_meta(row.meta);
  if (!meta) return std::unexpected(meta.error());
  info.attributes = std::move(meta->attributes);
  info.checksums = std::move(meta->checksums);
  info.part_sizes = std::move(meta->part_sizes);
  info.retention = meta->retention;
  info.part_checksums = std::move(meta->part_checksums);
  info.upload = UploadId(std::move(meta->upload));
  info.uploader = std::move(meta->uploader);
  info.acl = std::move(meta->acl);
  return info;
}

ObjectMeta to_meta(const ObjectInfo& info) {
  return {info.attributes,     info.checksums,    info.part_sizes, info.retention,
          info.part_checksums, info.upload.value, info.uploader,   info.acl};
}

std::string make_version_id(std::uint64_t sequence, Random& random) {
  std::array<std::byte, 16> id;
  std::uint64_t down = std::numeric_limits<std::uint64_t>::max() - sequence;
  for (std::size_t i = 8; i-- > 0; down >>= 8) id[i] = static_cast<std::byte>(down);
  random.fill(std::span(id).subspan(8));
  return to_hex(id);
}

std::optional<std::uint64_t> sequence_of(const VersionId& version) {
  if (version.value.size() != 32) return std::nullopt;
  const char* const first = version.value.data();
  std::uint64_t down = 0;
  const auto [end, error] = std::from_chars(first, first + 16, down, 16);
  if (error != std::errc() || end != first + 16) return std::nullopt;
  return std::numeric_limits<std::uint64_t>::max() - down;
}

Result<index::BucketRow> find_bucket(index::Catalogue& catalogue, const BucketName& name) {
  auto row = catalogue.find_bucket(name.value);
  if (!row) return std::unexpected(row.error());
  if (*row) return std::move(**row);
  return fail(ErrorCode::no_such_bucket, "bucket {} does not exist", log_field(name.value));
}

Result<std::optional<index::VersionRow>> find_version_row(index::Catalogue& catalogue,
                                                          std::uint64_t bucket,
                                                          const ObjectKey& key,
                                                          const VersionId& version) {
  if (version.value == "null") {
    auto current = catalogue.find_current(bucket, key.value);
    if (!current || (*current && (*current)->version == "null")) return current;
    return catalogue.find_old_null(bucket, key.value);
  }
  const auto sequence = sequence_of(version);
  if (!sequence ||
      *sequence > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  auto row = catalogue.find_version(bucket, key.value, *sequence);
  if (row && *row && (*row)->version != version.value) return std::nullopt;
  return row;
}

Result<StoredObject> find_object(index::Catalogue& catalogue, std::uint64_t bucket,
                                 const ObjectKey& key, const std::optional<VersionId>& version) {
  auto row = version ? find_version_row(catalogue, bucket, key, *version)
                     : catalogue.find_current(bucket, key.value);
  if (!row) return std::unexpected(row.error());
  if (!*row && version) {
    return fail(ErrorCode::no_such_version, "{} has no version {}", log_field(key.value),
                log_field(version->value));
  }
  if (!*row) return fail(ErrorCode::no_such_key, "{} does not exist", log_field(key.value));
  if ((*row)->delete_marker) {
    return fail(ErrorCode::method_not_allowed, "version {} of {} is a delete marker",
                log_field((*row)->version), log_field(key.value));
  }
  auto info = to_object_info(**row);
  if (!info) return std::unexpected(info.error());
  return StoredObject{std::move(**row), std::move(*info)};
}

Result<void> check_write_on(index::Catalogue& catalogue, std::uint64_t bucket, const ObjectKey& key,
                            const WriteConditions& conditions) {
  if (!is_conditional(conditions)) return {};
  auto row = catalogue.find_current(bucket, key.value);
  if (!row) return std::unexpected(row.error());
  if (!*row) return check_write(conditions, nullptr, key);
  ObjectInfo current;
  current.etag = ETag((*row)->etag);
  return check_write(conditions, &current, key);
}

Result<void> check_retention_on(const index::BucketRow& bucket, const Retention& retention) {
  if (bucket.object_lock) return {};
  if (retention.mode == Retention::Mode::none && !retention.legal_hold) return {};
  return fail(ErrorCode::invalid_argument, "bucket {} was made without Object Lock", bucket.name);
}

}  // namespace holdfast::store
