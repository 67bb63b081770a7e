#include "s3/messages.h"

#include <algorithm>

#include "base/encoding.h"
#include "s3/names.h"
#include "s3/xml.h"

namespace holdfast::s3 {
namespace {

constexpr std::size_t max_delete_keys = 1000;
constexpr std::size_t max_parts = 10'000;
constexpr XmlLimits delete_limits{.bytes = 8u << 20, .depth = 16, .nodes = 10'000};
constexpr XmlLimits complete_limits{.bytes = 8u << 20, .depth = 16, .nodes = 100'000};

std::optional<std::string> optional_text(const XmlNode& node, std::string_view name) {
  const XmlNode* child = node.child(name);
  return child && !child->text.empty() ? std::optional(child->text) : std::nullopt;
}

ApiResult<DeleteEntry> parse_delete_entry(const XmlNode& node) {
  const XmlNode* key = node.child("Key");
  if (!key || key->text.empty()) return refuse(ApiError::user_key_must_be_specified);
  DeleteEntry entry;
  entry.key = key->text;
  entry.version = optional_text(node, "VersionId");
  if (const auto etag = optional_text(node, "ETag")) entry.etag = unquote_etag(*etag);
  if (const auto time = optional_text(node, "LastModifiedTime")) {
    entry.modified = from_http_date(trim_spaces(*time));
    if (!entry.modified) entry.modified = from_rfc3339(trim_spaces(*time));
    if (!entry.modified) return refuse(ApiError::malformed_xml);
  }
  if (const auto size = optional_text(node, "Size")) {
    entry.size = parse_u64(trim_spaces(*size));
    if (!entry.size) return refuse(ApiError::malformed_xml);
  }
  return entry;
}

ApiResult<CompletePart> parse_part(const XmlNode& node) {
  const auto number = parse_u64(trim_spaces(node.value("PartNumber")));
  if (!number || *number == 0 || *number > max_parts || !node.child("ETag")) {
    return refuse(ApiError::malformed_xml);
  }
  CompletePart part;
  part.number = static_cast<std::uint32_t>(*number);
  part.etag = unquote_etag(node.value("ETag"));
  for (const Algorithm algorithm : {Algorithm::crc32, Algorithm::crc32c, Algorithm::crc64nvme,
                                    Algorithm::sha1, Algorithm::sha256}) {
    if (auto value = optional_text(node, checksum_element(algorithm))) {
      part.checksums.push_back({algorithm, std::move(*value)});
    }
  }
  return part;
}

}  // namespace

ApiResult<DeleteObjects> parse_delete_objects(std::string_view body) {
  const auto root = read_xml(body, "Delete", delete_limits);
  if (!root) return std::unexpected(root.error());
  DeleteObjects out;
  out.quiet = equal_ascii_case(trim_spaces(root->value("Quiet")), "true");
  for (const XmlNode& node : root->children) {
    if (node.name != "Object") continue;
    if (out.entries.size() == max_delete_keys) return refuse(ApiError::malformed_xml);
    auto entry = parse_delete_entry(node);
    if (!entry) return std::unexpected(entry.error());
    out.entries.push_back(std::move(*entry));
  }
  if (out.entries.empty()) return refuse(ApiError::malformed_xml);
  return out;
}

std::string write_delete_objects(const DeleteObjects& request) {
  XmlWriter xml;
  xml.open_root("Delete");
  for (const DeleteEntry& entry : request.entries) {
    xml.open("Object");
    xml.element("Key", entry.key);
    if (entry.version) xml.element("VersionId", *entry.version);
    if (entry.etag) xml.element("ETag", quote_etag(*entry.etag));
    if (entry.modified) xml.element("LastModifiedTime", to_http_date(*entry.modified));
    if (entry.size) xml.element("Size", *entry.size);
    xml.close();
  }
  if (request.quiet) xml.boolean("Quiet", true);
  return xml.finish();
}

ApiResult<std::vector<CompletePart>> parse_complete_upload(std::string_view body) {
  const auto root = read_xml(body, "", complete_limits);
  if (!root) return std::unexpected(root.error());
  // AWS documents CompleteMultipartUpload; some SDKs send CompletedMultipartUpload.
  if (root->name != "CompleteMultipartUpload" && root->name != "CompletedMultipartUpload") {
    return refuse(ApiError::malformed_xml);
  }
  std::vector<CompletePart> parts;
  for (const XmlNode& node : root->children) {
    if (node.name != "Part") continue;
    if (parts.size() == max_parts) return refuse(ApiError::malformed_xml);
    auto part = parse_part(node);
    if (!part) return std::unexpected(part.error());
    parts.push_back(std::move(*part));
  }
  if (parts.empty()) return refuse(ApiError::malformed_xml);
  return parts;
}

std::string write_complete_upload(const std::vector<CompletePart>& parts) {
  XmlWriter xml;
  xml.open_root("CompleteMultipartUpload");
  for (const CompletePart& part : parts) {
    xml.open("Part");
    xml.element("PartNumber", part.number);
    xml.element("ETag", quote_etag(part.etag));
    for (const auto& [algorithm, value] : part.checksums) {
      xml.element(checksum_element(algorithm), value);
    }
    xml.close();
  }
  return xml.finish();
}

ApiResult<std::string> parse_create_bucket(std::string_view body) {
  if (trim_spaces(body).empty()) return std::string();
  const auto root = read_xml(body, "CreateBucketConfiguration");
  if (!root) return std::unexpected(root.error());
  return std::string(root->value("LocationConstraint"));
}

std::string write_create_bucket(std::string_view location) {
  XmlWriter xml;
  xml.open_root("CreateBucketConfiguration");
  xml.element("LocationConstraint", location);
  return xml.finish();
}

ApiResult<VersioningStatus> parse_versioning(std::string_view body) {
  const auto root = read_xml(body, "VersioningConfiguration");
  if (!root) return std::unexpected(root.error());
  const std::string_view status = root->value("Status");
  if (status == "Enabled") return VersioningStatus::enabled;
  if (status == "Suspended") return VersioningStatus::suspended;
  if (status.empty()) return VersioningStatus::never;
  return refuse(ApiError::malformed_xml);
}

std::string write_versioning(VersioningStatus status) {
  XmlWriter xml;
  xml.open_root("VersioningConfiguration");
  if (status == VersioningStatus::enabled) xml.element("Status", std::string_view("Enabled"));
  if (status == VersioningStatus::suspended) xml.element("Status", std::string_view("Suspended"));
  return xml.finish();
}

ApiResult<Tags> parse_tagging(std::string_view body, std::size_t max_tags) {
  const auto root = read_xml(body, "Tagging");
  if (!root) return std::unexpected(root.error());
  const XmlNode* set = root->child("TagSet");
  if (!set) return refuse(ApiError::malformed_xml);
  Tags tags;
  for (const XmlNode& tag : set->children) {
    if (tag.name != "Tag" || !tag.child("Key")) return refuse(ApiError::malformed_xml);
    if (!tags.emplace(tag.value("Key"), tag.value("Value")).second) {
      return refuse(ApiError::invalid_tag, "Cannot provide multiple Tags with the same key");
    }
  }
  if (tags.size() > max_tags) return refuse(ApiError::invalid_tag, "there are too many tags");
  for (const auto& tag : tags) {
    // Buckets take 50 tags, objects 10; the rules for one tag are the same.
    if (auto valid = validate_tags(Tags{tag}); !valid) return std::unexpected(valid.error());
  }
  return tags;
}

std::string write_tagging(const Tags& tags) {
  XmlWriter xml;
  xml.open_root("Tagging");
  xml.open("TagSet");
  for (const auto& [key, value] : tags) {
    xml.open("Tag");
    xml.element("Key", key);
    xml.element("Value", value);
    xml.close();
  }
  return xml.finish();
}

ApiResult<RetentionValue> parse_retention(std::string_view body) {
  const auto root = read_xml(body, "Retention");
  if (!root) return std::unexpected(root.error());
  RetentionValue out;
  out.mode = root->value("Mode");
  const std::string_view until = root->value("RetainUntilDate");
  if (out.mode.empty() && until.empty()) return out;
  const auto time = from_rfc3339(until);
  if (!time || (out.mode != "GOVERNANCE" && out.mode != "COMPLIANCE")) {
    return refuse(ApiError::malformed_xml);
  }
  out.until = *time;
  return out;
}

std::string write_retention(const RetentionValue& retention) {
  XmlWriter xml;
  xml.open_root("Retention");
  if (!retention.mode.empty()) {
    xml.element("Mode", retention.mode);
    xml.time("RetainUntilDate", retention.until);
  }
  return xml.finish();
}

ApiResult<bool> parse_legal_hold(std::string_view body) {
  const auto root = read_xml(body, "LegalHold");
  if (!root) return std::unexpected(root.error());
  const std::string_view status = root->value("Status");
  if (status != "ON" && status != "OFF") return refuse(ApiError::malformed_xml);
  return status == "ON";
}

std::string write_legal_hold(bool on) {
  XmlWriter xml;
  xml.open_root("LegalHold");
  xml.element("Status", std::string_view(on ? "ON" : "OFF"));
  return xml.finish();
}

ApiResult<void> check_document(std::string_view body, std::string_view root) {
  const auto document = read_xml(body, root);
  if (!document) return std::unexpected(document.error());
  return {};
}

}  // namespace holdfast::s3
