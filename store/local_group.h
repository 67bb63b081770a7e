// WriteGroup: the writes that become durable together, while they are judged one after another.
// Lives on the sequencer's thread; a write uses it only inside the call that judges it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "index/catalogue.h"
#include "store/local_apply.h"
#include "store/local_files.h"

namespace holdfast::store {

// What a write may use while it is judged, on the sequencer's thread.
class WriteGroup {
 public:
  index::Catalogue& catalogue() { return catalogue_; }
  Clock& clock() { return clock_; }
  Random& random() { return random_; }
  std::uint64_t next_sequence() const { return next_sequence_; }
  const ApplyEffects& effects() const { return effects_; }  // of what was appended so far

  // The bucket's row as the group has left it, looked up once for writes that come together.
  Result<index::BucketRow> find_bucket(const BucketName& name);

  // What the caller knows of the index, so that applying need not look again.
  struct Known {
    const std::vector<index::PartRow>* parts = nullptr;  // as RecordPlace
    bool never_versioned = false;
  };
  // Puts the record into the group and applies it; answers its sequence. An error here fails the
  // whole group: judge first, append last.
  Result<std::uint64_t> append(LogOp op, std::string_view body, const Known& known);
  Result<std::uint64_t> append(LogOp op, std::string_view body = {}) {
    return append(std::move(op), body, Known{});
  }
  // Where the record appended last lies.
  const RecordPlace& last_place() const { return last_place_; }
  // The segment that is written to.
  std::uint64_t segment() const { return start_.segment; }
  // Keeps the blob if the group commits.
  void keep(PendingBlob blob) { blobs_.push_back(std::move(blob)); }

 private:
  friend class Sequencer;
  // `bytes`: the buffer of the group before, for its memory.
  WriteGroup(index::Catalogue& catalogue, Clock& clock, Random& random, LogPosition start,
             std::uint64_t next_sequence, std::string bytes)
      : catalogue_(catalogue),
        clock_(clock),
        random_(random),
        start_(start),
        first_sequence_(next_sequence),
        next_sequence_(next_sequence),
        bytes_(std::move(bytes)) {
    bytes_.clear();
  }

  index::Catalogue& catalogue_;
  Clock& clock_;
  Random& random_;
  LogPosition start_;
  RecordPlace last_place_;
  std::uint64_t first_sequence_, next_sequence_;
  std::string bytes_;
  ApplyEffects effects_;
  std::vector<PendingBlob> blobs_;
  std::optional<index::BucketRow> bucket_;  // that was looked up last; no record has changed it
  std::optional<Error> broken_;
};

}  // namespace holdfast::store
