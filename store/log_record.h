// What log records say: the outcome of one write, complete enough to rebuild the index from the log
// alone; and what the index keeps encoded. Values; any thread. Decoding never trusts: `corrupted`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "store/extents.h"
#include "store/object_types.h"

namespace holdfast::store {

// Everything of a version or an upload that no query looks at.
struct ObjectMeta {
  ObjectAttributes attributes;
  std::vector<Checksum> checksums;
  std::vector<std::uint64_t> part_sizes;
  Retention retention;
  std::vector<Checksum> part_checksums;
  std::string upload, uploader, acl;  // that was completed to it; who wrote it; ObjectInfo::acl
};
std::string encode_meta(const ObjectMeta& meta);
Result<ObjectMeta> decode_meta(std::string_view bytes);
struct UploadMeta {
  ObjectAttributes attributes;
  Retention retention;
  std::optional<ChecksumAlgorithm> checksum;
  ChecksumType checksum_type = ChecksumType::composite;
  std::string uploader, acl;
};
std::string encode_upload_meta(const UploadMeta& meta);
Result<UploadMeta> decode_upload_meta(std::string_view bytes);

// --- Operations. Buckets are named by the sequence of the record that created them, so that a
// bucket made again under an old name is another one. Times are nanoseconds since 1970.
struct CreateBucketOp {
  std::string name;
  std::int64_t time = 0;
  bool object_lock = false;
};
struct DeleteBucketOp {
  std::uint64_t bucket = 0;
};
struct SetVersioningOp {
  std::uint64_t bucket = 0;
  Versioning versioning = Versioning::unversioned;
};
// An object_lock document turns the bucket's Object Lock on.
struct SetDocumentOp {
  std::uint64_t bucket = 0;
  BucketDocument kind = BucketDocument::cors;
  std::string text;  // empty: removed
};
// A new latest version, or a delete marker. `upload` is set when a multipart upload ends by it.
struct PutVersionOp {
  std::uint64_t bucket = 0;
  std::string key, version;
  bool delete_marker = false;
  std::string etag;
  std::uint64_t size = 0;
  std::int64_t time = 0;
  std::string meta;  // ObjectMeta
  std::vector<Extent> extents;
  std::string upload;
};
struct RemoveVersionOp {
  std::uint64_t bucket = 0;
  std::string key;
  std::uint64_t target = 0;  // sequence of the version
  std::int64_t time = 0;
};
struct UpdateMetaOp {
  std::uint64_t bucket = 0;
  std::string key;
  std::uint64_t target = 0;
  std::string meta;
};
struct CreateUploadOp {
  std::uint64_t bucket = 0;
  std::string key, upload;
  std::int64_t time = 0;
  std::string meta;  // UploadMeta
};
struct PutPartOp {
  std::string upload;
  std::uint32_t number = 0;
  std::string etag;
  std::uint64_t size = 0;
  std::int64_t time = 0;
  std::vector<Checksum> checksums;
  std::vector<Extent> extents;
};
struct AbortUploadOp {
  std::string upload;
};
// A scrub found the blob's bytes to differ from its checksum: reads of it fail from now on.
struct QuarantineOp {
  std::string blob;
};

// --- Compaction: a segment's live records are written again at the log's end, then it is dropped.
// `target` stays the sequence of the version. Parts, uploads, documents: by their own operations.
struct RelocateVersionOp {
  std::uint64_t target = 0;
  PutVersionOp version;  // as it is now; `upload` is empty
};
struct RelocateBucketOp {
  std::uint64_t bucket = 0;
  CreateBucketOp made;
  Versioning versioning = Versioning::unversioned;
};
struct DropSegmentOp {
  std::uint64_t segment = 0;  // neither it nor one before it is needed any more
};

using LogOp =
    std::variant<CreateBucketOp, DeleteBucketOp, SetVersioningOp, SetDocumentOp, PutVersionOp,
                 RemoveVersionOp, UpdateMetaOp, CreateUploadOp, PutPartOp, AbortUploadOp,
                 QuarantineOp, RelocateVersionOp, RelocateBucketOp, DropSegmentOp>;

std::string encode_op(const LogOp& op);
Result<LogOp> decode_op(std::string_view payload);
std::string encode_checksums(const std::vector<Checksum>& checksums);
Result<std::vector<Checksum>> decode_checksums(std::string_view bytes);

}  // namespace holdfast::store
