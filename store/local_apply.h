// Applies log operations to the catalogue. The sequencer applies what it is about to append and
// recovery what it finds in the log, by this same function: so a rebuilt index equals the lost one.
// One thread at a time (the writer's).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "index/catalogue.h"
#include "store/log_record.h"
#include "store/log_segments.h"

namespace holdfast::store {

// Where the record lies.
struct RecordPlace {
  std::uint64_t sequence = 0;
  std::uint64_t segment = 0;
  std::uint64_t body_offset = 0;
  // The log before it was compacted away: what it removes or changes may be gone.
  bool partial_log = false;
  // All parts of the upload that the operation completes, where the caller has just read them.
  const std::vector<index::PartRow>* parts = nullptr;
  // The bucket of a new version keeps none but the last: there is no old one called "null".
  bool never_versioned = false;
};

struct UsageDelta {
  std::int64_t bytes = 0, objects = 0;
};
// What follows from a group once it is committed.
struct ApplyEffects {
  std::map<std::uint64_t, std::int64_t> live_bytes;  // change, by segment
  std::int64_t row_bytes = 0;                        // change, see index::AppliedState
  std::uint64_t dropped_segment = 0;                 // and all before it; 0: none
  std::map<std::uint64_t, UsageDelta> usage;         // by bucket
  std::set<std::uint64_t> changed_buckets;           // the feed has news
  std::vector<std::string> dead_blobs;               // nothing refers to them any more
  std::vector<std::string> damaged_blobs;
  std::vector<std::string> touched_keys;  // whose versions, or what they say, are others now
};

// Takes out of `op` what goes into rows.
Result<void> apply_op(index::Catalogue& catalogue, LogOp op, const RecordPlace& place,
                      ApplyEffects& effects);
// Writes what adds up over a group, partly into `state`; once, before the commit.
Result<void> apply_sums(index::Catalogue& catalogue, const ApplyEffects& effects,
                        index::AppliedState& state);

// How often, in records, trim_feed() is to be called.
inline constexpr std::uint64_t feed_trim_interval = 10'000;
// Cuts the change feed to the records that it reaches back.
Result<void> trim_feed(index::Catalogue& catalogue, index::AppliedState& state);

}  // namespace holdfast::store
