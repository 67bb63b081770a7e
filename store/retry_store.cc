#include "store/retry_store.h"

#include <algorithm>
#include <type_traits>

#include "base/event.h"

namespace holdfast::store {

bool is_transient(ErrorCode code) {
  return code == ErrorCode::unavailable || code == ErrorCode::timed_out ||
         code == ErrorCode::throttled;
}

std::chrono::milliseconds RetryStore::pause_before(unsigned attempt) {
  const auto doubled = options_.first * (1 << std::min(attempt - 1, 16u));
  const auto bound = std::min(doubled, options_.longest);
  return std::chrono::milliseconds(
      random_.below(static_cast<std::uint64_t>(std::max<std::int64_t>(bound.count(), 0)) + 1));
}

template <class Ask>
std::invoke_result_t<Ask> RetryStore::again(Ask ask) {
  for (unsigned attempt = 1;; ++attempt) {
    auto answer = co_await ask();
    if (answer || !is_transient(answer.error().code) || attempt >= options_.attempts) {
      co_return answer;
    }
    co_await sleep_for(pause_before(attempt));
  }
}

Async<void> RetryStore::create_bucket(BucketName name, bool object_lock) {
  return inner_.create_bucket(std::move(name), object_lock);
}
Async<void> RetryStore::delete_bucket(BucketName name) {
  return inner_.delete_bucket(std::move(name));
}
Async<std::vector<BucketInfo>> RetryStore::list_buckets() {
  return again([this] { return inner_.list_buckets(); });
}
Async<BucketInfo> RetryStore::head_bucket(BucketName name) {
  return again([this, name = std::move(name)] { return inner_.head_bucket(name); });
}
Async<void> RetryStore::set_versioning(BucketName name, Versioning versioning) {
  return again([this, name = std::move(name), versioning] {
    return inner_.set_versioning(name, versioning);
  });
}
Async<std::string> RetryStore::bucket_document(BucketName name, BucketDocument kind) {
  return again([this, name = std::move(name), kind] { return inner_.bucket_document(name, kind); });
}
Async<void> RetryStore::set_bucket_document(BucketName name, BucketDocument kind,
                                            std::string text) {
  return again([this, name = std::move(name), kind, text = std::move(text)] {
    return inner_.set_bucket_document(name, kind, text);
  });
}

Async<PutResult> RetryStore::put(PutRequest request, BodyReader& body) {
  return inner_.put(std::move(request), body);
}
Async<GetResult> RetryStore::get(GetRequest request) {
  return again([this, request = std::move(request)] { return inner_.get(request); });
}
Async<GetResult> RetryStore::head(GetRequest request) {
  return again([this, request = std::move(request)] { return inner_.head(request); });
}
Async<DeleteResult> RetryStore::remove(DeleteRequest request) {
  if (!request.version) return inner_.remove(std::move(request));
  return again([this, request = std::move(request)] { return inner_.remove(request); });
}
boost::asio::awaitable<std::vector<Result<DeleteResult>>> RetryStore::remove_many(
    std::vector<DeleteRequest> requests) {
  return inner_.remove_many(std::move(requests));
}
Async<PutResult> RetryStore::copy(CopyRequest request) { return inner_.copy(std::move(request)); }
Async<void> RetryStore::set_tags(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                                 std::map<std::string, std::string> tags) {
  return again([this, bucket = std::move(bucket), key = std::move(key),
                version = std::move(version),
                tags = std::move(tags)] { return inner_.set_tags(bucket, key, version, tags); });
}
Async<void> RetryStore::set_acl(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                                std::string acl) {
  return again([this, bucket = std::move(bucket), key = std::move(key),
                version = std::move(version),
                acl = std::move(acl)] { return inner_.set_acl(bucket, key, version, acl); });
}
Async<void> RetryStore::set_lock(LockRequest request) {
  return again([this, request = std::move(request)] { return inner_.set_lock(request); });
}

Async<ListPage> RetryStore::list(ListRequest request) {
  return again([this, request = std::move(request)] { return inner_.list(request); });
}
Async<ListVersionsPage> RetryStore::list_versions(ListVersionsRequest request) {
  return again([this, request = std::move(request)] { return inner_.list_versions(request); });
}

Async<UploadId> RetryStore::create_upload(CreateUploadRequest request) {
  return inner_.create_upload(std::move(request));
}
Async<PartInfo> RetryStore::put_part(PartRequest request, BodyReader& body) {
  return inner_.put_part(std::move(request), body);
}
Async<PartInfo> RetryStore::copy_part(CopyPartRequest request) {
  return again([this, request = std::move(request)] { return inner_.copy_part(request); });
}
Async<PutResult> RetryStore::complete_upload(CompleteRequest request) {
  return inner_.complete_upload(std::move(request));
}
Async<void> RetryStore::abort_upload(BucketName bucket, ObjectKey key, UploadId upload) {
  return inner_.abort_upload(std::move(bucket), std::move(key), std::move(upload));
}
Async<ListPartsPage> RetryStore::list_parts(ListPartsRequest request) {
  return again([this, request = std::move(request)] { return inner_.list_parts(request); });
}
Async<ListUploadsPage> RetryStore::list_uploads(ListUploadsRequest request) {
  return again([this, request = std::move(request)] { return inner_.list_uploads(request); });
}
Async<ChangesPage> RetryStore::changes(ChangesRequest request) {
  return again([this, request = std::move(request)] { return inner_.changes(request); });
}

}  // namespace holdfast::store
