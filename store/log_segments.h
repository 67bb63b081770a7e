// The record log as files: appending groups durably, and reading records back in order.
// LogWriter belongs to one thread (the sequencer's). scan_log may run beside it on what is durable.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace holdfast::store {

struct LogPosition {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;  // in the segment's file

  auto operator<=>(const LogPosition&) const = default;
};

struct LogOptions {
  std::string directory;
  std::uint64_t segment_bytes = 128u << 20;  // a new segment begins past this
  bool sync = true;                          // false: durable only against our own death
  // How far the file is filled with zeros ahead of its end, so that fdatasync has no change of the
  // file's size or blocks to journal beside the group. 0: not at all. Without sync it is unused.
  std::uint64_t ahead_bytes = 1u << 20;
};

class LogWriter {
 public:
  // Goes on at `end` (as scan_log answered): what lies behind it is cut off. A log without
  // segments (end.segment == 0) starts its first one.
  static Result<LogWriter> open(LogOptions options, LogPosition end, std::uint64_t next_sequence);

  // Where the next group will lie.
  LogPosition end() const { return end_; }
  // Starts a new segment when the present one is full. To be called before end() is relied upon.
  Result<void> make_room(std::uint64_t next_sequence);
  // Writes the group and makes it durable. A failure leaves the log as it was before; where even
  // that cannot be had, the writer is broken: it refuses everything until the log is reopened.
  Result<void> append(std::string_view group);
  // Cuts the last group off again. REQUIRES: `before` is end() from before its append.
  Result<void> take_back(LogPosition before);
  bool broken() const { return broken_; }

 private:
  explicit LogWriter(LogOptions options) : options_(std::move(options)) {}
  Result<void> start_segment(std::uint64_t number, std::uint64_t next_sequence);
  Result<void> sync();
  Result<void> cut_at(std::uint64_t offset);
  void fill_ahead(std::uint64_t group_bytes);

  LogOptions options_;
  Fd file_;
  LogPosition end_;
  std::uint64_t filled_ = 0;  // the file holds zeros from end_ up to here; <= end_.offset: none
  bool may_fill_ = false;     // until something fails in this segment
  bool broken_ = false;
};

struct LogRecord {
  std::uint64_t sequence = 0;
  LogPosition position;  // of its header
  std::string_view payload, body;
  std::uint64_t body_offset = 0;  // in the segment's file
};

struct LogEnd {
  LogPosition position;             // behind the last sound record
  std::uint64_t last_sequence = 0;  // 0: there is none
  std::uint64_t torn_bytes = 0;     // behind it, of a group that never completed; zeros are none
  std::uint64_t first_segment = 0;  // that was read; 0: none
};

using LogVisitor = std::function<Result<void>(const LogRecord&)>;

// Visits every record from `from` on; {0, 0} is the start. `last_sequence` is that of the record
// before. `corrupted`: a record that was once durable is broken or missing. not_found: the log does
// not reach to `from`. A visitor's error ends the scan and is answered.
Result<LogEnd> scan_log(const std::string& directory, LogPosition from, std::uint64_t last_sequence,
                        const LogVisitor& visit);

// Visits the records of one closed segment from `from` on, about `bytes` of them, and answers where
// to go on; nullopt at its end. corrupted: a record is broken.
Result<std::optional<LogPosition>> read_segment(const std::string& directory, LogPosition from,
                                                std::uint64_t bytes, const LogVisitor& visit);

// Reports what is not sound, without giving up at damage.
struct LogDamage {
  LogPosition position;
  std::uint64_t bytes = 0;
};
struct SegmentCheck {
  std::vector<LogDamage> damage;
  std::uint64_t read_bytes = 0;
  std::optional<LogPosition> next;  // where to go on; nullopt at the segment's end
};
// Looks at about `bytes` of one segment from `from` on, up to `until` where that lies in it.
// not_found: the file is not there.
Result<SegmentCheck> check_segment(const std::string& directory, LogPosition from,
                                   LogPosition until, std::uint64_t bytes);
Result<std::vector<LogDamage>> find_log_damage(const std::string& directory, LogPosition until);

// Numbers of the segment files, ascending.
Result<std::vector<std::uint64_t>> list_segments(const std::string& directory);
std::string segment_path(const std::string& directory, std::uint64_t number);

}  // namespace holdfast::store
