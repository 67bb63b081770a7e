// Private to the local_*.cc files: which records of an old segment are still of use, and how they
// get to the log's end. Only the log's oldest segment may be given: then no record before it is
// left that its removals are needed against, and removals need not be kept.
#pragma once

#include <cstdint>
#include <string>

#include "index/catalogue.h"
#include "store/local_group.h"
#include "store/log_record.h"
#include "store/log_segments.h"

namespace holdfast::store {

struct OldRecord {
  std::uint64_t sequence = 0;
  std::uint64_t segment = 0, body_offset = 0;
  std::uint64_t log_bytes = 0;  // header, payload and body
  LogOp op;
  std::string body;
};
Result<OldRecord> to_old_record(const LogRecord& record);

// Whether it may be of use: what is not never will be again.
Result<bool> is_of_use(index::Catalogue& catalogue, const OldRecord& record);
// On the sequencer's thread: writes again what the record stands for, as it is now. Idempotent.
Result<void> relocate(WriteGroup& group, const OldRecord& record);

}  // namespace holdfast::store
