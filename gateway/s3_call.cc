#include "gateway/s3_call.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/log.h"

namespace holdfast::gateway {

std::optional<VersionId> S3Call::version() const {
  if (!target.query.has("versionId")) return std::nullopt;
  return VersionId(std::string(query("versionId")));
}

S3Reply xml_reply(std::string document, unsigned status) {
  S3Reply reply;
  reply.head.status = status;
  reply.head.headers.add("Content-Type", "application/xml");
  reply.body = std::move(document);
  return reply;
}

S3Reply empty_reply(unsigned status) {
  S3Reply reply;
  reply.head.status = status;
  return reply;
}

s3::ApiFailure to_failure(const Error& error) {
  const s3::ApiError code = s3::to_s3_error(error);
  if (s3::describe(code).status >= 500) {
    spdlog::warn("gateway: {}: {}", to_string(error.code), log_field(error.context, 400));
    return {code, {}};
  }
  switch (error.code) {
    case ErrorCode::no_such_bucket:
    case ErrorCode::no_such_key:
    case ErrorCode::no_such_version:
    case ErrorCode::no_such_upload:
    case ErrorCode::access_denied:
      return {code, {}};
    default:
      return {code, error.context};
  }
}

std::unexpected<s3::ApiFailure> refuse_with(const Error& error) {
  return std::unexpected(to_failure(error));
}

s3::Algorithm to_api(store::ChecksumAlgorithm algorithm) {
  switch (algorithm) {
    case store::ChecksumAlgorithm::crc32:
      return s3::Algorithm::crc32;
    case store::ChecksumAlgorithm::crc32c:
      return s3::Algorithm::crc32c;
    case store::ChecksumAlgorithm::crc64nvme:
      return s3::Algorithm::crc64nvme;
    case store::ChecksumAlgorithm::sha1:
      return s3::Algorithm::sha1;
    case store::ChecksumAlgorithm::sha256:
      return s3::Algorithm::sha256;
  }
  return s3::Algorithm::sha256;
}

std::optional<store::ChecksumAlgorithm> to_store(s3::Algorithm algorithm) {
  switch (algorithm) {
    case s3::Algorithm::crc32:
      return store::ChecksumAlgorithm::crc32;
    case s3::Algorithm::crc32c:
      return store::ChecksumAlgorithm::crc32c;
    case s3::Algorithm::crc64nvme:
      return store::ChecksumAlgorithm::crc64nvme;
    case s3::Algorithm::sha1:
      return store::ChecksumAlgorithm::sha1;
    case s3::Algorithm::sha256:
      return store::ChecksumAlgorithm::sha256;
    default:
      return std::nullopt;
  }
}

std::optional<store::ChecksumAlgorithm> checksum_algorithm(std::string_view api_name) {
  const auto algorithm = s3::from_api_name(api_name);
  return algorithm ? to_store(*algorithm) : std::nullopt;
}

s3::ApiResult<std::uint64_t> number_of(const S3Call& call, std::string_view parameter,
                                       NumberRange range) {
  if (!call.target.query.has(parameter)) return range.fallback;
  const auto number = s3::parse_u64(call.query(parameter));
  if (!number || *number < range.low || *number > range.high) {
    return s3::refuse(s3::ApiError::invalid_argument,
                      fmt::format("{} must be an integer between {} and {}, inclusive.", parameter,
                                  range.low, range.high));
  }
  return *number;
}

}  // namespace holdfast::gateway
