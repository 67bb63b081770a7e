// ObjectStore: the one interface of every store (local, S3 client, memory) and of the decorators
// around them. tests/conformance/ is the executable form of this contract.
//
// Threads: every method may be called from any executor; its coroutine resumes on the caller's.
// A request's strings and readers must live until its awaitable completes (pass requests by value).
// Durability: a write that answered is durable as the implementation states; one that failed has
// changed nothing; one that was cancelled has happened whole or not at all.
// Common errors beside those named: unavailable, timed_out, throttled (try again), no_space, io.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <vector>

#include "base/error.h"
#include "store/object_types.h"

namespace holdfast::store {

template <class T>
using Async = boost::asio::awaitable<Result<T>>;

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // --- Buckets. Names are valid by s3::validate_bucket_name, else invalid_name.
  virtual Async<void> create_bucket(BucketName name, bool object_lock) = 0;  // bucket_exists
  // no_such_bucket; bucket_not_empty while any version or marker is left. Uploads end with it.
  virtual Async<void> delete_bucket(BucketName name) = 0;
  virtual Async<std::vector<BucketInfo>> list_buckets() = 0;  // in byte order
  virtual Async<BucketInfo> head_bucket(BucketName name) = 0;
  virtual Async<void> set_versioning(BucketName name, Versioning versioning) = 0;
  // not_found when there is none. An empty text removes it. An object_lock document locks the
  // bucket's objects from now on: conflict where it is not versioned, and it cannot be removed.
  virtual Async<std::string> bucket_document(BucketName name, BucketDocument kind) = 0;
  virtual Async<void> set_bucket_document(BucketName name, BucketDocument kind,
                                          std::string text) = 0;

  // --- Objects. no_such_bucket, no_such_key, no_such_version; precondition_failed.
  // Reads `body` to its end; incomplete_body, bad_digest, checksum_mismatch, entity_too_large.
  // quota_exceeded, here and wherever bytes are added.
  virtual Async<PutResult> put(PutRequest request, BodyReader& body) = 0;
  // not_modified, invalid_range, method_not_allowed (the named version is a delete marker). A key
  // whose latest version is a delete marker is no_such_key.
  virtual Async<GetResult> get(GetRequest request) = 0;
  virtual Async<GetResult> head(GetRequest request) = 0;  // as get, with an empty body
  // Removing what is not there succeeds, whatever the conditions. locked under retention or legal
  // hold.
  virtual Async<DeleteResult> remove(DeleteRequest request) = 0;
  // One answer a request, in order; at most 1,000.
  virtual boost::asio::awaitable<std::vector<Result<DeleteResult>>> remove_many(
      std::vector<DeleteRequest> requests) = 0;
  virtual Async<PutResult> copy(CopyRequest request) = 0;
  // Replaces the tags of a version, with no new version.
  virtual Async<void> set_tags(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                               std::map<std::string, std::string> tags) = 0;
  // Replaces the ACL of a version, with no new version. not_supported where the store keeps none,
  // here and for writes that bring one.
  virtual Async<void> set_acl(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                              std::string acl) = 0;
  // Judged and changed in one step. locked: retention would be shortened or weakened.
  virtual Async<void> set_lock(LockRequest request) = 0;

  // --- Listings, in byte order of keys.
  virtual Async<ListPage> list(ListRequest request) = 0;
  virtual Async<ListVersionsPage> list_versions(ListVersionsRequest request) = 0;

  // --- Multipart. no_such_upload. Parts 1 to 10,000; all but the last at least 5 MiB at completion
  // (entity_too_small); invalid_part (missing or another ETag); invalid_part_order.
  virtual Async<UploadId> create_upload(CreateUploadRequest request) = 0;
  virtual Async<PartInfo> put_part(PartRequest request, BodyReader& body) = 0;
  virtual Async<PartInfo> copy_part(CopyPartRequest request) = 0;
  // ETag: hex(md5 of the parts' raw md5s)-N. Repeating it after success answers the same while what
  // it made is the key's latest version; later no_such_upload.
  virtual Async<PutResult> complete_upload(CompleteRequest request) = 0;
  virtual Async<void> abort_upload(BucketName bucket, ObjectKey key, UploadId upload) = 0;
  virtual Async<ListPartsPage> list_parts(ListPartsRequest request) = 0;
  virtual Async<ListUploadsPage> list_uploads(ListUploadsRequest request) = 0;

  // --- Change feed. not_supported where the store has none; callers then list.
  virtual Async<ChangesPage> changes(ChangesRequest request) = 0;
};

}  // namespace holdfast::store
