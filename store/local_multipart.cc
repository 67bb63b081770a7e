#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "s3/names.h"
#include "store/checksum_names.h"
#include "store/conditions.h"
#include "store/local_body.h"
#include "store/local_objects.h"
#include "store/local_rows.h"
#include "store/local_state.h"

namespace holdfast::store {
namespace {

struct OpenUpload {
  index::BucketRow bucket;
  index::UploadRow row;
  UploadMeta meta;
};

Result<OpenUpload> find_upload(index::Catalogue& catalogue, const BucketName& bucket,
                               const ObjectKey& key, const UploadId& upload) {
  auto in = find_bucket(catalogue, bucket);
  if (!in) return std::unexpected(in.error());
  auto row = catalogue.find_upload(upload.value);
  if (!row) return std::unexpected(row.error());
  if (!*row || (*row)->bucket != in->id || (*row)->key != key.value) {
    return fail(ErrorCode::no_such_upload, "{} has no upload {}", log_field(key.value),
                log_field(upload.value));
  }
  auto meta = decode_upload_meta((*row)->meta);
  if (!meta) return std::unexpected(meta.error());
  return OpenUpload{std::move(*in), std::move(**row), std::move(*meta)};
}

UploadInfo to_upload_info(const index::UploadRow& row, const UploadMeta& meta) {
  return {ObjectKey(row.key), UploadId(row.id),   from_nanoseconds(row.started),
          meta.checksum,      meta.checksum_type, meta.uploader};
}

Result<PartInfo> to_part_info(const index::PartRow& row) {
  auto checksums = decode_checksums(row.checksums);
  if (!checksums) return std::unexpected(checksums.error());
  return PartInfo{row.number, ETag(row.etag), row.size, from_nanoseconds(row.modified),
                  std::move(*checksums)};
}

Result<void> check_part_number(std::uint32_t number) {
  if (number >= 1 && number <= max_part_number) return {};
  return fail(ErrorCode::invalid_argument, "part numbers go from 1 to {}, not {}", max_part_number,
              number);
}

std::vector<ChecksumAlgorithm> algorithms_of(const UploadMeta& meta) {
  if (!meta.checksum) return {};
  return {*meta.checksum};
}

// The part of a request that says where the part goes.
struct PartTarget {
  BucketName bucket;
  ObjectKey key;
  UploadId upload;
  std::uint32_t number = 0;
};

Result<PartInfo> judge_part(WriteGroup& group, const PartTarget& target, LocalBody& body) {
  auto upload = find_upload(group.catalogue(), target.bucket, target.key, target.upload);
  if (!upload) return std::unexpected(upload.error());
  auto room = check_room(group, upload->bucket, {{.bytes = body.size}, {}});
  if (!room) return std::unexpected(room.error());
  const TimePoint now = group.clock().now();
  ETag etag(to_hex(as_bytes(body.md5)));
  auto done = group.append(PutPartOp{target.upload.value, target.number, etag.value, body.size,
                                     to_nanoseconds(now), body.checksums, std::move(body.extents)},
                           body.bytes);
  if (!done) return std::unexpected(done.error());
  group.keep(std::move(body.blob));
  return PartInfo{target.number, std::move(etag), body.size, now, std::move(body.checksums)};
}

// Where a part is copied from, as it was when its bytes were hashed.
struct PartSource {
  StoredObject object;
  std::vector<Extent> extents;
};

Result<PartSource> find_part_source(index::Catalogue& catalogue, const CopyPartRequest& request) {
  auto bucket = find_bucket(catalogue, request.source_bucket);
  if (!bucket) return std::unexpected(bucket.error());
  auto object = find_object(catalogue, bucket->id, request.source_key, request.source_version);
  if (!object) return std::unexpected(object.error());
  const ObjectInfo& info = object->info;
  auto readable = check_copy_source(request.source_conditions, info);
  if (!readable) return std::unexpected(readable.error());
  if (request.range && request.range->last.value_or(0) >= std::max<std::uint64_t>(1, info.size)) {
    return fail(ErrorCode::invalid_range, "the range reaches beyond the source's {} bytes",
                info.size);
  }
  auto window = resolve_window(request.range, std::nullopt, info);
  if (!window) return std::unexpected(window.error());
  auto extents = decode_extents(object->row.extents);
  if (!extents) return std::unexpected(extents.error());
  auto slice = slice_extents(*extents, window->first, window->length);
  return PartSource{std::move(*object), std::move(slice)};
}

}  // namespace

Async<UploadId> LocalStore::create_upload(CreateUploadRequest request) {
  if (auto valid = s3::validate_key(request.key.value); !valid) {
    co_return std::unexpected(valid.error());
  }
  co_return co_await state_->sequencer->submit([request = std::move(request)](
                                                   WriteGroup& group) -> Result<UploadId> {
    auto bucket = group.find_bucket(request.bucket);
    if (!bucket) return std::unexpected(bucket.error());
    auto lockable = check_retention_on(*bucket, request.retention);
    if (!lockable) return std::unexpected(lockable.error());
    // Byte order of upload ids is the order of their start.
    const UploadId id(fmt::format("{:016x}{}", group.next_sequence(), group.random().hex(8)));
    const UploadMeta meta{request.attributes,    request.retention, request.checksum,
                          request.checksum_type, request.uploader,  request.acl};
    auto done =
        group.append(CreateUploadOp{bucket->id, request.key.value, id.value,
                                    to_nanoseconds(group.clock().now()), encode_upload_meta(meta)});
    if (!done) return std::unexpected(done.error());
    return id;
  });
}

namespace {

Result<OpenUpload> find_upload_now(CatalogueReaders& readers, const PartTarget& target) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  return find_upload(**snapshot, target.bucket, target.key, target.upload);
}

}  // namespace

Async<PartInfo> LocalStore::put_part(PartRequest request, BodyReader& body) {
  if (auto valid = check_part_number(request.number); !valid) {
    co_return std::unexpected(valid.error());
  }
  PartTarget target{request.bucket, request.key, request.upload, request.number};
  auto upload = find_upload_now(state_->readers, target);
  if (!upload) co_return std::unexpected(upload.error());
  auto taken = co_await take_local_body(
      state_->sink(), body,
      IntakeRules{request.size, request.md5, request.expected, algorithms_of(upload->meta)});
  if (!taken) co_return std::unexpected(taken.error());
  const std::size_t bytes = taken->bytes.size();
  co_return co_await state_->sequencer->submit(
      [target = std::move(target), taken = std::move(*taken)](WriteGroup& group) mutable {
        return judge_part(group, target, taken);
      },
      bytes);
}

namespace {

Result<PartSource> find_part_source_now(CatalogueReaders& readers, const CopyPartRequest& request) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  return find_part_source(**snapshot, request);
}

}  // namespace

Async<PartInfo> LocalStore::copy_part(CopyPartRequest request) {
  if (auto valid = check_part_number(request.number); !valid) {
    co_return std::unexpected(valid.error());
  }
  PartTarget target{request.bucket, request.key, request.upload, request.number};
  auto upload = find_upload_now(state_->readers, target);
  if (!upload) co_return std::unexpected(upload.error());
  auto source = find_part_source_now(state_->readers, request);
  if (!source) co_return std::unexpected(source.error());
  // No data moves, but the part's ETag is the MD5 of its bytes.
  Result<TakenBody> digest;
  for (int attempt = 1;; ++attempt) {
    digest = co_await digest_local_body(state_->sink(), source->extents,
                                        IntakeRules{.compute = algorithms_of(upload->meta)});
    if (digest) break;
    if (!may_have_moved(digest.error(), attempt)) co_return std::unexpected(digest.error());
    source = find_part_source_now(state_->readers, request);
    if (!source) co_return std::unexpected(source.error());
  }
  LocalBody body;
  for (const auto& extent : source->extents) body.size += extent.length;
  body.extents = std::move(source->extents);
  body.md5 = std::move(digest->md5);
  body.checksums = std::move(digest->checksums);
  co_return co_await state_->sequencer->submit(
      [request = std::move(request), target = std::move(target), body = std::move(body),
       hashed = source->object.row.sequence](WriteGroup& group) mutable -> Result<PartInfo> {
        // The extents may be referred to only while the version that owns them is still there.
        auto still = find_part_source(group.catalogue(), request);
        if (!still) return std::unexpected(still.error());
        if (still->object.row.sequence != hashed) {
          return fail(ErrorCode::conflict, "the source of the copy changed meanwhile: try again");
        }
        // Compaction may have moved them since they were hashed.
        body.extents = std::move(still->extents);
        return judge_part(group, target, body);
      });
}

Async<void> LocalStore::abort_upload(BucketName bucket, ObjectKey key, UploadId upload) {
  co_return co_await state_->sequencer->submit(
      [bucket, key, upload](WriteGroup& group) -> Result<void> {
        auto open = find_upload(group.catalogue(), bucket, key, upload);
        if (!open) return std::unexpected(open.error());
        auto done = group.append(AbortUploadOp{upload.value});
        if (!done) return std::unexpected(done.error());
        return {};
      });
}

Async<ListPartsPage> LocalStore::list_parts(ListPartsRequest request) {
  auto snapshot = state_->readers.snapshot();
  if (!snapshot) co_return std::unexpected(snapshot.error());
  auto upload = find_upload(**snapshot, request.bucket, request.key, request.upload);
  if (!upload) co_return std::unexpected(upload.error());
  ListPartsPage page;
  page.upload = to_upload_info(upload->row, upload->meta);
  if (request.max_parts == 0) co_return page;
  auto rows = (*snapshot)->parts(request.upload.value, request.part_marker, request.max_parts + 1);
  if (!rows) co_return std::unexpected(rows.error());
  page.truncated = rows->size() > request.max_parts;
  if (page.truncated) rows->pop_back();
  for (const auto& row : *rows) {
    auto part = to_part_info(row);
    if (!part) co_return std::unexpected(part.error());
    page.parts.push_back(std::move(*part));
  }
  co_return page;
}

Async<ListUploadsPage> LocalStore::list_uploads(ListUploadsRequest request) {
  auto snapshot = state_->readers.snapshot();
  if (!snapshot) co_return std::unexpected(snapshot.error());
  auto bucket = find_bucket(**snapshot, request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  auto rows =
      (*snapshot)->list_uploads({bucket->id, request.prefix, request.delimiter, request.key_marker,
                                 request.upload_marker, request.max_uploads});
  if (!rows) co_return std::unexpected(rows.error());
  ListUploadsPage page;
  for (const auto& row : rows->uploads) {
    auto meta = decode_upload_meta(row.meta);
    if (!meta) co_return std::unexpected(meta.error());
    page.uploads.push_back(to_upload_info(row, *meta));
  }
  page.common_prefixes = std::move(rows->common_prefixes);
  page.truncated = rows->truncated;
  page.next_key = std::move(rows->next_key);
  page.next_upload = std::move(rows->next_upload);
  co_return page;
}

}  // namespace holdfast::store
