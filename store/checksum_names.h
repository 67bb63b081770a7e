// The store's checksum words as the S3 protocol's and back. The first five of s3::Algorithm are, in
// this order, what the store knows. Pure; any thread.
#pragma once

#include <optional>

#include "s3/checksum.h"
#include "store/object_types.h"

namespace holdfast::store {

inline s3::Algorithm to_s3(ChecksumAlgorithm algorithm) {
  return static_cast<s3::Algorithm>(algorithm);
}
inline std::optional<ChecksumAlgorithm> from_s3(s3::Algorithm algorithm) {
  if (algorithm > s3::Algorithm::sha256) return std::nullopt;
  return static_cast<ChecksumAlgorithm>(algorithm);
}
static_assert(static_cast<int>(s3::Algorithm::crc32) == static_cast<int>(ChecksumAlgorithm::crc32));
static_assert(static_cast<int>(s3::Algorithm::crc64nvme) ==
              static_cast<int>(ChecksumAlgorithm::crc64nvme));
static_assert(static_cast<int>(s3::Algorithm::sha256) ==
              static_cast<int>(ChecksumAlgorithm::sha256));

}  // namespace holdfast::store
