// LocalStore: the built-in object store, in one directory of a local filesystem. The record log is
// the truth, the SQLite index a cache that is rebuilt from it (docs: ARCHITECTURE, "the store").
// Durability: with `sync` a write that answered survives power loss; without, our own death only.
// Bodies up to `inline_bytes` lie in the log and are verified at every read; larger ones are blob
// files that go out as file extents (sendfile) and are verified by scrub().
// Threads: methods from any executor; two threads of its own and a small pool. All coroutines must
// have ended before it is destroyed. One process at a time holds the directory (flock).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "store/local_scrub.h"
#include "store/object_store.h"

namespace holdfast::store {

class RootKeys;

struct LocalStoreOptions {
  std::string directory;
  bool sync = true;
  std::uint64_t segment_bytes = 128u << 20;
  std::size_t inline_bytes = 128u << 10;  // at most 1 MiB
  // Writes that bring bodies answer no_space below this, so that deletes always find room.
  std::uint64_t reserve_bytes = 64u << 20;
  std::size_t open_files = 256;
  std::size_t blocking_threads = 4;
  std::size_t cache_bytes = 32u << 20;  // objects read lately, see store/local_hot.h
  // Writes that a power cut leaves to replay at most, beside the last group.
  std::uint64_t checkpoint_records = 16384;
  // Bodies are encrypted with it (store/seal.h); nullptr: they are stored in the clear.
  std::shared_ptr<const RootKeys> root_keys{};
};

// What opening found and did.
struct RecoveryReport {
  bool clean = false;          // closed in order last time
  bool rebuilt = false;        // the index was made anew from the whole log
  std::uint64_t replayed = 0;  // records that the index had not seen
  std::uint64_t torn_bytes = 0;
  std::uint64_t orphaned_blobs = 0;  // removed
  std::uint64_t last_sequence = 0;
};

// How much of the log is of use.
struct LogUsage {
  std::uint64_t segments = 0, bytes = 0;
  std::uint64_t live_bytes = 0;  // about
};

// The named instants of a segment's compaction, for tests that stop there.
enum class CompactInstant : std::uint8_t {
  moved_some,  // a batch of records lies at the log's end as well
  moved_all,   // nothing refers to the segment any more
  dropped,     // the log says so, the file is still there
  removed,     // the file is gone
};
struct CompactRules {
  double garbage_share = 0.5;                  // of the log, from which on it is compacted
  std::uint64_t garbage_bytes = 256u << 20;    // at least so much of it
  std::uint64_t bytes_per_second = 32u << 20;  // read; 0: no limit
  std::function<bool(CompactInstant)> go_on;   // asked at each instant; false: stop dead
};
struct CompactReport {
  std::uint64_t segments = 0, records = 0;  // dropped, moved
  std::uint64_t freed_bytes = 0, moved_bytes = 0;
};

class ScrubPass;
class SegmentCompaction;

class LocalStore final : public ObjectStore {
 public:
  // Blocks while it recovers. locked: another process holds the directory. not_supported: a format
  // of a newer program. corrupted: the log is damaged where it was once durable; nothing changed.
  // invalid_argument: bodies need a root key that is not given.
  static Result<std::unique_ptr<LocalStore>> open(LocalStoreOptions options, Clock& clock,
                                                  Random& random);
  // Forgets the index and makes it anew from the log. The store must not be open.
  static Result<RecoveryReport> rebuild_index(LocalStoreOptions options, Clock& clock,
                                              Random& random);
  ~LocalStore() override;
  // Finishes what was asked for and ends its threads, so that none holds on to a caller's executor
  // any more: before the executors' contexts go, when the callers have stopped. Writes that come
  // later are refused, other calls need not answer.
  void finish();

  const RecoveryReport& recovery() const;
  // Reads everything and compares it with its checksums, beside the traffic; goes on where `from`
  // was stopped. Damaged blobs are quarantined: reading them answers corrupted, as reading damaged
  // small bodies does anyway. What compaction or a removal takes away meanwhile is no damage.
  Async<ScrubReport> scrub(ScrubRules rules = {}, std::stop_token stop = {}, ScrubReport from = {});
  Result<LogUsage> log_usage();
  // Takes the oldest segments out of the log, one after another, as long as the rules want it, by
  // writing what is still of use in them again at the log's end. Beside the traffic; one at a time.
  Async<CompactReport> compact(CompactRules rules, std::stop_token stop);

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
  friend class ScrubPass;
  friend class SegmentCompaction;
  explicit LocalStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::store
