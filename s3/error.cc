#include "s3/error.h"

#include <array>

#include "s3/xml.h"

namespace holdfast::s3 {
namespace {

struct Row {
  ApiError error;
  ApiErrorInfo info;
};

constexpr std::size_t count = static_cast<std::size_t>(ApiError::count_);
constexpr std::array<Row, count> rows = {{
    {ApiError::access_denied, {"AccessDenied", 403, "Access Denied"}},
    {ApiError::acl_not_supported,
     {"AccessControlListNotSupported", 400, "The bucket does not allow ACLs"}},
    {ApiError::account_problem,
     {"AccountProblem", 403, "The account is disabled. Ask an administrator to enable it."}},
    {ApiError::authorization_header_malformed,
     {"AuthorizationHeaderMalformed", 400,
      "The authorization header that you provided is not valid."}},
    {ApiError::authorization_query_parameters_error,
     {"AuthorizationQueryParametersError", 400,
      "The authorization query parameters that you provided are not valid."}},
    {ApiError::bad_digest,
     {"BadDigest", 400, "The Content-MD5 you specified did not match what we received."}},
    {ApiError::bucket_already_exists,
     {"BucketAlreadyExists", 409, "The requested bucket name is not available. Select another."}},
    {ApiError::bucket_already_owned_by_you,
     {"BucketAlreadyOwnedByYou", 409,
      "Your previous request to create the named bucket succeeded "
      "and you already own it."}},
    {ApiError::bucket_not_empty,
     {"BucketNotEmpty", 409, "The bucket you tried to delete is not empty."}},
    {ApiError::conditional_request_conflict,
     {"ConditionalRequestConflict", 409, "A conflicting operation occurred. Try again."}},
    {ApiError::cors_not_found,
     {"NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"}},
    {ApiError::encryption_not_found,
     {"ServerSideEncryptionConfigurationNotFoundError", 404,
      "The server side encryption configuration was not found"}},
    {ApiError::entity_too_large,
     {"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"}},
    {ApiError::entity_too_small,
     {"EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"}},
    {ApiError::expired_token, {"ExpiredToken", 400, "The provided token has expired."}},
    {ApiError::headers_not_signed,
     {"AccessDenied", 403, "There were headers present in the request which were not signed"}},
    {ApiError::incomplete_body,
     {"IncompleteBody", 400,
      "You did not provide the number of bytes specified by the Content-Length HTTP header."}},
    {ApiError::insufficient_storage,
     {"InsufficientStorage", 507,
      "The store has no space left. Free some, or ask an administrator."}},
    {ApiError::internal_error,
     {"InternalError", 500, "We encountered an internal error. Please try again."}},
    {ApiError::invalid_access_key_id,
     {"InvalidAccessKeyId", 403,
      "The AWS Access Key Id you provided does not exist in our records."}},
    {ApiError::invalid_argument, {"InvalidArgument", 400, "Invalid Argument"}},
    {ApiError::invalid_bucket_name,
     {"InvalidBucketName", 400, "The specified bucket is not valid."}},
    {ApiError::invalid_bucket_state,
     {"InvalidBucketState", 409, "The request is not valid with the current state of the bucket."}},
    {ApiError::invalid_chunk_size,
     {"InvalidChunkSizeError", 403,
      "Only the last chunk is allowed to have a size less than 8192 bytes"}},
    {ApiError::invalid_digest,
     {"InvalidDigest", 400, "The Content-MD5 or checksum value that you specified is not valid."}},
    {ApiError::invalid_encryption_algorithm,
     {"InvalidEncryptionAlgorithmError", 400,
      "The encryption request that you specified is not valid."}},
    {ApiError::invalid_location_constraint,
     {"InvalidLocationConstraint", 400, "The specified location constraint is not valid."}},
    {ApiError::invalid_object_state,
     {"InvalidObjectState", 403,
      "The operation is not valid for the current state of the object."}},
    {ApiError::invalid_part,
     {"InvalidPart", 400,
      "One or more of the specified parts could not be found. The part might not "
      "have been uploaded, or the specified entity tag might not have matched."}},
    {ApiError::invalid_part_number,
     {"InvalidPartNumber", 416, "The requested partnumber is not satisfiable"}},
    {ApiError::invalid_part_order,
     {"InvalidPartOrder", 400,
      "The list of parts was not in ascending order. The parts list must be "
      "specified in order by part number."}},
    {ApiError::invalid_policy_document,
     {"InvalidPolicyDocument", 400,
      "The content of the form does not meet the conditions specified "
      "in the policy document."}},
    {ApiError::invalid_range, {"InvalidRange", 416, "The requested range is not satisfiable"}},
    {ApiError::invalid_request, {"InvalidRequest", 400, "Invalid Request"}},
    {ApiError::invalid_retention_period,
     {"InvalidRetentionPeriod", 400, "Default retention period must be a positive integer value."}},
    {ApiError::invalid_storage_class,
     {"InvalidStorageClass", 400, "The storage class you specified is not valid."}},
    {ApiError::invalid_tag, {"InvalidTag", 400, "The tag provided was not a valid tag."}},
    {ApiError::invalid_token,
     {"InvalidToken", 400, "The provided token is malformed or otherwise not valid."}},
    {ApiError::invalid_uri, {"InvalidURI", 400, "The specified URI couldn't be parsed."}},
    {ApiError::key_too_long, {"KeyTooLongError", 400, "Your key is too long"}},
    {ApiError::lifecycle_not_found,
     {"NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist."}},
    {ApiError::malformed_acl,
     {"MalformedACLError", 400, "The ACL that you provided was not well formed."}},
    {ApiError::malformed_policy, {"MalformedPolicy", 400, "The policy has invalid syntax."}},
    {ApiError::malformed_post_request,
     {"MalformedPOSTRequest", 400,
      "The body of your POST request is not well-formed multipart/form-data."}},
    {ApiError::malformed_xml,
     {"MalformedXML", 400,
      "The XML you provided was not well-formed or did not validate against our published "
      "schema."}},
    {ApiError::max_message_length_exceeded,
     {"MaxMessageLengthExceeded", 400, "Your request was too large."}},
    {ApiError::metadata_too_large,
     {"MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size."}},
    {ApiError::method_not_allowed,
     {"MethodNotAllowed", 405, "The specified method is not allowed against this resource."}},
    {ApiError::missing_content_length,
     {"MissingContentLength", 411, "You must provide the Content-Length HTTP header."}},
    {ApiError::missing_request_body, {"MissingRequestBodyError", 400, "Request body is empty."}},
    {ApiError::missing_security_header,
     {"MissingSecurityHeader", 400, "Your request was missing a required header."}},
    {ApiError::no_such_bucket, {"NoSuchBucket", 404, "The specified bucket does not exist"}},
    {ApiError::no_such_bucket_policy,
     {"NoSuchBucketPolicy", 404, "The bucket policy does not exist"}},
    {ApiError::no_such_key, {"NoSuchKey", 404, "The specified key does not exist."}},
    {ApiError::no_such_tag_set, {"NoSuchTagSet", 404, "The TagSet does not exist"}},
    {ApiError::no_such_upload,
     {"NoSuchUpload", 404,
      "The specified multipart upload does not exist. The upload ID might be "
      "invalid, or the multipart upload might have been aborted or completed."}},
    {ApiError::no_such_version, {"NoSuchVersion", 404, "The specified version does not exist."}},
    {ApiError::not_implemented,
     {"NotImplemented", 501,
      "A header or operation you provided implies functionality that is not "
      "implemented."}},
    {ApiError::not_modified, {"NotModified", 304, "Not Modified"}},
    {ApiError::object_lock_configuration_not_found,
     {"ObjectLockConfigurationNotFoundError", 404,
      "Object Lock configuration does not exist for this bucket"}},
    {ApiError::no_such_object_lock_configuration,
     {"NoSuchObjectLockConfiguration", 404,
      "The specified object does not have a ObjectLock configuration"}},
    {ApiError::operation_aborted,
     {"OperationAborted", 409,
      "A conflicting conditional operation is currently in progress against "
      "this resource. Please try again."}},
    {ApiError::ownership_controls_not_found,
     {"OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found"}},
    {ApiError::post_policy_expired,
     {"AccessDenied", 403, "Invalid according to Policy: Policy expired."}},
    {ApiError::precondition_failed,
     {"PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold"}},
    {ApiError::public_access_block_not_found,
     {"NoSuchPublicAccessBlockConfiguration", 404,
      "The public access block configuration was not found"}},
    {ApiError::quota_exceeded,
     {"QuotaExceeded", 403, "The quota is used up. Remove old data, or ask for a larger one."}},
    {ApiError::request_expired, {"AccessDenied", 403, "Request has expired"}},
    {ApiError::request_time_too_skewed,
     {"RequestTimeTooSkewed", 403,
      "The difference between the request time and the server's time is too large."}},
    {ApiError::request_timeout,
     {"RequestTimeout", 400,
      "Your socket connection to the server was not read from or written to "
      "within the timeout period."}},
    {ApiError::signature_does_not_match,
     {"SignatureDoesNotMatch", 403,
      "The request signature we calculated does not match the signature "
      "you provided. Check your key and signing method."}},
    {ApiError::slow_down, {"SlowDown", 503, "Please reduce your request rate."}},
    {ApiError::too_many_buckets,
     {"TooManyBuckets", 400, "You have attempted to create more buckets than allowed."}},
    {ApiError::unsupported_argument,
     {"UnsupportedArgument", 400, "The request contained an unsupported argument."}},
    {ApiError::user_key_must_be_specified,
     {"UserKeyMustBeSpecified", 400,
      "The bucket POST must contain the specified field name. If it is "
      "specified, check the order of the fields."}},
    {ApiError::checksum_mismatch,
     {"BadDigest", 400, "The checksum you specified did not match the calculated checksum."}},
    {ApiError::content_sha256_mismatch,
     {"XAmzContentSHA256Mismatch", 400,
      "The provided 'x-amz-content-sha256' header does not match what was computed."}},
}};

consteval bool in_order() {
  for (std::size_t i = 0; i < count; ++i) {
    if (rows[i].error != static_cast<ApiError>(i)) return false;
  }
  return true;
}
static_assert(in_order(), "rows follow the enumeration");

}  // namespace

const ApiErrorInfo& describe(ApiError error) {
  const auto index = static_cast<std::size_t>(error);
  HOLDFAST_CHECK(index < count);
  return rows[index].info;
}

std::unexpected<ApiFailure> refuse(ApiError error, std::string message) {
  return std::unexpected(ApiFailure{error, std::move(message)});
}

ApiError to_s3_error(const Error& error) {
  switch (error.code) {
    case ErrorCode::not_found:
    case ErrorCode::no_such_key:
      return ApiError::no_such_key;
    case ErrorCode::no_such_bucket:
      return ApiError::no_such_bucket;
    case ErrorCode::no_such_version:
      return ApiError::no_such_version;
    case ErrorCode::no_such_upload:
      return ApiError::no_such_upload;
    case ErrorCode::already_exists:
      return ApiError::precondition_failed;
    case ErrorCode::bucket_exists:
      return ApiError::bucket_already_owned_by_you;
    case ErrorCode::bucket_not_empty:
      return ApiError::bucket_not_empty;
    case ErrorCode::invalid_argument:
      return ApiError::invalid_argument;
    case ErrorCode::invalid_name:
      return ApiError::invalid_bucket_name;
    case ErrorCode::malformed:
      return ApiError::invalid_request;
    case ErrorCode::invalid_range:
      return ApiError::invalid_range;
    case ErrorCode::invalid_part:
      return ApiError::invalid_part;
    case ErrorCode::invalid_part_order:
      return ApiError::invalid_part_order;
    case ErrorCode::entity_too_small:
      return ApiError::entity_too_small;
    case ErrorCode::entity_too_large:
      return ApiError::entity_too_large;
    case ErrorCode::incomplete_body:
      return ApiError::incomplete_body;
    case ErrorCode::bad_digest:
      return ApiError::bad_digest;
    case ErrorCode::checksum_mismatch:
      return ApiError::checksum_mismatch;
    case ErrorCode::method_not_allowed:
      return ApiError::method_not_allowed;
    case ErrorCode::not_supported:
      return ApiError::not_implemented;
    case ErrorCode::precondition_failed:
      return ApiError::precondition_failed;
    case ErrorCode::not_modified:
      return ApiError::not_modified;
    case ErrorCode::conflict:
      return ApiError::operation_aborted;
    case ErrorCode::unauthenticated:
    case ErrorCode::access_denied:
    case ErrorCode::locked:
      return ApiError::access_denied;
    case ErrorCode::expired:
      return ApiError::request_expired;
    case ErrorCode::quota_exceeded:
      return ApiError::quota_exceeded;
    case ErrorCode::no_space:
      return ApiError::insufficient_storage;
    case ErrorCode::read_only:
      return ApiError::method_not_allowed;
    case ErrorCode::unavailable:
    case ErrorCode::throttled:
      return ApiError::slow_down;
    case ErrorCode::timed_out:
    case ErrorCode::cancelled:
      return ApiError::request_timeout;
    case ErrorCode::io:
    case ErrorCode::corrupted:
    case ErrorCode::internal:
      return ApiError::internal_error;
  }
  return ApiError::internal_error;
}

Error to_error(const ApiFailure& failure) {
  const auto& info = describe(failure.error);
  std::string text(failure.message.empty() ? info.message : std::string_view(failure.message));
  return Error{to_error_code(info.code, info.status), std::move(text)};
}

namespace {

struct Meaning {
  std::string_view code;
  ErrorCode meaning;
};
// Codes whose status alone would say less than the code does.
constexpr auto meanings = std::to_array<Meaning>({
    {"NoSuchBucket", ErrorCode::no_such_bucket},
    {"NoSuchKey", ErrorCode::no_such_key},
    {"NoSuchVersion", ErrorCode::no_such_version},
    {"NoSuchUpload", ErrorCode::no_such_upload},
    {"BucketAlreadyExists", ErrorCode::bucket_exists},
    {"BucketAlreadyOwnedByYou", ErrorCode::bucket_exists},
    {"BucketNotEmpty", ErrorCode::bucket_not_empty},
    {"InvalidBucketName", ErrorCode::invalid_name},
    {"KeyTooLongError", ErrorCode::invalid_name},
    {"InvalidRange", ErrorCode::invalid_range},
    {"InvalidPartNumber", ErrorCode::invalid_range},
    {"InvalidPart", ErrorCode::invalid_part},
    {"InvalidPartOrder", ErrorCode::invalid_part_order},
    {"EntityTooSmall", ErrorCode::entity_too_small},
    {"EntityTooLarge", ErrorCode::entity_too_large},
    {"IncompleteBody", ErrorCode::incomplete_body},
    {"BadDigest", ErrorCode::bad_digest},
    {"XAmzContentSHA256Mismatch", ErrorCode::checksum_mismatch},
    {"XAmzContentChecksumMismatch", ErrorCode::checksum_mismatch},
    {"PreconditionFailed", ErrorCode::precondition_failed},
    {"ConditionalRequestConflict", ErrorCode::conflict},
    {"OperationAborted", ErrorCode::conflict},
    {"MethodNotAllowed", ErrorCode::method_not_allowed},
    {"NotImplemented", ErrorCode::not_supported},
    {"ExpiredToken", ErrorCode::expired},
    {"InvalidAccessKeyId", ErrorCode::unauthenticated},
    {"SignatureDoesNotMatch", ErrorCode::unauthenticated},
    {"RequestTimeTooSkewed", ErrorCode::unauthenticated},
    {"AccessDenied", ErrorCode::access_denied},
    {"QuotaExceeded", ErrorCode::quota_exceeded},
    {"InsufficientStorage", ErrorCode::no_space},
    {"XMinioStorageFull", ErrorCode::no_space},
    {"SlowDown", ErrorCode::throttled},
    {"Throttling", ErrorCode::throttled},
    {"RequestTimeout", ErrorCode::timed_out},
    {"InternalError", ErrorCode::unavailable},
    {"ServiceUnavailable", ErrorCode::unavailable},
});

ErrorCode from_status(unsigned status) {
  switch (status) {
    case 304:
      return ErrorCode::not_modified;
    case 400:
      return ErrorCode::invalid_argument;
    case 401:
      return ErrorCode::unauthenticated;
    case 403:
      return ErrorCode::access_denied;
    case 404:
      return ErrorCode::not_found;
    case 405:
      return ErrorCode::method_not_allowed;
    case 408:
      return ErrorCode::timed_out;
    case 409:
      return ErrorCode::conflict;
    case 411:
      return ErrorCode::malformed;
    case 412:
      return ErrorCode::precondition_failed;
    case 413:
      return ErrorCode::entity_too_large;
    case 416:
      return ErrorCode::invalid_range;
    case 429:
      return ErrorCode::throttled;
    case 501:
      return ErrorCode::not_supported;
    case 507:
      return ErrorCode::no_space;
    default:
      return status >= 500 ? ErrorCode::unavailable : ErrorCode::internal;
  }
}

}  // namespace

ErrorCode to_error_code(std::string_view code, unsigned status) {
  for (const Meaning& row : meanings) {
    if (row.code == code) return row.meaning;
  }
  return from_status(status);
}

std::string error_xml(ApiError error, std::string_view message, std::string_view resource,
                      std::string_view request_id,
                      std::span<const std::pair<std::string_view, std::string_view>> extras) {
  const ApiErrorInfo& info = describe(error);
  XmlWriter xml;
  xml.open("Error");
  xml.element("Code", info.code);
  xml.element("Message", message.empty() ? info.message : message);
  for (const auto& [name, value] : extras) xml.element(name, value);
  if (!resource.empty()) xml.element("Resource", resource);
  xml.element("RequestId", request_id);
  return xml.finish();
}

}  // namespace holdfast::s3
