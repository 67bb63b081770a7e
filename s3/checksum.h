// The checksums of S3 and Holdfast: streaming, combining, and their names on the wire.
// CRC-32 (ISO-HDLC), CRC-32C (iSCSI), CRC-64/NVME, SHA-1, SHA-256, MD5, XXH3-128. Any thread; a
// Hasher is used by one at a time. Digests are raw bytes, big-endian, unless a name says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace holdfast::s3 {

enum class Algorithm : std::uint8_t { crc32, crc32c, crc64nvme, sha1, sha256, md5, xxh3_128 };

class Hasher {
 public:
  explicit Hasher(Algorithm algorithm);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  Algorithm algorithm() const { return algorithm_; }
  void update(std::span<const std::byte> data);
  void update(std::string_view data) { update(std::as_bytes(std::span(data))); }
  // Digest of all that came so far; the hasher may go on.
  std::string digest() const;
  std::string base64() const;  // as x-amz-checksum-* and Content-MD5 carry it
  std::string hex() const;

 private:
  struct State;
  Algorithm algorithm_;
  std::unique_ptr<State> state_;
};

std::string digest_of(Algorithm algorithm, std::string_view data);
std::size_t digest_bytes(Algorithm algorithm);

// CRC of A‖B from those of A and B. REQUIRES: a CRC algorithm, digests of its size.
bool can_combine(Algorithm algorithm);
std::string combine(Algorithm algorithm, std::string_view first, std::string_view second,
                    std::uint64_t second_bytes);

// "x-amz-checksum-crc32"; only of the five that S3 knows (empty for md5 and xxh3_128).
std::string_view checksum_header(Algorithm algorithm);
std::optional<Algorithm> from_checksum_header(std::string_view lower_case_name);
// "CRC32", as x-amz-checksum-algorithm and <ChecksumAlgorithm>; parsing ignores case.
std::string_view api_name(Algorithm algorithm);
std::optional<Algorithm> from_api_name(std::string_view name);
// "ChecksumCRC32", the XML element.
std::string_view checksum_element(Algorithm algorithm);

// Decodes a value of x-amz-checksum-*: raw digest of the right size, or nullopt. A "-N" suffix is
// refused: it is no checksum of bytes.
std::optional<std::string> decode_checksum(Algorithm algorithm, std::string_view base64);

}  // namespace holdfast::s3
