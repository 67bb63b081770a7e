// Structured values of S3 request headers. Pure; any thread. RFC 9110 (ranges, entity tags) and the
// AWS S3 API reference (copy source, tagging).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "s3/error.h"

namespace holdfast::s3 {

// One range of bytes; exactly one of {first [, last]} and {suffix} is set.
struct Range {
  std::optional<std::uint64_t> first, last, suffix;
};
// nullopt: no byte range, several, or malformed; RFC 9110 and S3 then answer the whole object.
std::optional<Range> parse_range(std::string_view value);
// x-amz-copy-source-range: "bytes=first-last" only. invalid_argument.
ApiResult<Range> parse_copy_range(std::string_view value);

// If-Match, If-None-Match: tags without quotes and without W/; "*" stays "*". Unquoted tags, which
// many clients send, are accepted.
std::vector<std::string> parse_etags(std::string_view value);
std::string quote_etag(std::string_view etag);
std::string unquote_etag(std::string_view text);  // also &quot;…, as XML bodies have been seen with

struct CopySource {
  std::string bucket, key;
  std::optional<std::string> version;
};
// "/bucket/key?versionId=ID", leading slash optional, decoded exactly once. The raw value is split
// at its last "?versionId=" before decoding: an encoded '?' belongs to the key.
ApiResult<CopySource> parse_copy_source(std::string_view value);
std::string encode_copy_source(const CopySource& source);

// x-amz-tagging and tag sets: at most 10, keys unique, 1 to 128 characters, values to 256.
using Tags = std::map<std::string, std::string>;
ApiResult<Tags> parse_tagging_header(std::string_view value);
std::string encode_tagging_header(const Tags& tags);
ApiResult<void> validate_tags(const Tags& tags);

// Decimal digits only, no sign, no overflow.
std::optional<std::uint64_t> parse_u64(std::string_view text);

// True if the value is safe in a header: no CR, LF, NUL (response-* overrides, metadata).
bool safe_header_value(std::string_view value);

}  // namespace holdfast::s3
