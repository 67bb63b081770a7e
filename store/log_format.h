// The framing of the record log: how segment files and records look on disk. Pure; any thread.
//
// Segment file "NNNNNNNNNNNNNNNN.log" (number in hex): a header of 32 bytes, then records.
//   "HFLOG001" | number u64 | sequence of the first record u64 | XXH3-64 of these 24 bytes
// Record: a header of 40 bytes, then payload, then body. Integers are little-endian.
//   magic u32 | payload bytes u32 | body bytes u32 | zero u32 | sequence u64 |
//   sequence of the first record of the same group u64 | XXH3-64 of header, payload and body u64
// One group is made durable by one fdatasync; so a broken record followed by one of a *later* group
// is damage, while one followed by nothing or by its own group is a write that never completed. The
// last segment's file may go on with zeros behind its records; every other one ends with a record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::store {

inline constexpr std::size_t segment_header_bytes = 32;
inline constexpr std::size_t record_header_bytes = 40;
inline constexpr std::size_t max_payload_bytes = 16u << 20;
inline constexpr std::size_t max_inline_bytes = 1u << 20;

struct SegmentHeader {
  std::uint64_t number = 0;
  std::uint64_t first_sequence = 0;
};
std::string encode_segment_header(const SegmentHeader& header);
std::optional<SegmentHeader> decode_segment_header(std::string_view bytes);
std::string segment_file_name(std::uint64_t number);
std::optional<std::uint64_t> parse_segment_file_name(std::string_view name);

struct RecordHeader {
  std::uint32_t payload_bytes = 0;
  std::uint32_t body_bytes = 0;
  std::uint64_t sequence = 0;
  std::uint64_t group = 0;
  std::uint64_t checksum = 0;

  std::size_t total_bytes() const {
    return record_header_bytes + std::size_t{payload_bytes} + body_bytes;
  }
};

struct RecordStamp {
  std::uint64_t sequence = 0;
  std::uint64_t group = 0;
};
// Appends one record to `out`. REQUIRES: sizes within the bounds above.
void append_record(std::string& out, RecordStamp stamp, std::string_view payload,
                   std::string_view body);
// nullopt: too short, another magic, or sizes out of bounds. The checksum is not looked at.
std::optional<RecordHeader> decode_record_header(std::string_view bytes);
// REQUIRES: `record` holds total_bytes() of a decoded header.
bool record_is_sound(const RecordHeader& header, std::string_view record);

std::uint64_t checksum_of(std::string_view bytes);  // XXH3-64

}  // namespace holdfast::store
