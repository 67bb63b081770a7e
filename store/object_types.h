// The nouns of the object store: what requests ask and what they answer. S3's own model (AWS S3 API
// reference, 2006-03-01). Plain values; any thread. No behaviour here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/body.h"
#include "base/clock.h"
#include "base/ids.h"

namespace holdfast::store {

enum class Versioning : std::uint8_t { unversioned, enabled, suspended };

// All versions, and the parts of open uploads; delete markers count nothing.
struct BucketUsage {
  std::uint64_t bytes = 0;
  std::uint64_t objects = 0;  // versions
};
struct BucketInfo {
  BucketName name;
  TimePoint created;
  Versioning versioning = Versioning::unversioned;
  bool object_lock = false;
  std::optional<BucketUsage> usage;  // where the store knows it
};

// Sub-resources that the store keeps as opaque documents (XML or JSON, as the client sent it).
enum class BucketDocument : std::uint8_t {
  cors,
  lifecycle,
  policy,
  tagging,
  notification,
  object_lock,
  public_access_block,
  ownership_controls,
  encryption,
  quota,
  acl,
};

enum class ChecksumAlgorithm : std::uint8_t { crc32, crc32c, crc64nvme, sha1, sha256 };
enum class ChecksumType : std::uint8_t { full_object, composite };

// `value` is base64 of the big-endian digest, as in x-amz-checksum-*. A composite value carries no
// "-N" suffix here; the edge adds it from the part count.
struct Checksum {
  ChecksumAlgorithm algorithm = ChecksumAlgorithm::crc64nvme;
  ChecksumType type = ChecksumType::full_object;
  std::string value;
};

// What a writer says of an object beside its bytes. User metadata keys are lower case and without
// "x-amz-meta-"; values are raw bytes as they came in the header. At most 2 KiB together.
struct ObjectAttributes {
  std::string content_type;  // empty: binary/octet-stream
  std::string cache_control, content_disposition, content_encoding, content_language, expires;
  std::map<std::string, std::string> metadata;
  std::map<std::string, std::string> tags;
};

// Object Lock (AWS: GOVERNANCE, COMPLIANCE, legal hold).
struct Retention {
  enum class Mode : std::uint8_t { none, governance, compliance };
  Mode mode = Mode::none;
  TimePoint until{};
  bool legal_hold = false;
};
// A change of the lock of one version; what is not named stays as it is.
struct LockPeriod {
  Retention::Mode mode = Retention::Mode::none;  // none: no retention any more
  TimePoint until{};
};
struct LockRequest {
  BucketName bucket;
  ObjectKey key;
  std::optional<VersionId> version;
  std::optional<LockPeriod> period;
  std::optional<bool> legal_hold;
  bool bypass_governance = false;
};

// One version of one key. For a delete marker size, etag and attributes are empty.
struct ObjectInfo {
  ObjectKey key;
  VersionId version;  // "null" where the bucket was not versioned at the time of writing
  ETag etag;
  std::uint64_t size = 0;      // bytes
  TimePoint modified{};        // time of the commit, not of the start of an upload
  std::uint64_t sequence = 0;  // of the commit; grows with every write of this store; 0: unknown
  bool delete_marker = false;
  bool latest = true;
  ObjectAttributes attributes;
  std::vector<Checksum> checksums;
  std::vector<std::uint64_t> part_sizes;  // of a multipart object, in order; empty otherwise
  std::vector<Checksum> part_checksums;   // one a part, or none at all
  UploadId upload;                        // that was completed to this version; may be unknown
  Retention retention;
  std::string uploader;  // the principal that wrote it; no client can set it; may be unknown
  // Whom else than those with rights it is open to, in the words of who judges requests; the store
  // only keeps it. Empty: nobody.
  std::string acl;
};

// RFC 9110 section 13, as S3 applies it: every condition that is given must hold. The last two are
// those of DeleteObject; time is compared in whole seconds.
struct WriteConditions {
  std::optional<ETag> if_match;  // "*": anything that exists
  bool if_none_match_any = false;
  std::optional<ETag> if_none_match = std::nullopt;
  std::optional<TimePoint> if_modified_at = std::nullopt;
  std::optional<std::uint64_t> if_size = std::nullopt;
};
struct ReadConditions {
  std::vector<ETag> if_match;  // empty: no condition; a "*" entry matches any
  std::vector<ETag> if_none_match;
  std::optional<TimePoint> if_modified_since, if_unmodified_since;  // whole seconds
};

// One range (RFC 9110 section 14): first-last, first-, or the last `suffix` bytes.
struct ByteRange {
  std::optional<std::uint64_t> first, last, suffix;
};

struct PutRequest {
  BucketName bucket;
  ObjectKey key;
  ObjectAttributes attributes;
  WriteConditions conditions;
  std::optional<std::uint64_t> size;       // declared bytes, checked
  std::optional<std::string> md5;          // 16 raw bytes, checked (Content-MD5): bad_digest
  std::vector<Checksum> expected;          // checked: checksum_mismatch
  std::vector<ChecksumAlgorithm> compute;  // computed and kept beside what is expected
  Retention retention;                     // mode none: the bucket's default, where it has one
  std::string uploader, acl;               // kept in ObjectInfo
};
struct PutResult {
  ETag etag;
  VersionId version;  // empty where versioning is off or suspended
  std::uint64_t sequence = 0;
  TimePoint modified{};
  std::uint64_t size = 0;
  std::vector<Checksum> checksums;
};

struct GetRequest {
  BucketName bucket;
  ObjectKey key;
  std::optional<VersionId> version;
  std::optional<ByteRange> range;
  std::optional<std::uint32_t> part_number;  // from 1
  ReadConditions conditions;
};
struct GetResult {
  ObjectInfo info;
  std::uint64_t first = 0;   // offset of the body's first byte within the object
  std::uint64_t length = 0;  // of the body
  bool partial = false;      // a range or part was asked and given
  Body body;                 // empty for head()
};

struct DeleteRequest {
  BucketName bucket;
  ObjectKey key;
  std::optional<VersionId> version;
  WriteConditions conditions;
  // Only while the key's latest version, or delete marker, is that of this sequence; else
  // precondition_failed. Not for stores that number nothing (ObjectInfo::sequence is 0 there).
  std::optional<std::uint64_t> if_latest;
  bool bypass_governance = false;
};
struct DeleteResult {
  VersionId version;  // of the marker made, or of the version removed; may be empty
  bool delete_marker = false;
  std::uint64_t sequence = 0;
};

struct CopyRequest {
  BucketName source_bucket;
  ObjectKey source_key;
  std::optional<VersionId> source_version;
  ReadConditions source_conditions;
  BucketName bucket;
  ObjectKey key;
  WriteConditions conditions;
  std::optional<ObjectAttributes> replace;  // nullopt: metadata and tags are copied
  std::vector<ChecksumAlgorithm> compute;
  Retention retention;        // of the copy; the source's is never copied
  std::string uploader, acl;  // nor are these
};

struct ListRequest {
  BucketName bucket;
  std::string prefix;
  std::string delimiter;    // usually "" or "/"
  std::string start_after;  // exclusive; a common prefix here skips that whole prefix
  std::uint32_t max_keys = 1000;
};
struct ListPage {
  std::vector<ObjectInfo> objects;  // in byte order of keys; attributes need not be filled
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next;  // start_after of the next page
};

struct ListVersionsRequest {
  BucketName bucket;
  std::string prefix, delimiter;
  std::string key_marker;
  std::optional<VersionId> version_marker;
  std::uint32_t max_keys = 1000;
};
struct ListVersionsPage {
  std::vector<ObjectInfo> versions;  // markers included; a key's newest first
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next_key;
  VersionId next_version;
};

struct CreateUploadRequest {
  BucketName bucket;
  ObjectKey key;
  ObjectAttributes attributes;
  std::optional<ChecksumAlgorithm> checksum;
  ChecksumType checksum_type = ChecksumType::composite;
  Retention retention;
  std::string uploader, acl;
};
struct PartRequest {
  BucketName bucket;
  ObjectKey key;
  UploadId upload;
  std::uint32_t number = 0;  // 1 to 10,000
  std::optional<std::uint64_t> size;
  std::optional<std::string> md5;
  std::vector<Checksum> expected;
};
struct PartInfo {
  std::uint32_t number = 0;
  ETag etag;
  std::uint64_t size = 0;
  TimePoint modified{};
  std::vector<Checksum> checksums;
};
struct CopyPartRequest {
  BucketName source_bucket;
  ObjectKey source_key;
  std::optional<VersionId> source_version;
  std::optional<ByteRange> range;
  ReadConditions source_conditions;
  BucketName bucket;
  ObjectKey key;
  UploadId upload;
  std::uint32_t number = 0;
};
struct CompletedPart {
  std::uint32_t number = 0;
  ETag etag;
  std::vector<Checksum> checksums;
};
struct CompleteRequest {
  BucketName bucket;
  ObjectKey key;
  UploadId upload;
  std::vector<CompletedPart> parts;  // ascending numbers
  WriteConditions conditions;
  std::vector<Checksum> expected;  // of the whole object
};
struct UploadInfo {
  ObjectKey key;
  UploadId upload;
  TimePoint started{};
  std::optional<ChecksumAlgorithm> checksum;
  ChecksumType checksum_type = ChecksumType::composite;
  std::string uploader;
};
struct ListPartsRequest {
  BucketName bucket;
  ObjectKey key;
  UploadId upload;
  std::uint32_t part_marker = 0;
  std::uint32_t max_parts = 1000;
};
struct ListPartsPage {
  UploadInfo upload;
  std::vector<PartInfo> parts;
  bool truncated = false;
};
struct ListUploadsRequest {
  BucketName bucket;
  std::string prefix, delimiter, key_marker, upload_marker;
  std::uint32_t max_uploads = 1000;
};
struct ListUploadsPage {
  std::vector<UploadInfo> uploads;
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next_key, next_upload;
};

// The change feed: one entry a committed write, in commit order.
enum class ChangeKind : std::uint8_t { put, delete_marker, version_removed };
struct Change {
  std::uint64_t sequence = 0;
  ChangeKind kind = ChangeKind::put;
  ObjectKey key;
  VersionId version;
  ETag etag;
  std::uint64_t size = 0;
  TimePoint time{};
};
struct ChangesRequest {
  BucketName bucket;
  std::string prefix;
  // Entries after this one; nullopt: only learn `next`, the feed's present end.
  std::optional<std::uint64_t> after;
  std::uint32_t limit = 1000;
  std::chrono::milliseconds wait{0};  // how long to wait for the first entry; at most 60 s
};
struct ChangesPage {
  std::vector<Change> changes;
  std::uint64_t next = 0;  // `after` of the next call
  // The feed no longer reaches back to `after`: the caller lists again, then goes on from `next`.
  bool reset = false;
};

}  // namespace holdfast::store
