// The XML bodies of S3 listings: plain values, one writer (server) and one parser (client) each.
// Any thread. AWS S3 API reference 2006-03-01. Parsers fail with malformed.
// ETags are without quotes in values. With `url_encoded`, keys, prefixes, delimiters and markers
// are percent-encoded on the wire (encoding-type=url) and decoded again by the parsers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "s3/messages.h"

namespace holdfast::s3 {

struct Owner {
  std::string id, display_name;
};

struct BucketEntry {
  std::string name;
  TimePoint created{};
};
struct ListBucketsResult {
  Owner owner;
  std::vector<BucketEntry> buckets;
  std::string continuation_token, prefix;
};
std::string write_list_buckets(const ListBucketsResult& result);
Result<ListBucketsResult> parse_list_buckets(std::string_view body);

// One row of a listing, current or versioned.
struct ListEntry {
  std::string key;
  std::string version;  // listings of versions only
  std::string etag;
  std::uint64_t size = 0;
  TimePoint modified{};
  bool latest = true;
  bool delete_marker = false;
  std::vector<Algorithm> checksum_algorithms;
  std::string checksum_type;  // FULL_OBJECT, COMPOSITE or empty
  std::string storage_class = "STANDARD";
};
struct ListResult {
  std::string bucket, prefix, delimiter;
  std::uint32_t max_keys = 1000;
  bool truncated = false;
  bool url_encoded = false;
  std::string marker, next_marker;                // V1
  std::optional<std::string> continuation_token;  // V2, given back even when empty
  std::string next_token, start_after;            // V2
  std::optional<Owner> owner;                     // V1, and V2 with fetch-owner
  std::vector<ListEntry> entries;
  std::vector<std::string> common_prefixes;
};
std::string write_list_v1(const ListResult& result);
std::string write_list_v2(const ListResult& result);
Result<ListResult> parse_list(std::string_view body);  // V1 and V2

struct ListVersionsResult {
  std::string bucket, prefix, delimiter;
  std::string key_marker, version_marker, next_key_marker, next_version_marker;
  std::uint32_t max_keys = 1000;
  bool truncated = false;
  bool url_encoded = false;
  Owner owner;
  std::vector<ListEntry> entries;
  std::vector<std::string> common_prefixes;
};
std::string write_list_versions(const ListVersionsResult& result);
Result<ListVersionsResult> parse_list_versions(std::string_view body);

struct PartEntry {
  std::uint32_t number = 0;
  std::string etag;
  std::uint64_t size = 0;
  TimePoint modified{};
  std::vector<ChecksumValue> checksums;
};
struct ListPartsResult {
  std::string bucket, key, upload;
  std::uint32_t part_marker = 0, next_part_marker = 0, max_parts = 1000;
  bool truncated = false;
  Owner owner, initiator;
  std::optional<Algorithm> checksum_algorithm;
  std::string checksum_type;
  std::vector<PartEntry> parts;
};
std::string write_list_parts(const ListPartsResult& result);
Result<ListPartsResult> parse_list_parts(std::string_view body);

struct UploadEntry {
  std::string key, upload;
  TimePoint started{};
  std::optional<Algorithm> checksum_algorithm;
  std::string checksum_type;
  Owner initiator;
};
struct ListUploadsResult {
  std::string bucket, prefix, delimiter;
  std::string key_marker, upload_marker, next_key_marker, next_upload_marker;
  std::uint32_t max_uploads = 1000;
  bool truncated = false;
  bool url_encoded = false;
  Owner owner;
  std::vector<UploadEntry> uploads;
  std::vector<std::string> common_prefixes;
};
std::string write_list_uploads(const ListUploadsResult& result);
Result<ListUploadsResult> parse_list_uploads(std::string_view body);

}  // namespace holdfast::s3
