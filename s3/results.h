// The XML bodies of S3 answers: plain values, one writer (server) and one parser (client) each.
// Any thread. AWS S3 API reference 2006-03-01. Parsers fail with malformed.
// ETags are without quotes in values. Listings are in s3/listings.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "s3/listings.h"
#include "s3/messages.h"

namespace holdfast::s3 {

struct InitiateResult {
  std::string bucket, key, upload;
};
std::string write_initiate_upload(const InitiateResult& result);
Result<InitiateResult> parse_initiate_upload(std::string_view body);

struct CompleteResult {
  std::string location, bucket, key, etag;
  std::vector<ChecksumValue> checksums;
  std::string checksum_type;
};
std::string write_complete_result(const CompleteResult& result);
// An <Error> document behind a 200, which CompleteMultipartUpload may answer, becomes its error.
Result<CompleteResult> parse_complete_result(std::string_view body);

struct CopyResult {
  std::string etag;
  TimePoint modified{};
  std::vector<ChecksumValue> checksums;
  std::string checksum_type;
};
std::string write_copy_object(const CopyResult& result);
std::string write_copy_part(const CopyResult& result);
Result<CopyResult> parse_copy_result(std::string_view body);  // either; an <Error> as above

struct DeletedEntry {
  std::string key;
  std::optional<std::string> version;  // that was asked for
  bool delete_marker = false;
  std::string marker_version;
  std::string error_code, error_message;  // set: this key failed
};
std::string write_delete_result(const std::vector<DeletedEntry>& entries, bool quiet);
Result<std::vector<DeletedEntry>> parse_delete_result(std::string_view body);

std::string write_location(std::string_view region);
// The 201 answer of a POST form.
std::string write_post_response(std::string_view location, std::string_view bucket,
                                std::string_view key, std::string_view etag);

struct ObjectPartsPage {
  std::uint32_t total = 0, part_marker = 0, next_part_marker = 0, max_parts = 1000;
  bool truncated = false;
  std::vector<PartEntry> parts;
};
struct ObjectAttributesResult {
  std::optional<std::string> etag;
  std::vector<ChecksumValue> checksums;
  std::string checksum_type;
  std::optional<std::uint64_t> size;
  std::optional<std::string> storage_class;
  std::optional<ObjectPartsPage> parts;
};
std::string write_object_attributes(const ObjectAttributesResult& result);

struct ErrorDocument {
  std::string code, message, resource, request_id;
};
// nullopt: no S3 error document.
std::optional<ErrorDocument> parse_error(std::string_view body);

}  // namespace holdfast::s3
