#include "s3/names.h"
#include "s3/results.h"
#include "s3/xml.h"

namespace holdfast::s3 {
namespace {

// Writes one listing's keys and prefixes plain or percent-encoded, as the client asked.
class KeyText {
 public:
  explicit KeyText(bool url_encoded) : url_encoded_(url_encoded) {}
  std::string_view operator()(const std::string& text) const {
    if (!url_encoded_) return text;
    buffer_.clear();
    append_uri_encoded(buffer_, text, Slash::keep);
    return buffer_;
  }

 private:
  bool url_encoded_;
  mutable std::string buffer_;  // holds the last answer
};

void write_owner(XmlWriter& xml, std::string_view element, const Owner& owner) {
  xml.open(element);
  xml.element("ID", owner.id);
  xml.element("DisplayName", owner.display_name);
  xml.close();
}

void write_checksums(XmlWriter& xml, const std::vector<ChecksumValue>& checksums) {
  for (const auto& [algorithm, value] : checksums) xml.element(checksum_element(algorithm), value);
}

void write_optional(XmlWriter& xml, std::string_view name, std::string_view text) {
  if (!text.empty()) xml.element(name, text);
}

void write_entry_fields(XmlWriter& xml, const ListEntry& entry) {
  xml.element("ETag", quote_etag(entry.etag));
  for (const Algorithm algorithm : entry.checksum_algorithms) {
    xml.element("ChecksumAlgorithm", api_name(algorithm));
  }
  write_optional(xml, "ChecksumType", entry.checksum_type);
  xml.element("Size", entry.size);
  xml.element("StorageClass", entry.storage_class);
}

void write_prefixes(XmlWriter& xml, const std::vector<std::string>& prefixes, const KeyText& key) {
  for (const std::string& prefix : prefixes) {
    xml.open("CommonPrefixes");
    xml.element("Prefix", key(prefix));
    xml.close();
  }
}

void write_list_head(XmlWriter& xml, const ListResult& result, const KeyText& key) {
  xml.element("Name", result.bucket);
  xml.element("Prefix", key(result.prefix));
  if (!result.delimiter.empty()) xml.element("Delimiter", key(result.delimiter));
  xml.element("MaxKeys", result.max_keys);
  if (result.url_encoded) xml.element("EncodingType", std::string_view("url"));
  xml.boolean("IsTruncated", result.truncated);
}

void write_list_rows(XmlWriter& xml, const ListResult& result, const KeyText& key) {
  for (const ListEntry& entry : result.entries) {
    xml.open("Contents");
    xml.element("Key", key(entry.key));
    xml.time("LastModified", entry.modified);
    write_entry_fields(xml, entry);
    if (result.owner) write_owner(xml, "Owner", *result.owner);
    xml.close();
  }
  write_prefixes(xml, result.common_prefixes, key);
}

std::string write_copy(std::string_view root, const CopyResult& result) {
  XmlWriter xml;
  xml.open_root(root);
  xml.time("LastModified", result.modified);
  xml.element("ETag", quote_etag(result.etag));
  write_checksums(xml, result.checksums);
  write_optional(xml, "ChecksumType", result.checksum_type);
  return xml.finish();
}

void write_part(XmlWriter& xml, const PartEntry& part) {
  xml.open("Part");
  xml.element("PartNumber", part.number);
  xml.time("LastModified", part.modified);
  xml.element("ETag", quote_etag(part.etag));
  xml.element("Size", part.size);
  write_checksums(xml, part.checksums);
  xml.close();
}

}  // namespace

std::string write_list_buckets(const ListBucketsResult& result) {
  XmlWriter xml;
  xml.open_root("ListAllMyBucketsResult");
  write_owner(xml, "Owner", result.owner);
  xml.open("Buckets");
  for (const BucketEntry& bucket : result.buckets) {
    xml.open("Bucket");
    xml.element("Name", bucket.name);
    xml.time("CreationDate", bucket.created);
    xml.close();
  }
  xml.close();
  write_optional(xml, "ContinuationToken", result.continuation_token);
  write_optional(xml, "Prefix", result.prefix);
  return xml.finish();
}

std::string write_list_v1(const ListResult& result) {
  const KeyText key(result.url_encoded);
  XmlWriter xml;
  xml.open_root("ListBucketResult");
  write_list_head(xml, result, key);
  xml.element("Marker", key(result.marker));
  if (!result.next_marker.empty()) xml.element("NextMarker", key(result.next_marker));
  write_list_rows(xml, result, key);
  return xml.finish();
}

std::string write_list_v2(const ListResult& result) {
  const KeyText key(result.url_encoded);
  XmlWriter xml;
  xml.open_root("ListBucketResult");
  write_list_head(xml, result, key);
  xml.element("KeyCount", result.entries.size() + result.common_prefixes.size());
  if (!result.start_after.empty()) xml.element("StartAfter", key(result.start_after));
  if (result.continuation_token) xml.element("ContinuationToken", *result.continuation_token);
  write_optional(xml, "NextContinuationToken", result.next_token);
  write_list_rows(xml, result, key);
  return xml.finish();
}

std::string write_list_versions(const ListVersionsResult& result) {
  const KeyText key(result.url_encoded);
  XmlWriter xml;
  xml.open_root("ListVersionsResult");
  xml.element("Name", result.bucket);
  xml.element("Prefix", key(result.prefix));
  if (!result.delimiter.empty()) xml.element("Delimiter", key(result.delimiter));
  xml.element("KeyMarker", key(result.key_marker));
  xml.element("VersionIdMarker", result.version_marker);
  if (!result.next_key_marker.empty()) xml.element("NextKeyMarker", key(result.next_key_marker));
  write_optional(xml, "NextVersionIdMarker", result.next_version_marker);
  xml.element("MaxKeys", result.max_keys);
  if (result.url_encoded) xml.element("EncodingType", std::string_view("url"));
  xml.boolean("IsTruncated", result.truncated);
  for (const ListEntry& entry : result.entries) {
    xml.open(entry.delete_marker ? "DeleteMarker" : "Version");
    xml.element("Key", key(entry.key));
    xml.element("VersionId", entry.version);
    xml.boolean("IsLatest", entry.latest);
    xml.time("LastModified", entry.modified);
    if (!entry.delete_marker) write_entry_fields(xml, entry);
    write_owner(xml, "Owner", result.owner);
    xml.close();
  }
  write_prefixes(xml, result.common_prefixes, key);
  return xml.finish();
}

std::string write_list_parts(const ListPartsResult& result) {
  XmlWriter xml;
  xml.open_root("ListPartsResult");
  xml.element("Bucket", result.bucket);
  xml.element("Key", result.key);
  xml.element("UploadId", result.upload);
  write_owner(xml, "Initiator", result.initiator);
  write_owner(xml, "Owner", result.owner);
  xml.element("StorageClass", std::string_view("STANDARD"));
  xml.element("PartNumberMarker", result.part_marker);
  xml.element("NextPartNumberMarker", result.next_part_marker);
  xml.element("MaxParts", result.max_parts);
  xml.boolean("IsTruncated", result.truncated);
  if (result.checksum_algorithm) {
    xml.element("ChecksumAlgorithm", api_name(*result.checksum_algorithm));
  }
  write_optional(xml, "ChecksumType", result.checksum_type);
  for (const PartEntry& part : result.parts) write_part(xml, part);
  return xml.finish();
}

std::string write_list_uploads(const ListUploadsResult& result) {
  const KeyText key(result.url_encoded);
  XmlWriter xml;
  xml.open_root("ListMultipartUploadsResult");
  xml.element("Bucket", result.bucket);
  xml.element("KeyMarker", key(result.key_marker));
  xml.element("UploadIdMarker", result.upload_marker);
  if (!result.next_key_marker.empty()) xml.element("NextKeyMarker", key(result.next_key_marker));
  write_optional(xml, "NextUploadIdMarker", result.next_upload_marker);
  if (!result.delimiter.empty()) xml.element("Delimiter", key(result.delimiter));
  xml.element("Prefix", key(result.prefix));
  xml.element("MaxUploads", result.max_uploads);
  if (result.url_encoded) xml.element("EncodingType", std::string_view("url"));
  xml.boolean("IsTruncated", result.truncated);
  for (const UploadEntry& upload : result.uploads) {
    xml.open("Upload");
    xml.element("Key", key(upload.key));
    xml.element("UploadId", upload.upload);
    write_owner(xml, "Initiator", upload.initiator);
    write_owner(xml, "Owner", result.owner);
    xml.element("StorageClass", std::string_view("STANDARD"));
    xml.time("Initiated", upload.started);
    if (upload.checksum_algorithm) {
      xml.element("ChecksumAlgorithm", api_name(*upload.checksum_algorithm));
    }
    write_optional(xml, "ChecksumType", upload.checksum_type);
    xml.close();
  }
  write_prefixes(xml, result.common_prefixes, key);
  return xml.finish();
}

std::string write_initiate_upload(const InitiateResult& result) {
  XmlWriter xml;
  xml.open_root("InitiateMultipartUploadResult");
  xml.element("Bucket", result.bucket);
  xml.element("Key", result.key);
  xml.element("UploadId", result.upload);
  return xml.finish();
}

std::string write_complete_result(const CompleteResult& result) {
  XmlWriter xml;
  xml.open_root("CompleteMultipartUploadResult");
  xml.element("Location", result.location);
  xml.element("Bucket", result.bucket);
  xml.element("Key", result.key);
  xml.element("ETag", quote_etag(result.etag));
  write_checksums(xml, result.checksums);
  write_optional(xml, "ChecksumType", result.checksum_type);
  return xml.finish();
}

std::string write_copy_object(const CopyResult& result) {
  return write_copy("CopyObjectResult", result);
}

std::string write_copy_part(const CopyResult& result) {
  return write_copy("CopyPartResult", result);
}

std::string write_delete_result(const std::vector<DeletedEntry>& entries, bool quiet) {
  XmlWriter xml;
  xml.open_root("DeleteResult");
  for (const DeletedEntry& entry : entries) {
    const bool failed = !entry.error_code.empty();
    if (quiet && !failed) continue;
    xml.open(failed ? "Error" : "Deleted");
    xml.element("Key", entry.key);
    if (entry.version) xml.element("VersionId", *entry.version);
    if (failed) {
      xml.element("Code", entry.error_code);
      xml.element("Message", entry.error_message);
    } else if (entry.delete_marker) {
      xml.boolean("DeleteMarker", true);
      write_optional(xml, "DeleteMarkerVersionId", entry.marker_version);
    }
    xml.close();
  }
  return xml.finish();
}

std::string write_location(std::string_view region) {
  XmlWriter xml;
  xml.open_root("LocationConstraint");
  // The classic region has an empty constraint.
  if (region != "us-east-1") xml.text_content(region);
  return xml.finish();
}

std::string write_post_response(std::string_view location, std::string_view bucket,
                                std::string_view key, std::string_view etag) {
  XmlWriter xml;
  xml.open("PostResponse");
  xml.element("Location", location);
  xml.element("Bucket", bucket);
  xml.element("Key", key);
  xml.element("ETag", quote_etag(etag));
  return xml.finish();
}

std::string write_object_attributes(const ObjectAttributesResult& result) {
  XmlWriter xml;
  xml.open_root("GetObjectAttributesResponse");
  if (result.etag) xml.element("ETag", *result.etag);  // the one answer with a bare ETag
  if (!result.checksums.empty()) {
    xml.open("Checksum");
    write_checksums(xml, result.checksums);
    write_optional(xml, "ChecksumType", result.checksum_type);
    xml.close();
  }
  if (result.parts) {
    xml.open("ObjectParts");
    xml.element("PartsCount", result.parts->total);
    xml.element("PartNumberMarker", result.parts->part_marker);
    xml.element("NextPartNumberMarker", result.parts->next_part_marker);
    xml.element("MaxParts", result.parts->max_parts);
    xml.boolean("IsTruncated", result.parts->truncated);
    for (const PartEntry& part : result.parts->parts) {
      xml.open("Part");
      xml.element("PartNumber", part.number);
      xml.element("Size", part.size);
      write_checksums(xml, part.checksums);
      xml.close();
    }
    xml.close();
  }
  if (result.storage_class) xml.element("StorageClass", *result.storage_class);
  if (result.size) xml.element("ObjectSize", *result.size);
  return xml.finish();
}

}  // namespace holdfast::s3
