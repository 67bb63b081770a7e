// S3Store: any S3 endpoint as an ObjectStore (AWS S3 API reference 2006-03-01), signed with SigV4.
// All calls on its executor. A store that cannot be reached is unavailable or timed_out, never "not
// found". Sequences are not known to S3 and are 0, except in the change feed of a Holdfast gateway
// (`GET /BUCKET?events=s3:*&prefix=P&since=SEQ&wait=SECONDS`, JSON lines), which other endpoints
// answer with not_supported.
//
// Integrity: bodies up to `buffered_bytes` are sent with their SHA-256 signed; longer ones stream
// unsigned, are hashed on the way, and the last bytes are only sent when every declared digest
// holds; the ETag of the answer is compared where it is an MD5. Whole reads are checked against the
// object's checksum or MD5: corrupted.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "net/reach.h"
#include "store/access_feed.h"
#include "store/credentials.h"
#include "store/object_store.h"

namespace holdfast::store {

struct S3StoreOptions {
  std::string endpoint;  // "http://127.0.0.1:7070", or "unix:/PATH" of a gateway's own socket
  std::string region = "us-east-1";
  bool path_style = true;  // false: BUCKET.HOST
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds head_timeout{60'000};
  std::chrono::milliseconds stall_timeout{60'000};
  std::size_t max_connections = 64;
  std::string ca_file;                      // empty: the system's
  net::Reach reach = net::Reach::anywhere;  // whatever the endpoint's name resolves to
  std::uint64_t buffered_bytes = 1u << 20;  // bodies up to here are held, hashed and signed
  std::uint64_t part_bytes = 8u << 20;      // of bodies whose length is not known beforehand
  bool checksums = true;                    // send x-amz-checksum-crc64nvme; off for old endpoints
  bool verify_reads = true;
  // False: a part to be copied is read and sent where the source's key holds a % or ?. Ceph 16
  // decodes that key twice and copies another object. (CopyObject is not concerned.)
  bool exact_part_sources = true;
  // What one CopyObject takes (AWS: 5 GiB); longer objects are copied in parts of this size.
  std::uint64_t copy_bytes = 5ull << 30;
};

class S3Client;

class S3Store final : public ObjectStore, public AccessFeed {
 public:
  // `credentials` and `clock` outlive the store. invalid_argument: the endpoint is no URL.
  static Result<std::unique_ptr<S3Store>> open(boost::asio::any_io_executor executor,
                                               S3StoreOptions options,
                                               CredentialsProvider& credentials, Clock& clock);
  ~S3Store() override;

  Async<void> create_bucket(BucketName name, bool object_lock) override;
  Async<void> delete_bucket(BucketName name) override;
  Async<std::vector<BucketInfo>> list_buckets() override;  // names and times only
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
  Async<AccessPage> access(std::uint64_t after_epoch, std::chrono::milliseconds wait) override;

 private:
  explicit S3Store(std::unique_ptr<S3Client> client);
  Async<void> settle_conditions(GetRequest& request);
  Async<PutResult> put_unsized(PutRequest request, BodyReader& body);
  Async<PutResult> put_in_parts(PutRequest request, std::string first, BodyReader& body);
  Async<PutResult> copy_whole(CopyRequest request);
  Async<PutResult> copy_in_parts(CopyRequest request, ObjectInfo source);
  Async<PartInfo> send_copied_part(CopyPartRequest request);
  Async<CompleteRequest> copy_parts(CopyPartRequest part, std::uint64_t size);
  // What answers to a copy or a completion leave out: the size, by some endpoints more.
  boost::asio::awaitable<void> add_size(GetRequest named, PutResult& result);
  Async<std::map<std::string, std::string>> tags_of(BucketName bucket, ObjectKey key,
                                                    std::optional<VersionId> version);

  std::unique_ptr<S3Client> client_;
};

}  // namespace holdfast::store
