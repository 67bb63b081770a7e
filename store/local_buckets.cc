#include <utility>

#include "s3/names.h"
#include "store/local_rows.h"
#include "store/local_state.h"
#include "store/quota.h"

namespace holdfast::store {

namespace {

Result<void> abort_uploads_of(WriteGroup& group, std::uint64_t bucket) {
  for (;;) {
    auto page = group.catalogue().list_uploads({bucket, {}, {}, {}, {}, 1000});
    if (!page) return std::unexpected(page.error());
    if (page->uploads.empty()) return {};
    for (const auto& upload : page->uploads) {
      auto done = group.append(AbortUploadOp{upload.id});
      if (!done) return std::unexpected(done.error());
    }
  }
}

// Object Lock may come to a bucket later, and never goes.
Result<void> check_lock_document(const index::BucketRow& bucket, std::string_view text) {
  if (text.empty()) {
    return fail(ErrorCode::conflict, "Object Lock of bucket {} cannot be taken away", bucket.name);
  }
  if (static_cast<Versioning>(bucket.versioning) == Versioning::enabled) return {};
  return fail(ErrorCode::conflict, "Object Lock needs versioning, which bucket {} has not enabled",
              bucket.name);
}

}  // namespace

Async<void> LocalStore::create_bucket(BucketName name, bool object_lock) {
  if (auto valid = s3::validate_bucket_name(name.value); !valid) co_return valid;
  co_return co_await state_->sequencer->submit([name,
                                                object_lock](WriteGroup& group) -> Result<void> {
    auto known = group.catalogue().find_bucket(name.value);
    if (!known) return std::unexpected(known.error());
    if (*known) return fail(ErrorCode::bucket_exists, "bucket {} exists", name.value);
    auto done =
        group.append(CreateBucketOp{name.value, to_nanoseconds(group.clock().now()), object_lock});
    if (!done) return std::unexpected(done.error());
    return {};
  });
}

Async<void> LocalStore::delete_bucket(BucketName name) {
  co_return co_await state_->sequencer->submit([name](WriteGroup& group) -> Result<void> {
    auto bucket = group.find_bucket(name);
    if (!bucket) return std::unexpected(bucket.error());
    auto empty = group.catalogue().holds_no_version(bucket->id);
    if (!empty) return std::unexpected(empty.error());
    if (!*empty) {
      return fail(ErrorCode::bucket_not_empty, "bucket {} still holds versions", name.value);
    }
    if (auto ended = abort_uploads_of(group, bucket->id); !ended) return ended;
    auto done = group.append(DeleteBucketOp{bucket->id});
    if (!done) return std::unexpected(done.error());
    return {};
  });
}

Async<std::vector<BucketInfo>> LocalStore::list_buckets() {
  auto snapshot = state_->readers.snapshot();
  if (!snapshot) co_return std::unexpected(snapshot.error());
  auto rows = (*snapshot)->buckets();
  if (!rows) co_return std::unexpected(rows.error());
  std::vector<BucketInfo> all;
  for (const auto& row : *rows) {
    auto usage = (*snapshot)->usage(row.id);
    if (!usage) co_return std::unexpected(usage.error());
    all.push_back(to_bucket_info(row));
    all.back().usage = BucketUsage{usage->bytes, usage->objects};
  }
  co_return all;
}

Async<BucketInfo> LocalStore::head_bucket(BucketName name) {
  auto snapshot = state_->readers.snapshot();
  if (!snapshot) co_return std::unexpected(snapshot.error());
  auto row = find_bucket(**snapshot, name);
  if (!row) co_return std::unexpected(row.error());
  auto usage = (*snapshot)->usage(row->id);
  if (!usage) co_return std::unexpected(usage.error());
  BucketInfo info = to_bucket_info(*row);
  info.usage = BucketUsage{usage->bytes, usage->objects};
  co_return info;
}

Async<void> LocalStore::set_versioning(BucketName name, Versioning versioning) {
  co_return co_await state_->sequencer->submit(
      [name, versioning](WriteGroup& group) -> Result<void> {
        auto bucket = group.find_bucket(name);
        if (!bucket) return std::unexpected(bucket.error());
        const auto present = static_cast<Versioning>(bucket->versioning);
        if (present == versioning) return {};
        if (versioning == Versioning::unversioned) {
          return fail(ErrorCode::invalid_argument, "versioning can be suspended, never taken away");
        }
        if (versioning != Versioning::enabled && bucket->object_lock) {
          return fail(ErrorCode::conflict, "bucket {} has Object Lock, which needs versioning",
                      name.value);
        }
        auto done = group.append(SetVersioningOp{bucket->id, versioning});
        if (!done) return std::unexpected(done.error());
        return {};
      });
}

Async<std::string> LocalStore::bucket_document(BucketName name, BucketDocument kind) {
  auto snapshot = state_->readers.snapshot();
  if (!snapshot) co_return std::unexpected(snapshot.error());
  auto bucket = find_bucket(**snapshot, name);
  if (!bucket) co_return std::unexpected(bucket.error());
  auto text = (*snapshot)->document(bucket->id, std::to_underlying(kind));
  if (!text) co_return std::unexpected(text.error());
  if (*text) co_return std::move(**text);
  co_return fail(ErrorCode::not_found, "bucket {} has no such configuration", name.value);
}

Async<void> LocalStore::set_bucket_document(BucketName name, BucketDocument kind,
                                            std::string text) {
  if (kind == BucketDocument::quota && !text.empty()) {
    if (auto quota = parse_quota(text); !quota) co_return std::unexpected(quota.error());
  }
  const std::size_t bytes = text.size();
  co_return co_await state_->sequencer->submit(
      [name, kind, text = std::move(text)](WriteGroup& group) -> Result<void> {
        auto bucket = group.find_bucket(name);
        if (!bucket) return std::unexpected(bucket.error());
        if (kind == BucketDocument::object_lock) {
          if (auto allowed = check_lock_document(*bucket, text); !allowed) return allowed;
        }
        auto done = group.append(SetDocumentOp{bucket->id, kind, text});
        if (!done) return std::unexpected(done.error());
        return {};
      },
      bytes);
}

}  // namespace holdfast::store
