// Object attributes between HTTP and the store: what the headers of a write say of an object, and
// the headers that an object's answers carry. Client headers never become internal metadata: only
// x-amz-meta-* and the named standard headers are taken. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/s3_call.h"
#include "s3/messages.h"

namespace holdfast::gateway {

inline constexpr std::size_t max_metadata_bytes = 2048;

// metadata_too_large, invalid_tag, invalid_argument. A presigned URL may carry x-amz-meta-* and
// x-amz-tagging in its query, as some SDKs hoist them; everything there is signed.
s3::ApiResult<store::ObjectAttributes> attributes_of(const S3Call& call);

// Refuses what is not done: encryption beyond the store's own (gateway/s3_encryption.h), redirects,
// unknown storage classes. ACLs: gateway/s3_acl_request.h.
s3::ApiResult<void> check_write_headers(const S3Call& call);

// x-amz-object-lock-*: invalid_argument. The store gives the bucket's default where none is named.
s3::ApiResult<store::Retention> retention_of(const S3Call& call);
s3::ApiResult<store::Retention::Mode> retention_mode(std::string_view text);
std::string_view to_string(store::Retention::Mode mode);

// If-Match, If-None-Match ("*", or one ETag; not_implemented for a list).
s3::ApiResult<store::WriteConditions> write_conditions(const S3Call& call);
// If-Match, x-amz-if-match-last-modified-time, x-amz-if-match-size: of DeleteObject.
s3::ApiResult<store::WriteConditions> removal_conditions(const S3Call& call);
// If-* headers, or with `prefix` "x-amz-copy-source-" those of a copy's source.
s3::ApiResult<store::ReadConditions> read_conditions(const S3Call& call, std::string_view prefix);

// ETag, Last-Modified, metadata, content headers, lock state, version.
void add_object_headers(net::Headers& headers, const store::ObjectInfo& info);
// x-amz-version-id of what was written; the "null" of a bucket without versioning goes unnamed.
void add_written_version(net::Headers& headers, const VersionId& version);
// response-content-type and its kin; invalid_argument for a value with CR, LF or NUL.
s3::ApiResult<void> apply_overrides(net::Headers& headers, const Query& query);

// "VALUE" or, for composite ones, "VALUE-N".
std::string checksum_text(const store::Checksum& checksum, std::size_t parts);
std::string_view to_string(store::ChecksumType type);  // FULL_OBJECT, COMPOSITE
void add_checksum_headers(net::Headers& headers, const std::vector<store::Checksum>& checksums,
                          std::size_t parts);
std::vector<s3::ChecksumValue> checksum_values(const std::vector<store::Checksum>& checksums,
                                               std::size_t parts);

}  // namespace holdfast::gateway
