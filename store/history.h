// What a versioned bucket remembers: the versions of a key, and what was deleted below a prefix.
// Works over any ObjectStore. Each call runs on the caller's executor; memory is bounded by the
// answer, pages are read as they are needed.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/object_store.h"

namespace holdfast::store {

// Streams every version below a prefix, or of exactly one key: keys ascending, newest first.
class VersionScanner {
 public:
  enum class Scope : std::uint8_t { prefix, key };

  // The store outlives the scanner.
  VersionScanner(ObjectStore& store, BucketName bucket, std::string name, Scope scope);
  // nullopt: the end, answered again on later calls.
  Async<std::optional<ObjectInfo>> next();

 private:
  ObjectStore& store_;
  Scope scope_;
  ListVersionsRequest request_;
  std::deque<ObjectInfo> page_;
  bool last_page_ = false;
};

// Newest first, delete markers included; empty when the key never was. At most `limit`.
Async<std::vector<ObjectInfo>> history(ObjectStore& store, BucketName bucket, ObjectKey key,
                                       std::size_t limit = 10'000);

// A key whose latest version is a delete marker, and what it held before.
struct DeletedObject {
  ObjectKey key;
  TimePoint deleted{};
  VersionId marker;
  VersionId version;  // the newest that is no marker; empty when only markers are left
  TimePoint modified{};
  ETag etag;
  std::uint64_t size = 0;
};
struct DeletedPage {
  std::vector<DeletedObject> objects;  // in byte order of keys
  bool truncated = false;              // there are more than `limit`
};
Async<DeletedPage> list_deleted(ObjectStore& store, BucketName bucket, std::string prefix,
                                std::size_t limit = 100'000);

// What was deleted, by the directory it was in ("a/b/" for "a/b/c" and for the directory object
// "a/b/" itself), in byte order.
struct DeletedDirectory {
  std::string directory;
  std::uint64_t files = 0;  // directory objects are not counted
  std::uint64_t bytes = 0;
  TimePoint first{}, last{};  // of the deletions
};
std::vector<DeletedDirectory> group_by_directory(std::span<const DeletedObject> objects);

}  // namespace holdfast::store
