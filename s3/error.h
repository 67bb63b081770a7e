// The error answers of the S3 API (AWS S3 API reference, "Error responses"): code, HTTP status and
// default message of each, and the one mapping from Holdfast's own errors. Pure; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace holdfast::s3 {

enum class ApiError : std::uint8_t {
  access_denied,
  acl_not_supported,  // AccessControlListNotSupported
  account_problem,
  authorization_header_malformed,
  authorization_query_parameters_error,
  bad_digest,
  bucket_already_exists,
  bucket_already_owned_by_you,
  bucket_not_empty,
  conditional_request_conflict,
  cors_not_found,        // NoSuchCORSConfiguration
  encryption_not_found,  // ServerSideEncryptionConfigurationNotFoundError
  entity_too_large,
  entity_too_small,
  expired_token,
  headers_not_signed,  // answered as AccessDenied
  incomplete_body,
  insufficient_storage,  // 507: the disk is full; no AWS code exists, this is RFC 4918's
  internal_error,
  invalid_access_key_id,
  invalid_argument,
  invalid_bucket_name,
  invalid_bucket_state,
  invalid_chunk_size,
  invalid_digest,
  invalid_encryption_algorithm,
  invalid_location_constraint,
  invalid_object_state,
  invalid_part,
  invalid_part_number,
  invalid_part_order,
  invalid_policy_document,
  invalid_range,
  invalid_request,
  invalid_retention_period,
  invalid_storage_class,
  invalid_tag,
  invalid_token,
  invalid_uri,
  key_too_long,
  lifecycle_not_found,  // NoSuchLifecycleConfiguration
  malformed_acl,
  malformed_policy,
  malformed_post_request,
  malformed_xml,
  max_message_length_exceeded,
  metadata_too_large,
  method_not_allowed,
  missing_content_length,
  missing_request_body,
  missing_security_header,
  no_such_bucket,
  no_such_bucket_policy,
  no_such_key,
  no_such_tag_set,
  no_such_upload,
  no_such_version,
  not_implemented,
  not_modified,
  object_lock_configuration_not_found,
  no_such_object_lock_configuration,
  operation_aborted,
  ownership_controls_not_found,
  post_policy_expired,  // answered as AccessDenied
  precondition_failed,
  public_access_block_not_found,
  quota_exceeded,
  request_expired,  // presigned URL past its time; answered as AccessDenied
  request_time_too_skewed,
  request_timeout,
  signature_does_not_match,
  slow_down,
  too_many_buckets,
  unsupported_argument,
  user_key_must_be_specified,
  checksum_mismatch,        // BadDigest
  content_sha256_mismatch,  // XAmzContentSHA256Mismatch
  count_,                   // how many there are; no error
};

struct ApiErrorInfo {
  std::string_view code;     // as <Code> and in client libraries
  unsigned status;           // HTTP
  std::string_view message;  // default <Message>
};
const ApiErrorInfo& describe(ApiError error);

// What a request parser or verifier answers. An empty `message` means the default one. Messages
// never hold secrets or expected signatures.
struct [[nodiscard]] ApiFailure {
  ApiError error = ApiError::internal_error;
  std::string message;
};
template <class T>
using ApiResult = std::expected<T, ApiFailure>;

std::unexpected<ApiFailure> refuse(ApiError error, std::string message = {});

// A full disk is 507 InsufficientStorage (a client must not retry it for hours as it would
// SlowDown); unavailable and throttled are 503 SlowDown; corrupted and io are 500 InternalError.
ApiError to_s3_error(const Error& error);
// The other way, for payload readers: what a failed body read of this kind is called inside.
Error to_error(const ApiFailure& failure);
// For clients: the meaning of an answer's <Code> and status. HEAD answers have no body: code empty.
ErrorCode to_error_code(std::string_view code, unsigned status);

// The <Error> document. `extras` are further elements, in order (BucketName, Key, Condition …).
std::string error_xml(ApiError error, std::string_view message, std::string_view resource,
                      std::string_view request_id,
                      std::span<const std::pair<std::string_view, std::string_view>> extras = {});

}  // namespace holdfast::s3
