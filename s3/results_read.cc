#include <algorithm>

#include "base/encoding.h"
#include "s3/names.h"
#include "s3/results.h"
#include "s3/xml.h"

namespace holdfast::s3 {
namespace {

constexpr XmlLimits answer_limits{.bytes = 32u << 20, .depth = 16, .nodes = 200'000};

Result<XmlNode> read_answer(std::string_view body, std::string_view root) {
  auto node = read_xml(body, "", answer_limits);
  if (!node) return fail(ErrorCode::malformed, "the store's answer is no XML document");
  if (node->name == root) return std::move(*node);
  if (node->name == "Error") {
    const std::string_view code = node->value("Code");
    return fail(to_error_code(code, 500), "the store answered {}: {}", code,
                node->value("Message"));
  }
  return fail(ErrorCode::malformed, "the store answered <{}> where <{}> belongs",
              node->name.substr(0, 64), root);
}

// AWS and others write a space as '+' in encoding-type=url; a plus sign is always %2B.
std::string plain_key(std::string_view text, bool url_encoded) {
  if (!url_encoded) return std::string(text);
  std::string spaced(text);
  std::ranges::replace(spaced, '+', ' ');
  return percent_decode(spaced).value_or(std::string(text));
}

bool is_true(std::string_view text) { return equal_ascii_case(trim_spaces(text), "true"); }

template <class Number>
Number number_or(std::string_view text, Number fallback) {
  const auto value = parse_u64(trim_spaces(text));
  return value ? static_cast<Number>(*value) : fallback;
}

TimePoint time_of(const XmlNode& node, std::string_view name) {
  return from_rfc3339(node.value(name)).value_or(TimePoint{});
}

std::vector<ChecksumValue> checksums_of(const XmlNode& node) {
  std::vector<ChecksumValue> out;
  for (const Algorithm algorithm : {Algorithm::crc32, Algorithm::crc32c, Algorithm::crc64nvme,
                                    Algorithm::sha1, Algorithm::sha256}) {
    if (const auto value = node.value(checksum_element(algorithm)); !value.empty()) {
      out.push_back({algorithm, std::string(value)});
    }
  }
  return out;
}

Owner owner_of(const XmlNode& node) {
  const XmlNode* owner = node.child("Owner");
  if (!owner) return {};
  return {std::string(owner->value("ID")), std::string(owner->value("DisplayName"))};
}

// nullopt: a row without a readable size, which must not pass for an empty object.
std::optional<ListEntry> entry_of(const XmlNode& node, bool url_encoded) {
  ListEntry entry;
  entry.delete_marker = node.name == "DeleteMarker";
  entry.key = plain_key(node.value("Key"), url_encoded);
  entry.version = node.value("VersionId");
  entry.etag = unquote_etag(node.value("ETag"));
  const auto size = parse_u64(trim_spaces(node.value("Size")));
  if (entry.key.empty() || (!size && !entry.delete_marker)) return std::nullopt;
  entry.size = size.value_or(0);
  entry.modified = time_of(node, "LastModified");
  if (const XmlNode* latest = node.child("IsLatest")) entry.latest = is_true(latest->text);
  for (const XmlNode& child : node.children) {
    if (child.name != "ChecksumAlgorithm") continue;
    if (const auto algorithm = from_api_name(child.text)) {
      entry.checksum_algorithms.push_back(*algorithm);
    }
  }
  entry.checksum_type = node.value("ChecksumType");
  entry.storage_class = node.value("StorageClass");
  return entry;
}

std::unexpected<Error> bad_row() {
  return fail(ErrorCode::malformed, "a row of the store's listing has no key or no size");
}

PartEntry part_of(const XmlNode& node) {
  PartEntry part;
  part.number = number_or<std::uint32_t>(node.value("PartNumber"), 0);
  part.etag = unquote_etag(node.value("ETag"));
  part.size = number_or<std::uint64_t>(node.value("Size"), 0);
  part.modified = time_of(node, "LastModified");
  part.checksums = checksums_of(node);
  return part;
}

}  // namespace

Result<ListBucketsResult> parse_list_buckets(std::string_view body) {
  const auto root = read_answer(body, "ListAllMyBucketsResult");
  if (!root) return std::unexpected(root.error());
  ListBucketsResult out;
  out.owner = owner_of(*root);
  out.continuation_token = root->value("ContinuationToken");
  out.prefix = root->value("Prefix");
  if (const XmlNode* buckets = root->child("Buckets")) {
    for (const XmlNode& node : buckets->children) {
      out.buckets.push_back({std::string(node.value("Name")), time_of(node, "CreationDate")});
    }
  }
  return out;
}

Result<ListResult> parse_list(std::string_view body) {
  const auto root = read_answer(body, "ListBucketResult");
  if (!root) return std::unexpected(root.error());
  ListResult out;
  out.url_encoded = root->value("EncodingType") == "url";
  const auto key = [&](std::string_view name) {
    return plain_key(root->value(name), out.url_encoded);
  };
  out.bucket = root->value("Name");
  out.prefix = key("Prefix");
  out.delimiter = key("Delimiter");
  out.max_keys = number_or<std::uint32_t>(root->value("MaxKeys"), 1000);
  out.truncated = is_true(root->value("IsTruncated"));
  out.marker = key("Marker");
  out.next_marker = key("NextMarker");
  out.start_after = key("StartAfter");
  out.continuation_token = root->value("ContinuationToken");
  out.next_token = root->value("NextContinuationToken");
  for (const XmlNode& node : root->children) {
    if (node.name == "Contents") {
      auto entry = entry_of(node, out.url_encoded);
      if (!entry) return bad_row();
      out.entries.push_back(std::move(*entry));
    } else if (node.name == "CommonPrefixes") {
      out.common_prefixes.push_back(plain_key(node.value("Prefix"), out.url_encoded));
    }
  }
  return out;
}

Result<ListVersionsResult> parse_list_versions(std::string_view body) {
  const auto root = read_answer(body, "ListVersionsResult");
  if (!root) return std::unexpected(root.error());
  ListVersionsResult out;
  out.url_encoded = root->value("EncodingType") == "url";
  const auto key = [&](std::string_view name) {
    return plain_key(root->value(name), out.url_encoded);
  };
  out.bucket = root->value("Name");
  out.prefix = key("Prefix");
  out.delimiter = key("Delimiter");
  out.key_marker = key("KeyMarker");
  out.version_marker = root->value("VersionIdMarker");
  out.next_key_marker = key("NextKeyMarker");
  out.next_version_marker = root->value("NextVersionIdMarker");
  out.max_keys = number_or<std::uint32_t>(root->value("MaxKeys"), 1000);
  out.truncated = is_true(root->value("IsTruncated"));
  for (const XmlNode& node : root->children) {
    if (node.name == "Version" || node.name == "DeleteMarker") {
      auto entry = entry_of(node, out.url_encoded);
      if (!entry) return bad_row();
      out.entries.push_back(std::move(*entry));
    } else if (node.name == "CommonPrefixes") {
      out.common_prefixes.push_back(plain_key(node.value("Prefix"), out.url_encoded));
    }
  }
  return out;
}

Result<ListPartsResult> parse_list_parts(std::string_view body) {
  const auto root = read_answer(body, "ListPartsResult");
  if (!root) return std::unexpected(root.error());
  ListPartsResult out;
  out.bucket = root->value("Bucket");
  out.key = root->value("Key");
  out.upload = root->value("UploadId");
  out.part_marker = number_or<std::uint32_t>(root->value("PartNumberMarker"), 0);
  out.next_part_marker = number_or<std::uint32_t>(root->value("NextPartNumberMarker"), 0);
  out.max_parts = number_or<std::uint32_t>(root->value("MaxParts"), 1000);
  out.truncated = is_true(root->value("IsTruncated"));
  out.owner = owner_of(*root);
  out.checksum_algorithm = from_api_name(root->value("ChecksumAlgorithm"));
  out.checksum_type = root->value("ChecksumType");
  for (const XmlNode& node : root->children) {
    if (node.name == "Part") out.parts.push_back(part_of(node));
  }
  return out;
}

Result<ListUploadsResult> parse_list_uploads(std::string_view body) {
  const auto root = read_answer(body, "ListMultipartUploadsResult");
  if (!root) return std::unexpected(root.error());
  ListUploadsResult out;
  out.url_encoded = root->value("EncodingType") == "url";
  const auto key = [&](std::string_view name) {
    return plain_key(root->value(name), out.url_encoded);
  };
  out.bucket = root->value("Bucket");
  out.prefix = key("Prefix");
  out.delimiter = key("Delimiter");
  out.key_marker = key("KeyMarker");
  out.upload_marker = root->value("UploadIdMarker");
  out.next_key_marker = key("NextKeyMarker");
  out.next_upload_marker = root->value("NextUploadIdMarker");
  out.max_uploads = number_or<std::uint32_t>(root->value("MaxUploads"), 1000);
  out.truncated = is_true(root->value("IsTruncated"));
  for (const XmlNode& node : root->children) {
    if (node.name == "Upload") {
      out.uploads.push_back({plain_key(node.value("Key"), out.url_encoded),
                             std::string(node.value("UploadId")), time_of(node, "Initiated"),
                             from_api_name(node.value("ChecksumAlgorithm")),
                             std::string(node.value("ChecksumType"))});
    } else if (node.name == "CommonPrefixes") {
      out.common_prefixes.push_back(plain_key(node.value("Prefix"), out.url_encoded));
    }
  }
  return out;
}

Result<InitiateResult> parse_initiate_upload(std::string_view body) {
  const auto root = read_answer(body, "InitiateMultipartUploadResult");
  if (!root) return std::unexpected(root.error());
  InitiateResult out{std::string(root->value("Bucket")), std::string(root->value("Key")),
                     std::string(root->value("UploadId"))};
  if (out.upload.empty()) return fail(ErrorCode::malformed, "the store named no upload id");
  return out;
}

Result<CompleteResult> parse_complete_result(std::string_view body) {
  const auto root = read_answer(body, "CompleteMultipartUploadResult");
  if (!root) return std::unexpected(root.error());
  CompleteResult out;
  out.location = root->value("Location");
  out.bucket = root->value("Bucket");
  out.key = root->value("Key");
  out.etag = unquote_etag(root->value("ETag"));
  out.checksums = checksums_of(*root);
  out.checksum_type = root->value("ChecksumType");
  return out;
}

Result<CopyResult> parse_copy_result(std::string_view body) {
  auto root = read_answer(body, "CopyObjectResult");
  if (!root && root.error().code == ErrorCode::malformed) {
    root = read_answer(body, "CopyPartResult");
  }
  if (!root) return std::unexpected(root.error());
  CopyResult out;
  out.etag = unquote_etag(root->value("ETag"));
  out.modified = time_of(*root, "LastModified");
  out.checksums = checksums_of(*root);
  out.checksum_type = root->value("ChecksumType");
  return out;
}

Result<std::vector<DeletedEntry>> parse_delete_result(std::string_view body) {
  const auto root = read_answer(body, "DeleteResult");
  if (!root) return std::unexpected(root.error());
  std::vector<DeletedEntry> out;
  for (const XmlNode& node : root->children) {
    if (node.name != "Deleted" && node.name != "Error") continue;
    DeletedEntry entry;
    entry.key = node.value("Key");
    if (const XmlNode* version = node.child("VersionId")) entry.version = version->text;
    entry.delete_marker = is_true(node.value("DeleteMarker"));
    entry.marker_version = node.value("DeleteMarkerVersionId");
    if (node.name == "Error") {
      entry.error_code = node.value("Code");
      if (entry.error_code.empty()) entry.error_code = "InternalError";
      entry.error_message = node.value("Message");
    }
    out.push_back(std::move(entry));
  }
  return out;
}

std::optional<ErrorDocument> parse_error(std::string_view body) {
  const auto root = read_xml(body, "Error");
  if (!root) return std::nullopt;
  return ErrorDocument{std::string(root->value("Code")), std::string(root->value("Message")),
                       std::string(root->value("Resource")), std::string(root->value("RequestId"))};
}

}  // namespace holdfast::s3
