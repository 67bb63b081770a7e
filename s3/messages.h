// The XML bodies of S3 requests: parsers for the server, writers for the client. Plain values; any
// thread. AWS S3 API reference 2006-03-01. Parsers answer malformed_xml unless said otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "s3/checksum.h"
#include "s3/error.h"
#include "s3/headers.h"

namespace holdfast::s3 {

// A checksum as XML carries it: base64, with "-N" when composite.
struct ChecksumValue {
  Algorithm algorithm = Algorithm::crc64nvme;
  std::string value;
};

struct DeleteEntry {
  std::string key;
  std::optional<std::string> version;
  // Conditions of the delete.
  std::optional<std::string> etag = std::nullopt;
  std::optional<TimePoint> modified = std::nullopt;
  std::optional<std::uint64_t> size = std::nullopt;
};
struct DeleteObjects {
  std::vector<DeleteEntry> entries;  // 1 to 1,000
  bool quiet = false;
};
ApiResult<DeleteObjects> parse_delete_objects(std::string_view body);
std::string write_delete_objects(const DeleteObjects& request);

struct CompletePart {
  std::uint32_t number = 0;
  std::string etag;  // without quotes
  std::vector<ChecksumValue> checksums;
};
// 1 to 10,000 parts, in the order given (the store judges the order).
ApiResult<std::vector<CompletePart>> parse_complete_upload(std::string_view body);
std::string write_complete_upload(const std::vector<CompletePart>& parts);

// LocationConstraint; empty when absent or the body is empty.
ApiResult<std::string> parse_create_bucket(std::string_view body);
std::string write_create_bucket(std::string_view location);

enum class VersioningStatus : std::uint8_t { never, enabled, suspended };
ApiResult<VersioningStatus> parse_versioning(std::string_view body);  // never: no <Status>
std::string write_versioning(VersioningStatus status);

ApiResult<Tags> parse_tagging(std::string_view body, std::size_t max_tags = 10);
std::string write_tagging(const Tags& tags);

struct RetentionValue {
  std::string mode;  // GOVERNANCE, COMPLIANCE; empty: none
  TimePoint until{};
};
ApiResult<RetentionValue> parse_retention(std::string_view body);
std::string write_retention(const RetentionValue& retention);
ApiResult<bool> parse_legal_hold(std::string_view body);
std::string write_legal_hold(bool on);

// Documents that are kept as they are: well-formed, and the root has this name.
ApiResult<void> check_document(std::string_view body, std::string_view root);

}  // namespace holdfast::s3
