// Requests and answers of the object store as S3 headers, for S3Store's files only. Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "net/http_message.h"
#include "s3/messages.h"
#include "s3/names.h"
#include "store/object_types.h"

namespace holdfast::store {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

void add_attributes(HeaderList& out, const ObjectAttributes& attributes);
void add_conditions(HeaderList& out, const WriteConditions& conditions);
// `prefix` is "" or "x-amz-copy-source-".
void add_conditions(HeaderList& out, const ReadConditions& conditions, std::string_view prefix);
void add_checksums(HeaderList& out, const std::vector<Checksum>& checksums);
void add_retention(HeaderList& out, const Retention& retention);
// not_supported for one that opens the object to somebody.
Result<void> refuse_acl(std::string_view acl);
std::string range_value(const ByteRange& range);
void add_version(s3::QueryParameters& out, const std::optional<VersionId>& version);

std::string_view retention_name(Retention::Mode mode);  // empty for none
std::string_view checksum_type_name(ChecksumType type);
ChecksumType checksum_type_from(std::string_view name, std::string_view value);

ETag etag_of(const net::Headers& headers);
std::vector<Checksum> checksums_of(const net::Headers& headers);
std::vector<Checksum> from_values(const std::vector<s3::ChecksumValue>& values,
                                  std::string_view type);
// What a GET or HEAD answer says of the object; nullopt: it lacks its length.
std::optional<ObjectInfo> info_of(const net::Headers& headers, const ObjectKey& key);
// "bytes 2-4/10".
struct ContentRange {
  std::uint64_t first = 0, last = 0, total = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view value);

}  // namespace holdfast::store
