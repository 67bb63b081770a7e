// The three reflected CRCs of S3, fast: carry-less multiplication where the CPU has it, tables
// elsewhere. Any thread. A state is the running CRC as it is shown (initial value 0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace holdfast::s3 {

enum class CrcKind : std::uint8_t { crc32, crc32c, crc64nvme };

// CRC of what `crc` covers followed by `data`.
std::uint64_t crc_update(CrcKind kind, std::uint64_t crc, std::span<const std::byte> data);
// The same by tables alone: the reference, and what other CPUs run.
std::uint64_t crc_update_portable(CrcKind kind, std::uint64_t crc, std::span<const std::byte> data);
// CRC of A‖B from those of A and B and the length of B.
std::uint64_t crc_combine(CrcKind kind, std::uint64_t first, std::uint64_t second,
                          std::uint64_t second_bytes);

}  // namespace holdfast::s3
