#include <fmt/format.h>

#include <utility>

#include "gateway/s3_acl_request.h"
#include "gateway/s3_attributes.h"
#include "gateway/s3_authorization.h"
#include "gateway/s3_encryption.h"
#include "gateway/s3_handlers.h"
#include "s3/results.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

enum class Directive : std::uint8_t { copy, replace };

s3::ApiResult<Directive> directive(const S3Call& call, std::string_view name) {
  const std::string_view value = call.header(name);
  if (value.empty() || s3::equal_ascii_case(value, "COPY")) return Directive::copy;
  if (s3::equal_ascii_case(value, "REPLACE")) return Directive::replace;
  return s3::refuse(ApiError::invalid_argument, fmt::format("Unknown {}.", name));
}

std::optional<VersionId> source_version(const s3::CopySource& source) {
  if (!source.version) return std::nullopt;
  return VersionId(*source.version);
}

struct Directives {
  Directive metadata = Directive::copy, tags = Directive::copy;
  bool mixed() const { return metadata != tags; }
};

s3::ApiResult<Directives> directives_of(const S3Call& call) {
  auto metadata = directive(call, "x-amz-metadata-directive");
  if (!metadata) return std::unexpected(std::move(metadata.error()));
  auto tags = directive(call, "x-amz-tagging-directive");
  if (!tags) return std::unexpected(std::move(tags.error()));
  const bool onto_itself = call.source->bucket == call.bucket().value &&
                           call.source->key == call.key().value && !call.source->version;
  if (onto_itself && *metadata == Directive::copy && *tags == Directive::copy) {
    return s3::refuse(ApiError::invalid_request,
                      "This copy request is illegal because it is trying to copy an object to "
                      "itself without changing the object's metadata.");
  }
  return Directives{*metadata, *tags};
}

// What the copy carries instead of the source's attributes; where only one half is replaced the
// other is read first, and the copy is then tied to the ETag that was seen.
boost::asio::awaitable<s3::ApiResult<void>> replace_attributes(S3Call& call, Directives wanted,
                                                               store::CopyRequest& request) {
  if (wanted.metadata == Directive::copy && wanted.tags == Directive::copy) {
    co_return s3::ApiResult<void>();
  }
  auto given = attributes_of(call);
  if (!given) co_return std::unexpected(std::move(given.error()));
  if (wanted.mixed()) {
    auto found = co_await call.store().head(
        {request.source_bucket, request.source_key, request.source_version, {}, {}, {}});
    if (!found) co_return refuse_with(found.error());
    store::ObjectAttributes& kept = found->info.attributes;
    if (wanted.metadata == Directive::copy) {
      kept.tags = std::move(given->tags);
      given = std::move(kept);
    } else {
      given->tags = std::move(kept.tags);
    }
    if (request.source_conditions.if_match.empty()) {
      request.source_conditions.if_match.push_back(found->info.etag);
    }
  }
  request.replace = std::move(*given);
  co_return s3::ApiResult<void>();
}

s3::ApiResult<store::CopyRequest> copy_request_of(const S3Call& call) {
  store::CopyRequest request;
  request.source_bucket = BucketName(call.source->bucket);
  request.source_key = ObjectKey(call.source->key);
  request.source_version = source_version(*call.source);
  request.bucket = call.bucket();
  request.key = call.key();
  auto source_conditions = read_conditions(call, "x-amz-copy-source-");
  if (!source_conditions) return std::unexpected(std::move(source_conditions.error()));
  request.source_conditions = std::move(*source_conditions);
  if (auto pinned = pin_source(call, request.source_conditions); !pinned) {
    return std::unexpected(std::move(pinned.error()));
  }
  auto conditions = write_conditions(call);
  if (!conditions) return std::unexpected(std::move(conditions.error()));
  request.conditions = std::move(*conditions);
  if (call.has_header("x-amz-checksum-algorithm")) {
    const auto algorithm = checksum_algorithm(call.header("x-amz-checksum-algorithm"));
    if (!algorithm) return s3::refuse(ApiError::invalid_argument, "Unknown checksum algorithm.");
    request.compute.push_back(*algorithm);
  }
  return request;
}

// A source condition that does not hold is 412 for copies, whichever it is.
s3::ApiFailure explain_copy(const Error& error) {
  if (error.code == ErrorCode::not_modified) return {ApiError::precondition_failed, {}};
  return to_failure(error);
}

void add_version_headers(net::Headers& headers, const S3Call& call, const VersionId& version) {
  if (call.source->version) headers.add("x-amz-copy-source-version-id", *call.source->version);
  add_written_version(headers, version);
}

}  // namespace

S3Answer copy_object(S3Call& call) {
  if (auto good = check_write_headers(call); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  if (auto good = check_encryption_of_copy(call); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  auto wanted = directives_of(call);
  if (!wanted) co_return std::unexpected(std::move(wanted.error()));
  auto retention = retention_of(call);
  if (!retention) co_return std::unexpected(std::move(retention.error()));
  auto acl = co_await acl_to_keep(call);
  if (!acl) co_return std::unexpected(std::move(acl.error()));
  auto request = copy_request_of(call);
  if (!request) co_return std::unexpected(std::move(request.error()));
  if (auto good = co_await replace_attributes(call, *wanted, *request); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  request->retention = *retention;
  request->uploader = call.identity.principal.value;
  request->acl = std::move(*acl);
  auto result = co_await call.store().copy(std::move(*request));
  if (!result) co_return std::unexpected(explain_copy(result.error()));
  s3::CopyResult answer;
  answer.etag = result->etag.value;
  answer.modified = result->modified;
  answer.checksums = checksum_values(result->checksums, 0);
  if (!result->checksums.empty()) {
    answer.checksum_type = to_string(result->checksums.front().type);
  }
  S3Reply reply = xml_reply(s3::write_copy_object(answer));
  add_version_headers(reply.head.headers, call, result->version);
  tell_encryption_of_kept(reply.head.headers, call);
  co_return reply;
}

S3Answer copy_part(S3Call& call) {
  auto number = number_of(call, "partNumber", {1, 10'000, 0});
  if (!number) co_return std::unexpected(std::move(number.error()));
  if (*number == 0) co_return s3::refuse(ApiError::invalid_argument, "partNumber is missing.");
  store::CopyPartRequest request;
  request.source_bucket = BucketName(call.source->bucket);
  request.source_key = ObjectKey(call.source->key);
  request.source_version = source_version(*call.source);
  if (call.has_header("x-amz-copy-source-range")) {
    auto range = s3::parse_copy_range(call.header("x-amz-copy-source-range"));
    if (!range) co_return std::unexpected(std::move(range.error()));
    request.range = store::ByteRange{range->first, range->last, range->suffix};
  }
  auto conditions = read_conditions(call, "x-amz-copy-source-");
  if (!conditions) co_return std::unexpected(std::move(conditions.error()));
  request.source_conditions = std::move(*conditions);
  if (auto pinned = pin_source(call, request.source_conditions); !pinned) {
    co_return std::unexpected(std::move(pinned.error()));
  }
  request.bucket = call.bucket();
  request.key = call.key();
  request.upload = UploadId(std::string(call.query("uploadId")));
  request.number = static_cast<std::uint32_t>(*number);
  auto part = co_await call.store().copy_part(std::move(request));
  if (!part) co_return std::unexpected(explain_copy(part.error()));
  s3::CopyResult answer;
  answer.etag = part->etag.value;
  answer.modified = part->modified;
  answer.checksums = checksum_values(part->checksums, 0);
  S3Reply reply = xml_reply(s3::write_copy_part(answer));
  add_version_headers(reply.head.headers, call, VersionId());
  tell_encryption_of_kept(reply.head.headers, call);
  co_return reply;
}

}  // namespace holdfast::gateway
