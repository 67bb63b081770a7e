#include "store/log_format.h"

#include <fmt/format.h>
#define XXH_STATIC_LINKING_ONLY  // the state on the stack
#include <xxhash.h>

#include <charconv>

#include "base/error.h"
#include "store/log_codec.h"

namespace holdfast::store {
namespace {

constexpr std::string_view segment_magic = "HFLOG001";
constexpr std::uint32_t record_magic = 0x43455248;  // "HREC"
constexpr std::size_t checksum_at = record_header_bytes - 8;

std::uint64_t record_checksum(std::string_view record) {
  // The checksum field lies between the two spans that it covers.
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, record.data(), checksum_at);
  XXH3_64bits_update(&state, record.data() + record_header_bytes,
                     record.size() - record_header_bytes);
  return XXH3_64bits_digest(&state);
}

}  // namespace

std::uint64_t checksum_of(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string encode_segment_header(const SegmentHeader& header) {
  std::string out(segment_magic);
  ByteWriter writer(out);
  writer.fixed64(header.number);
  writer.fixed64(header.first_sequence);
  writer.fixed64(checksum_of(out));
  return out;
}

std::optional<SegmentHeader> decode_segment_header(std::string_view bytes) {
  if (bytes.size() < segment_header_bytes || !bytes.starts_with(segment_magic)) return std::nullopt;
  ByteReader reader(bytes.substr(segment_magic.size()));
  SegmentHeader header;
  header.number = reader.fixed64();
  header.first_sequence = reader.fixed64();
  if (reader.fixed64() != checksum_of(bytes.substr(0, 24))) return std::nullopt;
  return header;
}

std::string segment_file_name(std::uint64_t number) { return fmt::format("{:016x}.log", number); }

std::optional<std::uint64_t> parse_segment_file_name(std::string_view name) {
  if (name.size() != 20 || !name.ends_with(".log")) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 16, number, 16);
  if (error != std::errc() || end != name.data() + 16) return std::nullopt;
  return number;
}

void append_record(std::string& out, RecordStamp stamp, std::string_view payload,
                   std::string_view body) {
  HOLDFAST_CHECK(payload.size() <= max_payload_bytes && body.size() <= max_inline_bytes);
  const std::size_t start = out.size();
  ByteWriter writer(out);
  writer.fixed64(std::uint64_t{record_magic} | std::uint64_t{payload.size()} << 32);
  writer.fixed64(body.size());
  writer.fixed64(stamp.sequence);
  writer.fixed64(stamp.group);
  writer.fixed64(0);
  out.append(payload);
  out.append(body);
  std::string checksum;  // 8 bytes: no allocation
  ByteWriter(checksum).fixed64(record_checksum(std::string_view(out).substr(start)));
  out.replace(start + checksum_at, checksum.size(), checksum);
}

std::optional<RecordHeader> decode_record_header(std::string_view bytes) {
  if (bytes.size() < record_header_bytes) return std::nullopt;
  ByteReader reader(bytes);
  const std::uint64_t first = reader.fixed64();
  const std::uint64_t second = reader.fixed64();
  RecordHeader header;
  header.payload_bytes = static_cast<std::uint32_t>(first >> 32);
  header.body_bytes = static_cast<std::uint32_t>(second);
  header.sequence = reader.fixed64();
  header.group = reader.fixed64();
  header.checksum = reader.fixed64();
  const bool known = static_cast<std::uint32_t>(first) == record_magic && second >> 32 == 0;
  if (!known || header.payload_bytes > max_payload_bytes || header.body_bytes > max_inline_bytes ||
      header.sequence == 0 || header.group == 0 || header.group > header.sequence) {
    return std::nullopt;
  }
  return header;
}

bool record_is_sound(const RecordHeader& header, std::string_view record) {
  return record_checksum(record.substr(0, header.total_bytes())) == header.checksum;
}

}  // namespace holdfast::store
