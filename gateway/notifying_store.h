// NotifyingStore: any ObjectStore, whose buckets' notification configurations are held against the
// webhooks there are and carried out from the moment they are stored. All else is passed through.
// Threads: as the inner store.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/webhooks.h"
#include "store/object_store.h"

namespace holdfast::gateway {

class NotifyingStore final : public store::ObjectStore {
  template <class T>
  using Async = store::Async<T>;

 public:
  // Both outlive this.
  NotifyingStore(store::ObjectStore& inner, Webhooks& webhooks)
      : inner_(inner), webhooks_(webhooks) {}

  // Of a notification configuration also invalid_argument.
  Async<void> set_bucket_document(BucketName name, store::BucketDocument kind,
                                  std::string text) override;
  boost::asio::awaitable<std::vector<Result<store::DeleteResult>>> remove_many(
      std::vector<store::DeleteRequest> requests) override {
    return inner_.remove_many(std::move(requests));
  }
  Async<void> set_tags(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                       std::map<std::string, std::string> tags) override {
    return inner_.set_tags(std::move(bucket), std::move(key), std::move(version), std::move(tags));
  }
  Async<void> set_acl(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                      std::string acl) override {
    return inner_.set_acl(std::move(bucket), std::move(key), std::move(version), std::move(acl));
  }
  Async<void> create_bucket(BucketName name, bool object_lock) override {
    return inner_.create_bucket(std::move(name), object_lock);
  }
  Async<void> delete_bucket(BucketName name) override {
    return inner_.delete_bucket(std::move(name));
  }
  Async<std::vector<store::BucketInfo>> list_buckets() override { return inner_.list_buckets(); }
  Async<store::BucketInfo> head_bucket(BucketName name) override {
    return inner_.head_bucket(std::move(name));
  }
  Async<void> set_versioning(BucketName name, store::Versioning versioning) override {
    return inner_.set_versioning(std::move(name), versioning);
  }
  Async<std::string> bucket_document(BucketName name, store::BucketDocument kind) override {
    return inner_.bucket_document(std::move(name), kind);
  }
  Async<store::PutResult> put(store::PutRequest request, BodyReader& body) override {
    return inner_.put(std::move(request), body);
  }
  Async<store::GetResult> get(store::GetRequest request) override {
    return inner_.get(std::move(request));
  }
  Async<store::GetResult> head(store::GetRequest request) override {
    return inner_.head(std::move(request));
  }
  Async<store::DeleteResult> remove(store::DeleteRequest request) override {
    return inner_.remove(std::move(request));
  }
  Async<store::PutResult> copy(store::CopyRequest request) override {
    return inner_.copy(std::move(request));
  }
  Async<void> set_lock(store::LockRequest request) override {
    return inner_.set_lock(std::move(request));
  }
  Async<store::ListPage> list(store::ListRequest request) override {
    return inner_.list(std::move(request));
  }
  Async<store::ListVersionsPage> list_versions(store::ListVersionsRequest request) override {
    return inner_.list_versions(std::move(request));
  }
  Async<UploadId> create_upload(store::CreateUploadRequest request) override {
    return inner_.create_upload(std::move(request));
  }
  Async<store::PartInfo> put_part(store::PartRequest request, BodyReader& body) override {
    return inner_.put_part(std::move(request), body);
  }
  Async<store::PartInfo> copy_part(store::CopyPartRequest request) override {
    return inner_.copy_part(std::move(request));
  }
  Async<store::PutResult> complete_upload(store::CompleteRequest request) override {
    return inner_.complete_upload(std::move(request));
  }
  Async<void> abort_upload(BucketName bucket, ObjectKey key, UploadId upload) override {
    return inner_.abort_upload(std::move(bucket), std::move(key), std::move(upload));
  }
  Async<store::ListPartsPage> list_parts(store::ListPartsRequest request) override {
    return inner_.list_parts(std::move(request));
  }
  Async<store::ListUploadsPage> list_uploads(store::ListUploadsRequest request) override {
    return inner_.list_uploads(std::move(request));
  }
  Async<store::ChangesPage> changes(store::ChangesRequest request) override {
    return inner_.changes(std::move(request));
  }

 private:
  store::ObjectStore& inner_;
  Webhooks& webhooks_;
};

}  // namespace holdfast::gateway
