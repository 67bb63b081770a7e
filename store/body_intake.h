// take_body(): reads a request's body to its end into memory while checking all that the writer
// declared (size, MD5, checksums). Used by the stores that hold bodies in memory. Any executor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/body.h"
#include "store/object_store.h"

namespace holdfast::store {

struct IntakeRules {
  std::optional<std::uint64_t> size;
  std::optional<std::string> md5;  // 16 raw bytes
  std::vector<Checksum> expected;
  std::vector<ChecksumAlgorithm> compute;
  std::uint64_t limit = 5ull << 30;  // S3's bound of one put or part
};

struct TakenBody {
  std::string bytes;
  std::string md5;  // 16 raw bytes
  std::vector<Checksum> checksums;
};

// incomplete_body (also where the body is longer than declared), bad_digest, checksum_mismatch,
// entity_too_large, or the reader's own error.
Async<TakenBody> take_body(BodyReader& body, IntakeRules rules);

// Digests of bytes in memory, by the same rules.
Result<TakenBody> check_bytes(std::string bytes, const IntakeRules& rules);

}  // namespace holdfast::store
