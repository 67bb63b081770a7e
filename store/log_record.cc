#include "store/log_record.h"

#include <utility>

#include "store/log_codec.h"

namespace holdfast::store {
namespace {

// --- Pieces of values

void put(ByteWriter& out, const std::map<std::string, std::string>& map) {
  out.varint(map.size());
  for (const auto& [key, value] : map) {
    out.text(key);
    out.text(value);
  }
}

std::map<std::string, std::string> take_map(ByteReader& in) {
  std::map<std::string, std::string> map;
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    auto key = in.text();
    map.insert_or_assign(std::move(key), in.text());
  }
  return map;
}

void put(ByteWriter& out, const ObjectAttributes& attributes) {
  for (const auto* text :
       {&attributes.content_type, &attributes.cache_control, &attributes.content_disposition,
        &attributes.content_encoding, &attributes.content_language, &attributes.expires}) {
    out.text(*text);
  }
  put(out, attributes.metadata);
  put(out, attributes.tags);
}

ObjectAttributes take_attributes(ByteReader& in) {
  ObjectAttributes attributes;
  for (auto* text :
       {&attributes.content_type, &attributes.cache_control, &attributes.content_disposition,
        &attributes.content_encoding, &attributes.content_language, &attributes.expires}) {
    *text = in.text();
  }
  attributes.metadata = take_map(in);
  attributes.tags = take_map(in);
  return attributes;
}

void put(ByteWriter& out, const Retention& retention) {
  out.varint(std::to_underlying(retention.mode));
  out.fixed64(static_cast<std::uint64_t>(retention.until.time_since_epoch().count()));
  out.flag(retention.legal_hold);
}

Retention take_retention(ByteReader& in) {
  Retention retention;
  retention.mode = static_cast<Retention::Mode>(in.varint());
  retention.until = TimePoint(std::chrono::nanoseconds(static_cast<std::int64_t>(in.fixed64())));
  retention.legal_hold = in.flag();
  return retention;
}

void put(ByteWriter& out, const std::vector<Checksum>& checksums) {
  out.varint(checksums.size());
  for (const auto& checksum : checksums) {
    out.varint(std::to_underlying(checksum.algorithm));
    out.varint(std::to_underlying(checksum.type));
    out.text(checksum.value);
  }
}

std::vector<Checksum> take_checksums(ByteReader& in) {
  std::vector<Checksum> checksums;
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Checksum& checksum = checksums.emplace_back();
    checksum.algorithm = static_cast<ChecksumAlgorithm>(in.varint());
    checksum.type = static_cast<ChecksumType>(in.varint());
    checksum.value = in.text();
  }
  return checksums;
}

// What came after the first format, as (number, text) to the end, absent where empty: older records
// are read as they are.
enum class Extra : std::uint8_t { uploader = 1, acl = 2 };

void put_extra(ByteWriter& out, Extra number, std::string_view text) {
  if (text.empty()) return;
  out.varint(std::to_underlying(number));
  out.text(text);
}

template <class Meta>
void take_extras(ByteReader& in, Meta& meta) {
  while (in.ok() && !in.at_end()) {
    const auto number = static_cast<Extra>(in.varint());
    auto text = in.text();
    if (number == Extra::uploader) {
      meta.uploader = std::move(text);
    } else if (number == Extra::acl) {
      meta.acl = std::move(text);
    } else {
      return in.refuse();
    }
  }
}

// --- Operations: put() and take() mirror each other field by field.

void put(ByteWriter& out, const CreateBucketOp& op) {
  out.text(op.name);
  out.fixed64(static_cast<std::uint64_t>(op.time));
  out.flag(op.object_lock);
}
void take(ByteReader& in, CreateBucketOp& op) {
  op.name = in.text();
  op.time = static_cast<std::int64_t>(in.fixed64());
  op.object_lock = in.flag();
}

void put(ByteWriter& out, const DeleteBucketOp& op) { out.varint(op.bucket); }
void take(ByteReader& in, DeleteBucketOp& op) { op.bucket = in.varint(); }

void put(ByteWriter& out, const SetVersioningOp& op) {
  out.varint(op.bucket);
  out.varint(std::to_underlying(op.versioning));
}
void take(ByteReader& in, SetVersioningOp& op) {
  op.bucket = in.varint();
  op.versioning = static_cast<Versioning>(in.varint());
}

void put(ByteWriter& out, const SetDocumentOp& op) {
  out.varint(op.bucket);
  out.varint(std::to_underlying(op.kind));
  out.text(op.text);
}
void take(ByteReader& in, SetDocumentOp& op) {
  op.bucket = in.varint();
  op.kind = static_cast<BucketDocument>(in.varint());
  op.text = in.text();
}

void put(ByteWriter& out, const PutVersionOp& op) {
  out.varint(op.bucket);
  out.text(op.key);
  out.text(op.version);
  out.flag(op.delete_marker);
  out.text(op.etag);
  out.varint(op.size);
  out.fixed64(static_cast<std::uint64_t>(op.time));
  out.text(op.meta);
  put(out, op.extents);
  out.text(op.upload);
}
void take(ByteReader& in, PutVersionOp& op) {
  op.bucket = in.varint();
  op.key = in.text();
  op.version = in.text();
  op.delete_marker = in.flag();
  op.etag = in.text();
  op.size = in.varint();
  op.time = static_cast<std::int64_t>(in.fixed64());
  op.meta = in.text();
  op.extents = take_extents(in);
  op.upload = in.text();
}

void put(ByteWriter& out, const RemoveVersionOp& op) {
  out.varint(op.bucket);
  out.text(op.key);
  out.varint(op.target);
  out.fixed64(static_cast<std::uint64_t>(op.time));
}
void take(ByteReader& in, RemoveVersionOp& op) {
  op.bucket = in.varint();
  op.key = in.text();
  op.target = in.varint();
  op.time = static_cast<std::int64_t>(in.fixed64());
}

void put(ByteWriter& out, const UpdateMetaOp& op) {
  out.varint(op.bucket);
  out.text(op.key);
  out.varint(op.target);
  out.text(op.meta);
}
void take(ByteReader& in, UpdateMetaOp& op) {
  op.bucket = in.varint();
  op.key = in.text();
  op.target = in.varint();
  op.meta = in.text();
}

void put(ByteWriter& out, const CreateUploadOp& op) {
  out.varint(op.bucket);
  out.text(op.key);
  out.text(op.upload);
  out.fixed64(static_cast<std::uint64_t>(op.time));
  out.text(op.meta);
}
void take(ByteReader& in, CreateUploadOp& op) {
  op.bucket = in.varint();
  op.key = in.text();
  op.upload = in.text();
  op.time = static_cast<std::int64_t>(in.fixed64());
  op.meta = in.text();
}

void put(ByteWriter& out, const PutPartOp& op) {
  out.text(op.upload);
  out.varint(op.number);
  out.text(op.etag);
  out.varint(op.size);
  out.fixed64(static_cast<std::uint64_t>(op.time));
  put(out, op.checksums);
  put(out, op.extents);
}
void take(ByteReader& in, PutPartOp& op) {
  op.upload = in.text();
  op.number = static_cast<std::uint32_t>(in.varint());
  op.etag = in.text();
  op.size = in.varint();
  op.time = static_cast<std::int64_t>(in.fixed64());
  op.checksums = take_checksums(in);
  op.extents = take_extents(in);
}

void put(ByteWriter& out, const AbortUploadOp& op) { out.text(op.upload); }
void take(ByteReader& in, AbortUploadOp& op) { op.upload = in.text(); }

void put(ByteWriter& out, const QuarantineOp& op) { out.text(op.blob); }
void take(ByteReader& in, QuarantineOp& op) { op.blob = in.text(); }

void put(ByteWriter& out, const RelocateVersionOp& op) {
  out.varint(op.target);
  put(out, op.version);
}
void take(ByteReader& in, RelocateVersionOp& op) {
  op.target = in.varint();
  take(in, op.version);
}

void put(ByteWriter& out, const RelocateBucketOp& op) {
  out.varint(op.bucket);
  put(out, op.made);
  out.varint(std::to_underlying(op.versioning));
}
void take(ByteReader& in, RelocateBucketOp& op) {
  op.bucket = in.varint();
  take(in, op.made);
  op.versioning = static_cast<Versioning>(in.varint());
}

void put(ByteWriter& out, const DropSegmentOp& op) { out.varint(op.segment); }
void take(ByteReader& in, DropSegmentOp& op) { op.segment = in.varint(); }

// The op's number on disk is its place in the variant: new ones go to the end, none is removed.
template <std::size_t N = 0>
bool take_numbered(ByteReader& in, std::uint64_t number, LogOp& op) {
  if constexpr (N == std::variant_size_v<LogOp>) {
    return false;
  } else {
    if (number != N) return take_numbered<N + 1>(in, number, op);
    take(in, op.emplace<N>());
    return in.at_end();
  }
}

template <class Value, class Take>
Result<Value> decode_whole(std::string_view bytes, std::string_view what, Take take_value) {
  ByteReader in(bytes);
  Value value = take_value(in);
  if (!in.at_end()) return fail(ErrorCode::corrupted, "stored {} cannot be decoded", what);
  return value;
}

}  // namespace

std::string encode_op(const LogOp& op) {
  std::string out;
  out.reserve(256);
  ByteWriter writer(out);
  writer.varint(op.index());
  std::visit([&](const auto& value) { put(writer, value); }, op);
  return out;
}

Result<LogOp> decode_op(std::string_view payload) {
  ByteReader in(payload);
  LogOp op;
  const std::uint64_t number = in.varint();
  if (take_numbered(in, number, op)) return op;
  return fail(ErrorCode::corrupted, "log record of operation {} cannot be decoded", number);
}

std::string encode_meta(const ObjectMeta& meta) {
  std::string out;
  out.reserve(96);
  ByteWriter writer(out);
  put(writer, meta.attributes);
  put(writer, meta.checksums);
  writer.varint(meta.part_sizes.size());
  for (const auto size : meta.part_sizes) writer.varint(size);
  put(writer, meta.retention);
  // Fields that came later end the text, and are left out where they say nothing.
  if (meta.part_checksums.empty() && meta.upload.empty() && meta.uploader.empty() &&
      meta.acl.empty()) {
    return out;
  }
  put(writer, meta.part_checksums);
  writer.text(meta.upload);
  put_extra(writer, Extra::uploader, meta.uploader);
  put_extra(writer, Extra::acl, meta.acl);
  return out;
}

Result<ObjectMeta> decode_meta(std::string_view bytes) {
  return decode_whole<ObjectMeta>(bytes, "metadata", [](ByteReader& in) {
    ObjectMeta meta;
    meta.attributes = take_attributes(in);
    meta.checksums = take_checksums(in);
    for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
      meta.part_sizes.push_back(in.varint());
    }
    meta.retention = take_retention(in);
    if (in.at_end()) return meta;
    meta.part_checksums = take_checksums(in);
    meta.upload = in.text();
    take_extras(in, meta);
    return meta;
  });
}

std::string encode_upload_meta(const UploadMeta& meta) {
  std::string out;
  ByteWriter writer(out);
  put(writer, meta.attributes);
  put(writer, meta.retention);
  writer.varint(meta.checksum ? std::to_underlying(*meta.checksum) + 1u : 0u);
  writer.varint(std::to_underlying(meta.checksum_type));
  put_extra(writer, Extra::uploader, meta.uploader);
  put_extra(writer, Extra::acl, meta.acl);
  return out;
}

Result<UploadMeta> decode_upload_meta(std::string_view bytes) {
  return decode_whole<UploadMeta>(bytes, "upload", [](ByteReader& in) {
    UploadMeta meta;
    meta.attributes = take_attributes(in);
    meta.retention = take_retention(in);
    const std::uint64_t checksum = in.varint();
    if (checksum > 0) meta.checksum = static_cast<ChecksumAlgorithm>(checksum - 1);
    meta.checksum_type = static_cast<ChecksumType>(in.varint());
    take_extras(in, meta);
    return meta;
  });
}

std::string encode_checksums(const std::vector<Checksum>& checksums) {
  std::string out;
  ByteWriter writer(out);
  put(writer, checksums);
  return out;
}

Result<std::vector<Checksum>> decode_checksums(std::string_view bytes) {
  return decode_whole<std::vector<Checksum>>(bytes, "checksums", take_checksums);
}

}  // namespace holdfast::store
