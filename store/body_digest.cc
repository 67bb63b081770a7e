#include "store/body_digest.h"

#include <algorithm>

#include "store/checksum_names.h"

namespace holdfast::store {

BodyDigest::BodyDigest(IntakeRules rules) : rules_(std::move(rules)) {
  for (const auto& expected : rules_.expected) add(expected.algorithm);
  for (const auto algorithm : rules_.compute) add(algorithm);
}

void BodyDigest::add(ChecksumAlgorithm algorithm) {
  for (const auto& [known, hasher] : hashers_) {
    if (known == algorithm) return;
  }
  hashers_.emplace_back(algorithm, s3::Hasher(to_s3(algorithm)));
}

void BodyDigest::update_checksums(std::string_view bytes) {
  for (auto& [algorithm, hasher] : hashers_) hasher.update(bytes);
  size_ += bytes.size();
}

Result<void> BodyDigest::check_growth(std::uint64_t size) const {
  if (rules_.size && size > *rules_.size) {
    return fail(ErrorCode::incomplete_body, "more than the declared {} bytes came", *rules_.size);
  }
  if (size <= rules_.limit) return {};
  return fail(ErrorCode::entity_too_large, "the body is over {} bytes", rules_.limit);
}

Result<void> BodyDigest::judge() {
  if (rules_.size && size_ != *rules_.size) {
    return fail(ErrorCode::incomplete_body, "{} bytes were declared, {} came", *rules_.size, size_);
  }
  md5_ = md5_stream_.digest();
  if (rules_.md5 && md5_ != *rules_.md5) {
    return fail(ErrorCode::bad_digest, "the body has another MD5 than Content-MD5 says");
  }
  for (const auto& [algorithm, hasher] : hashers_) {
    checksums_.push_back({algorithm, ChecksumType::full_object, hasher.base64()});
  }
  for (const auto& expected : rules_.expected) {
    const auto own = std::ranges::find(checksums_, expected.algorithm, &Checksum::algorithm);
    if (own->value != expected.value) {
      return fail(ErrorCode::checksum_mismatch, "the body has the {} {}, not {}",
                  s3::api_name(to_s3(expected.algorithm)), own->value, expected.value);
    }
  }
  return {};
}

}  // namespace holdfast::store
