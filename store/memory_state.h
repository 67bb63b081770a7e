// What MemoryStore holds, private to the memory_*.cc files. Every function here is synchronous, so
// that a commit is one step of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/event.h"
#include "store/memory_store.h"
#include "store/quota.h"

namespace holdfast::store {

using SharedBytes = std::shared_ptr<const std::string>;

struct StoredVersion {
  ObjectInfo info;
  SharedBytes bytes;
};

struct StoredPart {
  PartInfo info;
  std::string md5;  // 16 raw bytes
  SharedBytes bytes;
};

struct StoredUpload {
  UploadInfo info;
  ObjectAttributes attributes;
  Retention retention;
  std::string acl;
  std::map<std::uint32_t, StoredPart> parts;
};

struct StoredBucket {
  explicit StoredBucket(const boost::asio::any_io_executor& executor) : news(executor) {}

  BucketInfo info;
  std::map<BucketDocument, std::string> documents;
  std::map<std::string, std::vector<StoredVersion>, std::less<>> keys;  // newest first, never empty
  std::map<std::pair<std::string, std::string>, StoredUpload> uploads;  // by (key, upload id)
  std::deque<Change> feed;
  std::uint64_t feed_after = 0;  // the feed is complete for sequences above this one
  bool deleted = false;          // seen by those who wait for news of it
  Event news;
};

struct MemoryStore::State {
  State(boost::asio::any_io_executor e, Clock& c, Random& r, MemoryStoreOptions o)
      : executor(std::move(e)), clock(c), random(r), options(o) {}

  boost::asio::any_io_executor executor;
  Clock& clock;
  Random& random;
  MemoryStoreOptions options;
  std::uint64_t sequence = 0;
  std::map<std::string, std::shared_ptr<StoredBucket>, std::less<>> buckets;

  Result<StoredBucket*> find(const BucketName& name) const;
  // The version that a read names; no_such_key, no_such_version, method_not_allowed.
  Result<StoredVersion*> find_version(const BucketName& bucket, const ObjectKey& key,
                                      const std::optional<VersionId>& version) const;
  // Fills in version, sequence and time, and makes it the key's latest.
  const ObjectInfo& commit(StoredBucket& bucket, StoredVersion version);
  void note(StoredBucket& bucket, ChangeKind kind, const ObjectInfo& info);
  Result<DeleteResult> remove(const DeleteRequest& request);
  Result<DeleteResult> remove_version(StoredBucket& bucket, const DeleteRequest& request);
};

// The latest version of the key, where there is one that is no delete marker.
const StoredVersion* current_version(const StoredBucket& bucket, const ObjectKey& key);
PutResult to_put_result(const ObjectInfo& info);
// Retention needs a bucket made with Object Lock: invalid_argument.
Result<void> check_retention(const StoredBucket& bucket, const Retention& retention);
// The same, and the bucket's default where `retention` has none.
Result<void> settle_retention(const StoredBucket& bucket, Retention& retention, TimePoint now);
BucketUsage usage_of(const StoredBucket& bucket);
Result<void> check_room(const StoredBucket& bucket, const UsageChange& change);
// The same for a new version, which may take the place of the key's version "null".
Result<void> check_room_for(const StoredBucket& bucket, const ObjectInfo& added);

}  // namespace holdfast::store
