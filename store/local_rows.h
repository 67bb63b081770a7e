// Between the catalogue's rows and the store's nouns, and the lookups that reads and writes share:
// the same functions judge on a reader's snapshot and inside the sequencer's transaction.
#pragma once

#include <optional>
#include <string>

#include "base/random.h"
#include "index/catalogue.h"
#include "store/log_record.h"
#include "store/object_types.h"

namespace holdfast::store {

std::int64_t to_nanoseconds(TimePoint time);
TimePoint from_nanoseconds(std::int64_t time);

BucketInfo to_bucket_info(const index::BucketRow& row);
// Attributes, checksums, parts and retention are filled in where `row.meta` is.
Result<ObjectInfo> to_object_info(const index::VersionRow& row);
ObjectMeta to_meta(const ObjectInfo& info);

// Version ids: 16 hex digits that count down with the sequence, then 16 random ones. So they sort
// newest first, name their row, and cannot be guessed.
std::string make_version_id(std::uint64_t sequence, Random& random);
std::optional<std::uint64_t> sequence_of(const VersionId& version);

Result<index::BucketRow> find_bucket(index::Catalogue& catalogue, const BucketName& name);

struct StoredObject {
  index::VersionRow row;
  ObjectInfo info;
};
// The row of a named version, markers too; nullopt when there is none.
Result<std::optional<index::VersionRow>> find_version_row(index::Catalogue& catalogue,
                                                          std::uint64_t bucket,
                                                          const ObjectKey& key,
                                                          const VersionId& version);
// What a read names: no_such_key, no_such_version, method_not_allowed.
Result<StoredObject> find_object(index::Catalogue& catalogue, std::uint64_t bucket,
                                 const ObjectKey& key, const std::optional<VersionId>& version);

Result<void> check_write_on(index::Catalogue& catalogue, std::uint64_t bucket, const ObjectKey& key,
                            const WriteConditions& conditions);
// Retention needs a bucket made with Object Lock: invalid_argument.
Result<void> check_retention_on(const index::BucketRow& bucket, const Retention& retention);

}  // namespace holdfast::store
