// BodyDigest: hashes a body while it streams past and judges it at the end by what its writer
// declared. Used by one thread at a time, but for the two halves of update().
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "s3/checksum.h"
#include "s3/md5.h"
#include "store/body_intake.h"

namespace holdfast::store {

class BodyDigest {
 public:
  explicit BodyDigest(IntakeRules rules);

  void update(std::string_view bytes) {
    md5_stream_.update(bytes);
    update_checksums(bytes);
  }
  // Its halves. Each is to see every byte once and in order; they may run at the same time.
  s3::Md5& md5_stream() { return md5_stream_; }
  void update_checksums(std::string_view bytes);  // and the size
  std::uint64_t size() const { return size_; }
  // Whether `size` bytes are more than may come: incomplete_body, entity_too_large.
  Result<void> check_growth(std::uint64_t size) const;
  // incomplete_body, bad_digest, checksum_mismatch.
  Result<void> judge();

  // After judge():
  const std::string& md5() const { return md5_; }  // 16 raw bytes
  const std::vector<Checksum>& checksums() const { return checksums_; }

 private:
  void add(ChecksumAlgorithm algorithm);

  IntakeRules rules_;
  s3::Md5 md5_stream_;
  std::vector<std::pair<ChecksumAlgorithm, s3::Hasher>> hashers_;
  std::uint64_t size_ = 0;
  std::string md5_;
  std::vector<Checksum> checksums_;
};

}  // namespace holdfast::store
