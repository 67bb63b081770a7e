// ChangeRing: the change feed of a store that has none of its own, from the writes that went
// through this process. What others write is not seen: so each reader is told to list again after a
// while
// ("reset"), at a time of its own. A reader's position holds when it last listed (seconds, upper 31
// bits) and how far it has read (lower 32), so nothing is kept for readers; positions of an earlier
// process are answered with a reset. Thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "base/clock.h"
#include "store/local_waiters.h"
#include "store/object_store.h"

namespace holdfast::store {

struct ChangeRingOptions {
  std::size_t entries = 65'536;      // of one bucket; older ones are forgotten
  std::chrono::seconds relist{300};  // zero: nobody else writes, so never
};

class ChangeRing {
 public:
  ChangeRing(const Clock& clock, ChangeRingOptions options);

  // Notes a write that was answered. `change.sequence` is set here.
  void note(const BucketName& bucket, Change change);
  // The bucket is gone: its readers are told at their next call.
  void forget(const BucketName& bucket);
  // As ObjectStore::changes, of a bucket that is known to be there.
  Async<ChangesPage> read(ChangesRequest request);

 private:
  struct Bucket {
    std::uint64_t id = 0;            // for the waiters
    std::uint32_t forgotten_to = 0;  // entries up to here are gone
    std::deque<Change> changes;
  };

  Bucket& find(const BucketName& name);  // REQUIRES: mutex_ is held
  ChangesPage look(const ChangesRequest& request, std::uint64_t& id);
  std::uint64_t now_seconds() const;

  const Clock& clock_;
  ChangeRingOptions options_;
  std::uint64_t started_;
  ChangeWaiters waiters_;
  std::mutex mutex_;
  std::uint32_t sequence_ = 0;
  std::uint64_t next_id_ = 0;
  std::unordered_map<BucketName, Bucket> buckets_;
};

}  // namespace holdfast::store
