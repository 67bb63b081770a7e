// UpstreamStore: an S3 endpoint as the store of a whole gateway (upstream mode). Beside what
// S3Store does it
// - may be called from every executor that it was opened with, each with connections of its own;
// - gives buckets other names upstream (one by one, or by a prefix);
// - keeps the documents that this gateway carries out itself (CORS, policy, tags, notification,
//   public access, ownership, quota) in `documents`, for upstream they would mean other people;
// - judges the conditions that the endpoint ignores (found out by probe()) by asking first, with
// one
//   writer a key at a time; this covers the writes that come through this process;
// - has a change feed of the writes that came through this process (ChangeRing).
//
// Bodies stream through, 512 KiB at most in memory each way; small ones (up to `buffered_bytes`)
// are held. Errors: what is wrong between Holdfast and the endpoint (no connection, credentials
// refused) is unavailable, never the caller's fault; throttled and no_space are passed on.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/change_ring.h"
#include "store/key_locks.h"
#include "store/s3_store.h"
#include "store/upstream_names.h"

namespace holdfast::store {

struct UpstreamOptions {
  S3StoreOptions s3;
  UpstreamNames names;
  ChangeRingOptions changes;
};

// What the endpoint was seen to honour; what it ignores is done here or done without.
struct UpstreamAbilities {
  bool put_if_match = false;
  bool put_if_none_match = false;
  bool copy_conditions = false;         // of the target
  bool copy_source_conditions = false;  // and of parts that are copied
  bool complete_conditions = false;
  bool delete_conditions = false;
  bool checksums = false;  // x-amz-checksum-* are kept and answered
};

class UpstreamStore final : public ObjectStore {
 public:
  // Every executor runs on one thread. `credentials` (thread-safe), `documents` and `clock` outlive
  // the store. invalid_argument: the endpoint is no URL, or two buckets have one name upstream.
  static Result<std::unique_ptr<UpstreamStore>> open(
      std::vector<boost::asio::any_io_executor> executors, UpstreamOptions options,
      CredentialsProvider& credentials, ObjectStore& documents, Clock& clock);
  ~UpstreamStore() override;

  // Is the endpoint there, does it accept the credentials? A sentence for the operator if not.
  Async<void> greet();
  // Finds out the abilities with a few writes to a key of its own in a versioned bucket, and
  // removes them again. Before traffic. Until then nothing is taken for granted.
  Async<void> probe(BucketName bucket);
  const UpstreamAbilities& abilities() const { return abilities_; }

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
  using Clients =
      std::unordered_map<const boost::asio::execution_context*, std::unique_ptr<S3Store>>;

  UpstreamStore(Clients clients, UpstreamOptions options, ObjectStore& documents, Clock& clock);
  boost::asio::awaitable<S3Store*> client();
  BucketName theirs(const BucketName& ours) const { return options_.names.theirs(ours); }
  // The bucket of documents that belongs to the bucket, made when it is first needed.
  Async<void> ensure_documents(BucketName name);
  Async<void> check_here(const GetRequest& named, const WriteConditions& conditions);
  Async<std::optional<ObjectInfo>> find_named(DeleteRequest there);
  Async<void> check_source(BucketName bucket, ObjectKey key, std::optional<VersionId>& version,
                           ReadConditions& conditions);
  // Where the endpoint does not judge every condition: locks the key, then judges what is not
  // `honoured`, which is then taken out of `conditions`.
  Async<std::optional<KeyLocks::Held>> guard(const BucketName& bucket, const ObjectKey& key,
                                             WriteConditions& conditions, bool honoured);
  bool all_conditions() const;
  void note(const BucketName& bucket, const ObjectKey& key, const PutResult& result);
  void note(const DeleteRequest& request, const DeleteResult& result);

  Clients clients_;
  UpstreamOptions options_;
  ObjectStore& documents_;
  Clock& clock_;
  UpstreamAbilities abilities_;
  KeyLocks locks_;
  ChangeRing ring_;
};

}  // namespace holdfast::store
