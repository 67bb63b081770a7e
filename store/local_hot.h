// HotObjects: the latest versions that were read lately, ready to be answered without a look into
// the index, small bodies verified and in memory. A cache beside the index: it may forget anything.
// Never stale: the sequencer closes the keys of a group around the group's commit (ClosedKeys), and
// what a reader found in the index is kept only when its key was neither closed nor committed to
// since before the look. Keyed by object key alone, as the log names a bucket by its number: of two
// buckets with the same key the one that was read last is kept.
// Thread-safe; a lock a shard, held for a look-up.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/log_record.h"
#include "store/object_types.h"

namespace holdfast::store {

// Shared by the readers that answer with it.
struct HotObject {
  BucketName bucket;
  ObjectInfo info;
  std::vector<Extent> extents;
  std::optional<std::string> body;  // verified; of small objects
};

class HotObjects {
 public:
  // Bytes, bodies included. 0: nothing is kept.
  explicit HotObjects(std::size_t capacity);

  // Taken before the look into the index.
  struct Ticket {
    std::uint64_t generation = 0;
  };
  Ticket ticket(std::string_view key);
  std::shared_ptr<const HotObject> find(const BucketName& bucket, std::string_view key);
  void keep(Ticket ticket, std::shared_ptr<const HotObject> object);
  void forget(std::string_view key);

  // While it lives nothing of these keys is answered from here or kept.
  class ClosedKeys {
   public:
    ClosedKeys(HotObjects& objects, std::vector<std::string> keys);
    ~ClosedKeys();
    ClosedKeys(const ClosedKeys&) = delete;
    ClosedKeys& operator=(const ClosedKeys&) = delete;

   private:
    HotObjects& objects_;
    std::vector<std::string> keys_;
  };

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>{}(key);
    }
  };
  struct Entry {
    std::shared_ptr<const HotObject> object;
    std::size_t bytes = 0;
    std::list<std::string_view>::iterator place;
    bool used = false;  // since it was last looked at for its room
  };
  struct Shard {
    std::mutex mutex;
    std::uint64_t generation = 0;  // grows with every closing and opening
    std::size_t closed = 0;
    std::size_t bytes = 0;
    std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries;
    // CLOCK order: the back goes next, unless it was used since it came to the front. Views of the
    // map's keys.
    std::list<std::string_view> order;
  };
  static constexpr std::size_t shard_count = 16;

  Shard& shard_of(std::string_view key);
  static void drop(Shard& shard, std::string_view key);
  static void make_room(Shard& shard, std::size_t most);

  const std::size_t shard_capacity_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace holdfast::store
