#include <algorithm>
#include <limits>
#include <utility>

#include "base/encoding.h"
#include "s3/names.h"
#include "store/conditions.h"
#include "store/local_body.h"
#include "store/local_objects.h"
#include "store/local_rows.h"
#include "store/local_state.h"
#include "store/object_lock.h"

namespace holdfast::store {

Result<PutResult> append_version(WriteGroup& group, const index::BucketRow& bucket,
                                 NewVersion version, std::string_view body,
                                 const std::vector<index::PartRow>* parts) {
  const auto versioning = static_cast<Versioning>(bucket.versioning);
  LogOp record{std::in_place_type<PutVersionOp>};
  PutVersionOp& op = std::get<PutVersionOp>(record);
  op.bucket = bucket.id;
  op.key = std::move(version.key.value);
  op.version = versioning == Versioning::enabled
                   ? make_version_id(group.next_sequence(), group.random())
                   : "null";
  op.delete_marker = version.delete_marker;
  op.etag = version.etag.value;
  op.size = version.size;
  const TimePoint now = group.clock().now();
  op.time = to_nanoseconds(now);
  op.meta = version.delete_marker ? std::string() : encode_meta(version.meta);
  op.extents = std::move(version.extents);
  op.upload = std::move(version.upload);
  VersionId id(versioning == Versioning::enabled ? op.version : std::string());
  auto sequence =
      group.append(std::move(record), body, {parts, versioning == Versioning::unversioned});
  if (!sequence) return std::unexpected(sequence.error());
  return PutResult{std::move(version.etag),          std::move(id), *sequence, now, version.size,
                   std::move(version.meta.checksums)};
}

namespace {

// Refuses what can be refused before a body is read; the sequencer judges again.
Result<void> check_bucket_early(CatalogueReaders& readers, const BucketName& name) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  auto bucket = find_bucket(**snapshot, name);
  if (!bucket) return std::unexpected(bucket.error());
  return {};
}

Result<PutResult> judge_put(WriteGroup& group, PutRequest& request, LocalBody& body) {
  auto bucket = group.find_bucket(request.bucket);
  if (!bucket) return std::unexpected(bucket.error());
  auto held = check_write_on(group.catalogue(), bucket->id, request.key, request.conditions);
  if (held) held = settle_retention(group, *bucket, request.retention);
  if (!held) return std::unexpected(held.error());
  NewVersion version;
  version.key = std::move(request.key);
  version.etag = ETag(to_hex(as_bytes(body.md5)));
  version.size = body.size;
  version.meta = {
      std::move(request.attributes), std::move(body.checksums), {}, request.retention, {}, {},
      std::move(request.uploader),   std::move(request.acl)};
  if (auto room = check_room_for(group, *bucket, version); !room) {
    return std::unexpected(room.error());
  }
  version.extents = std::move(body.extents);
  auto result = append_version(group, *bucket, std::move(version), body.bytes);
  if (result) group.keep(std::move(body.blob));
  return result;
}

Result<StoredObject> find_source(index::Catalogue& catalogue, const CopyRequest& request) {
  auto bucket = find_bucket(catalogue, request.source_bucket);
  if (!bucket) return std::unexpected(bucket.error());
  auto source = find_object(catalogue, bucket->id, request.source_key, request.source_version);
  if (!source) return source;
  auto readable = check_copy_source(request.source_conditions, source->info);
  if (!readable) return std::unexpected(readable.error());
  return source;
}

// Digests made from the bytes of one version of the source.
struct CopyDigest {
  std::uint64_t sequence = 0;
  std::vector<Checksum> checksums;
};

struct FoundSource {
  std::uint64_t sequence = 0;
  std::vector<Extent> extents;
};
Result<FoundSource> find_source_now(CatalogueReaders& readers, const CopyRequest& request) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  auto source = find_source(**snapshot, request);
  if (!source) return std::unexpected(source.error());
  auto extents = decode_extents(source->row.extents);
  if (!extents) return std::unexpected(extents.error());
  return FoundSource{source->row.sequence, std::move(*extents)};
}

Async<CopyDigest> hash_source(CatalogueReaders& readers, BodySink sink, CopyRequest request) {
  for (int attempt = 1;; ++attempt) {
    auto source = find_source_now(readers, request);
    if (!source) co_return std::unexpected(source.error());
    auto hashed = co_await digest_local_body(sink, std::move(source->extents),
                                             IntakeRules{.compute = request.compute});
    if (hashed) co_return CopyDigest{source->sequence, std::move(hashed->checksums)};
    if (!may_have_moved(hashed.error(), attempt)) co_return std::unexpected(hashed.error());
  }
}

Result<PutResult> judge_copy(WriteGroup& group, CopyRequest& request, const CopyDigest& digest) {
  auto source = find_source(group.catalogue(), request);
  if (!source) return std::unexpected(source.error());
  auto bucket = group.find_bucket(request.bucket);
  if (!bucket) return std::unexpected(bucket.error());
  auto held = check_write_on(group.catalogue(), bucket->id, request.key, request.conditions);
  if (held) held = settle_retention(group, *bucket, request.retention);
  if (!held) return std::unexpected(held.error());
  if (!digest.checksums.empty() && digest.sequence != source->row.sequence) {
    return fail(ErrorCode::conflict, "the source of the copy changed meanwhile: try again");
  }
  auto extents = decode_extents(source->row.extents);
  if (!extents) return std::unexpected(extents.error());
  NewVersion version;
  version.key = std::move(request.key);
  version.etag = source->info.etag;
  version.size = source->info.size;
  version.meta = to_meta(source->info);
  version.meta.retention = request.retention;
  version.meta.upload.clear();
  version.meta.uploader = std::move(request.uploader);
  version.meta.acl = std::move(request.acl);
  if (request.replace) version.meta.attributes = std::move(*request.replace);
  for (const auto& checksum : digest.checksums) {
    std::erase_if(version.meta.checksums,
                  [&](const Checksum& old) { return old.algorithm == checksum.algorithm; });
    version.meta.checksums.push_back(checksum);
  }
  if (auto room = check_room_for(group, *bucket, version); !room) {
    return std::unexpected(room.error());
  }
  version.extents = std::move(*extents);
  return append_version(group, *bucket, std::move(version), {});
}

Result<void> append_meta(WriteGroup& group, const StoredObject& object) {
  auto done = group.append(UpdateMetaOp{object.row.bucket, object.row.key, object.row.sequence,
                                        encode_meta(to_meta(object.info))});
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace

Async<PutResult> LocalStore::put(PutRequest request, BodyReader& body) {
  if (auto valid = s3::validate_key(request.key.value); !valid)
    co_return std::unexpected(valid.error());
  // A small body is read sooner than the bucket is looked up; the sequencer judges in any case.
  if (request.size.value_or(std::numeric_limits<std::uint64_t>::max()) >
      state_->options.inline_bytes) {
    auto known = check_bucket_early(state_->readers, request.bucket);
    if (!known) co_return std::unexpected(known.error());
  }
  auto taken = co_await take_local_body(
      state_->sink(), body,
      IntakeRules{request.size, request.md5, request.expected, request.compute});
  if (!taken) co_return std::unexpected(taken.error());
  const std::size_t bytes = taken->bytes.size();
  co_return co_await state_->sequencer->submit(
      [request = std::move(request), taken = std::move(*taken)](WriteGroup& group) mutable {
        return judge_put(group, request, taken);
      },
      bytes);
}

Async<PutResult> LocalStore::copy(CopyRequest request) {
  if (auto valid = s3::validate_key(request.key.value); !valid)
    co_return std::unexpected(valid.error());
  CopyDigest digest;
  if (!request.compute.empty()) {
    auto hashed = co_await hash_source(state_->readers, state_->sink(), request);
    if (!hashed) co_return std::unexpected(hashed.error());
    digest = std::move(*hashed);
  }
  co_return co_await state_->sequencer->submit(
      [request = std::move(request), digest = std::move(digest)](WriteGroup& group) mutable {
        return judge_copy(group, request, digest);
      });
}

Async<void> LocalStore::set_tags(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                                 std::map<std::string, std::string> tags) {
  co_return co_await state_->sequencer->submit(
      [bucket, key, version, tags = std::move(tags)](WriteGroup& group) -> Result<void> {
        auto in = group.find_bucket(bucket);
        if (!in) return std::unexpected(in.error());
        auto object = find_object(group.catalogue(), in->id, key, version);
        if (!object) return std::unexpected(object.error());
        object->info.attributes.tags = tags;
        return append_meta(group, *object);
      });
}

Async<void> LocalStore::set_acl(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                                std::string acl) {
  co_return co_await state_->sequencer->submit(
      [bucket, key, version, acl = std::move(acl)](WriteGroup& group) -> Result<void> {
        auto in = group.find_bucket(bucket);
        if (!in) return std::unexpected(in.error());
        auto object = find_object(group.catalogue(), in->id, key, version);
        if (!object) return std::unexpected(object.error());
        object->info.acl = acl;
        return append_meta(group, *object);
      });
}

Async<void> LocalStore::set_lock(LockRequest request) {
  co_return co_await state_->sequencer->submit(
      [request = std::move(request)](WriteGroup& group) -> Result<void> {
        auto in = group.find_bucket(request.bucket);
        if (!in) return std::unexpected(in.error());
        auto object = find_object(group.catalogue(), in->id, request.key, request.version);
        if (!object) return std::unexpected(object.error());
        auto next = change_lock(object->info.retention, request, group.clock().now());
        if (!next) return std::unexpected(next.error());
        auto lockable = check_retention_on(*in, *next);
        if (!lockable) return lockable;
        object->info.retention = *next;
        return append_meta(group, *object);
      });
}

}  // namespace holdfast::store
