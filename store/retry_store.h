// RetryStore: any ObjectStore, with what may safely be asked twice asked again when the store was
// unavailable, timed out or throttled. Full-jitter back-off (AWS architecture blog, "Exponential
// backoff and jitter"), bounded. What makes a version (put, copy, complete, an unversioned removal)
// or reads a body is passed through: only its caller knows how to repeat it. Threads: as the inner
// store, and calls do not run in parallel (one Random).
#pragma once

#include <chrono>
#include <utility>

#include "base/random.h"
#include "store/object_store.h"

namespace holdfast::store {

struct RetryOptions {
  unsigned attempts = 6;                 // the first included
  std::chrono::milliseconds first{100};  // bound of the first pause; doubled each time
  std::chrono::milliseconds longest{5'000};
};

bool is_transient(ErrorCode code);  // unavailable, timed_out, throttled

class RetryStore final : public ObjectStore {
 public:
  // `inner` and `random` outlive this.
  RetryStore(ObjectStore& inner, Random& random, RetryOptions options = {})
      : inner_(inner), random_(random), options_(options) {}

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
  // `ask` gives a fresh awaitable for each attempt.
  template <class Ask>
  std::invoke_result_t<Ask> again(Ask ask);
  std::chrono::milliseconds pause_before(unsigned attempt);

  ObjectStore& inner_;
  Random& random_;
  RetryOptions options_;
};

}  // namespace holdfast::store
