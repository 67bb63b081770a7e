// FaultStore: any ObjectStore, seen through a network that fails by plan. For the simulator and the
// fault tests: a request is lost before it has an effect, its answer is lost after it had one, a
// body is cut midway, an answer is late. Threads: as the inner store.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "base/random.h"
#include "store/object_store.h"

namespace holdfast::store {

enum class Operation : std::uint8_t { bucket, read, write, remove, list, changes };

struct Fault {
  // cut: a written body ends in an error, so that nothing is stored; a read body ends in one.
  enum class Kind : std::uint8_t { none, before, after, cut };
  Kind kind = Kind::none;
  std::chrono::milliseconds latency{0};
  ErrorCode code = ErrorCode::unavailable;
  std::uint64_t cut_after = 0;  // bytes of the body
};

class FaultPlan {
 public:
  virtual ~FaultPlan() = default;
  virtual Fault next(Operation operation) = 0;
};

// Faults drawn at random; the same seed and calls give the same faults.
class SeededFaults final : public FaultPlan {
 public:
  struct Rates {  // per thousand requests
    unsigned before = 0, after = 0, cut = 0, late = 0;
    std::chrono::milliseconds longest{50};  // of what is late
    std::uint64_t longest_cut = 64u << 10;
  };
  SeededFaults(std::uint64_t seed, Rates rates) : random_(seed), rates_(rates) {}
  Fault next(Operation operation) override;
  void set_rates(Rates rates) { rates_ = rates; }

 private:
  SeededRandom random_;
  Rates rates_;
};

// Faults in a given order, each for the next request of its operation.
class ScriptedFaults final : public FaultPlan {
 public:
  void add(Operation operation, Fault fault) { script_.emplace_back(operation, fault); }
  Fault next(Operation operation) override;
  bool used_up() const { return script_.empty(); }

 private:
  std::deque<std::pair<Operation, Fault>> script_;
};

class FaultStore final : public ObjectStore {
 public:
  // `inner` and `plan` outlive this.
  FaultStore(ObjectStore& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

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
  template <class T>
  Async<T> pass(Operation operation, Async<T> request);

  ObjectStore& inner_;
  FaultPlan& plan_;
};

}  // namespace holdfast::store
