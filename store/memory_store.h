// MemoryStore: the whole ObjectStore contract in memory. It is the reference that the simulator
// and the conformance suite run against: deterministic (time and randomness are injected), without
// threads. All calls on one executor; nothing blocks, and only changes() with a wait ever suspends
// for time, on the executor's timers.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "store/object_store.h"

namespace holdfast::store {

struct MemoryStoreOptions {
  std::size_t feed_entries = 1u << 20;  // kept a bucket; older ones make changes() answer reset
};

class MemoryStore final : public ObjectStore {
 public:
  // `clock` and `random` outlive the store.
  MemoryStore(boost::asio::any_io_executor executor, Clock& clock, Random& random,
              MemoryStoreOptions options = {});
  ~MemoryStore() override;

  Async<void> create_bucket(BucketName name, bool object_lock) override;
  Async<void> delete_bucket(BucketName name) override;
  Async<std::vector<BucketInfo>> list_buckets() override;
  Async<BucketInfo> head_bucket(BucketName name) override;
  Async<void> set_versioning(BucketName name, Versioning versioning) override;
  Async<std::string> bucket_document(BucketName name, BucketDocument kind) override;
  Async<void> set_bucket_document(BucketName name, BucketDocument kind, std::string text) override;

  Async<PutResult> put(PutRequest request, BodyReader& body) override;
  Async<GetResult> get(GetRequest request) override;
  Async<GetResult> head(GetRequest request) override;
  Async<DeleteResult> remove(DeleteRequest request) override;
  boost::asio::awaitable<std::vector<Result<DeleteResult>>> remove_many(
      std::vector<DeleteRequest> requests) override;
  Async<PutResult> copy(CopyRequest request) override;
  Async<void> set_tags(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                       std::map<std::string, std::string> tags) override;
  Async<void> set_acl(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                      std::string acl) override;
  Async<void> set_lock(LockRequest request) override;

  Async<ListPage> list(ListRequest request) override;
  Async<ListVersionsPage> list_versions(ListVersionsRequest request) override;

  Async<UploadId> create_upload(CreateUploadRequest request) override;
  Async<PartInfo> put_part(PartRequest request, BodyReader& body) override;
  Async<PartInfo> copy_part(CopyPartRequest request) override;
  Async<PutResult> complete_upload(CompleteRequest request) override;
  Async<void> abort_upload(BucketName bucket, ObjectKey key, UploadId upload) override;
  Async<ListPartsPage> list_parts(ListPartsRequest request) override;
  Async<ListUploadsPage> list_uploads(ListUploadsRequest request) override;

  Async<ChangesPage> changes(ChangesRequest request) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::store
