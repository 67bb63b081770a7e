// YieldingStore: lets other work of the executor in before and after each request, so that the
// simulator's scheduling decides what happens between a request and its answer.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "store/object_store.h"

namespace holdfast::syncd {

class YieldingStore final : public store::ObjectStore {
 public:
  explicit YieldingStore(store::ObjectStore& inner) : inner_(inner) {}

  template <class T>
  using Async = store::Async<T>;

  Async<void> create_bucket(BucketName b, bool lock) override {
    return pass(inner_.create_bucket(std::move(b), lock));
  }
  Async<void> delete_bucket(BucketName b) override { return pass(inner_.delete_bucket(b)); }
  Async<std::vector<store::BucketInfo>> list_buckets() override {
    return pass(inner_.list_buckets());
  }
  Async<store::BucketInfo> head_bucket(BucketName b) override {
    return pass(inner_.head_bucket(b));
  }
  Async<void> set_versioning(BucketName b, store::Versioning v) override {
    return pass(inner_.set_versioning(b, v));
  }
  Async<std::string> bucket_document(BucketName b, store::BucketDocument k) override {
    return pass(inner_.bucket_document(b, k));
  }
  Async<void> set_bucket_document(BucketName b, store::BucketDocument k, std::string t) override {
    return pass(inner_.set_bucket_document(b, k, t));
  }
  Async<store::PutResult> put(store::PutRequest r, BodyReader& body) override {
    return pass(inner_.put(std::move(r), body));
  }
  Async<store::GetResult> get(store::GetRequest r) override { return pass(inner_.get(r)); }
  Async<store::GetResult> head(store::GetRequest r) override { return pass(inner_.head(r)); }
  Async<store::DeleteResult> remove(store::DeleteRequest r) override {
    return pass(inner_.remove(r));
  }
  boost::asio::awaitable<std::vector<Result<store::DeleteResult>>> remove_many(
      std::vector<store::DeleteRequest> r) override {
    return inner_.remove_many(std::move(r));
  }
  Async<store::PutResult> copy(store::CopyRequest r) override { return pass(inner_.copy(r)); }
  Async<void> set_tags(BucketName b, ObjectKey k, std::optional<VersionId> v,
                       std::map<std::string, std::string> t) override {
    return pass(inner_.set_tags(b, k, v, t));
  }
  Async<void> set_acl(BucketName b, ObjectKey k, std::optional<VersionId> v,
                      std::string a) override {
    return pass(inner_.set_acl(b, k, v, a));
  }
  Async<void> set_lock(store::LockRequest r) override { return pass(inner_.set_lock(r)); }
  Async<store::ListPage> list(store::ListRequest r) override { return pass(inner_.list(r)); }
  Async<store::ListVersionsPage> list_versions(store::ListVersionsRequest r) override {
    return pass(inner_.list_versions(r));
  }
  Async<UploadId> create_upload(store::CreateUploadRequest r) override {
    return pass(inner_.create_upload(r));
  }
  Async<store::PartInfo> put_part(store::PartRequest r, BodyReader& body) override {
    return pass(inner_.put_part(r, body));
  }
  Async<store::PartInfo> copy_part(store::CopyPartRequest r) override {
    return pass(inner_.copy_part(r));
  }
  Async<store::PutResult> complete_upload(store::CompleteRequest r) override {
    return pass(inner_.complete_upload(r));
  }
  Async<void> abort_upload(BucketName b, ObjectKey k, UploadId u) override {
    return pass(inner_.abort_upload(b, k, u));
  }
  Async<store::ListPartsPage> list_parts(store::ListPartsRequest r) override {
    return pass(inner_.list_parts(r));
  }
  Async<store::ListUploadsPage> list_uploads(store::ListUploadsRequest r) override {
    return pass(inner_.list_uploads(r));
  }
  Async<store::ChangesPage> changes(store::ChangesRequest r) override {
    return pass(inner_.changes(r));
  }

 private:
  // A member coroutine, not a lambda; the request is an awaitable that has not begun.
  template <class T>
  Async<T> pass(Async<T> request) {
    co_await yield();
    auto answer = co_await std::move(request);
    co_await yield();
    co_return answer;
  }
  static boost::asio::awaitable<void> yield() {
    co_await boost::asio::post(co_await boost::asio::this_coro::executor,
                               boost::asio::use_awaitable);
  }

  store::ObjectStore& inner_;
};

}  // namespace holdfast::syncd
