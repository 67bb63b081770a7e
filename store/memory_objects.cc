#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "s3/names.h"
#include "store/body_intake.h"
#include "store/conditions.h"
#include "store/memory_state.h"
#include "store/object_lock.h"

namespace holdfast::store {

Async<PutResult> MemoryStore::put(PutRequest request, BodyReader& body) {
  if (auto valid = s3::validate_key(request.key.value); !valid)
    co_return std::unexpected(valid.error());
  if (auto known = state_->find(request.bucket); !known) co_return std::unexpected(known.error());
  auto taken = co_await take_body(
      body, IntakeRules{request.size, request.md5, request.expected, request.compute});
  if (!taken) co_return std::unexpected(taken.error());
  // The body took time: the bucket is looked up again, and only now are conditions judged.
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  const StoredVersion* current = current_version(**bucket, request.key);
  auto held = check_write(request.conditions, current ? &current->info : nullptr, request.key);
  if (!held) co_return std::unexpected(held.error());
  auto lockable = settle_retention(**bucket, request.retention, state_->clock.now());
  if (!lockable) co_return std::unexpected(lockable.error());

  StoredVersion version;
  version.info.key = std::move(request.key);
  version.info.etag = ETag(to_hex(as_bytes(taken->md5)));
  version.info.size = taken->bytes.size();
  version.info.attributes = std::move(request.attributes);
  version.info.checksums = std::move(taken->checksums);
  version.info.retention = request.retention;
  version.info.uploader = std::move(request.uploader);
  version.info.acl = std::move(request.acl);
  if (auto room = check_room_for(**bucket, version.info); !room) {
    co_return std::unexpected(room.error());
  }
  version.bytes = std::make_shared<const std::string>(std::move(taken->bytes));
  co_return to_put_result(state_->commit(**bucket, std::move(version)));
}

Async<GetResult> MemoryStore::get(GetRequest request) {
  auto found = state_->find_version(request.bucket, request.key, request.version);
  if (!found) co_return std::unexpected(found.error());
  const StoredVersion& version = **found;
  if (auto held = check_read(request.conditions, version.info); !held) {
    co_return std::unexpected(held.error());
  }
  auto window = resolve_window(request.range, request.part_number, version.info);
  if (!window) co_return std::unexpected(window.error());
  GetResult result{version.info, window->first, window->length, window->partial, std::string()};
  result.body = version.bytes->substr(window->first, window->length);
  co_return result;
}

Async<GetResult> MemoryStore::head(GetRequest request) {
  auto found = state_->find_version(request.bucket, request.key, request.version);
  if (!found) co_return std::unexpected(found.error());
  const ObjectInfo& info = (*found)->info;
  if (auto held = check_read(request.conditions, info); !held) {
    co_return std::unexpected(held.error());
  }
  auto window = resolve_window(request.range, request.part_number, info);
  if (!window) co_return std::unexpected(window.error());
  co_return GetResult{info, window->first, window->length, window->partial, std::string()};
}

Async<DeleteResult> MemoryStore::remove(DeleteRequest request) {
  co_return state_->remove(request);
}

boost::asio::awaitable<std::vector<Result<DeleteResult>>> MemoryStore::remove_many(
    std::vector<DeleteRequest> requests) {
  std::vector<Result<DeleteResult>> answers;
  answers.reserve(requests.size());
  for (const auto& request : requests) {
    if (requests.size() > 1000) {
      answers.push_back(fail(ErrorCode::malformed, "at most 1000 keys are removed at once"));
    } else {
      answers.push_back(state_->remove(request));
    }
  }
  co_return answers;
}

Async<PutResult> MemoryStore::copy(CopyRequest request) {
  if (auto valid = s3::validate_key(request.key.value); !valid)
    co_return std::unexpected(valid.error());
  auto source =
      state_->find_version(request.source_bucket, request.source_key, request.source_version);
  if (!source) co_return std::unexpected(source.error());
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  auto readable = check_copy_source(request.source_conditions, (*source)->info);
  if (!readable) co_return std::unexpected(readable.error());
  const StoredVersion* current = current_version(**bucket, request.key);
  auto held = check_write(request.conditions, current ? &current->info : nullptr, request.key);
  if (held) held = settle_retention(**bucket, request.retention, state_->clock.now());
  if (!held) co_return std::unexpected(held.error());

  StoredVersion version = **source;  // shares the bytes
  version.info.key = std::move(request.key);
  version.info.retention = request.retention;
  version.info.upload = {};
  version.info.uploader = std::move(request.uploader);
  version.info.acl = std::move(request.acl);
  if (auto room = check_room_for(**bucket, version.info); !room) {
    co_return std::unexpected(room.error());
  }
  if (request.replace) version.info.attributes = std::move(*request.replace);
  auto computed = check_bytes(*version.bytes, IntakeRules{.compute = std::move(request.compute)});
  if (!computed) co_return std::unexpected(computed.error());
  for (auto& checksum : computed->checksums) {
    std::erase_if(version.info.checksums,
                  [&](const Checksum& old) { return old.algorithm == checksum.algorithm; });
    version.info.checksums.push_back(std::move(checksum));
  }
  co_return to_put_result(state_->commit(**bucket, std::move(version)));
}

Async<void> MemoryStore::set_tags(BucketName bucket, ObjectKey key,
                                  std::optional<VersionId> version,
                                  std::map<std::string, std::string> tags) {
  auto found = state_->find_version(bucket, key, version);
  if (!found) co_return std::unexpected(found.error());
  (*found)->info.attributes.tags = std::move(tags);
  co_return Result<void>();
}

Async<void> MemoryStore::set_acl(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                                 std::string acl) {
  auto found = state_->find_version(bucket, key, version);
  if (!found) co_return std::unexpected(found.error());
  (*found)->info.acl = std::move(acl);
  co_return Result<void>();
}

Async<void> MemoryStore::set_lock(LockRequest request) {
  auto found = state_->find_version(request.bucket, request.key, request.version);
  if (!found) co_return std::unexpected(found.error());
  Retention& present = (*found)->info.retention;
  auto next = change_lock(present, request, state_->clock.now());
  if (!next) co_return std::unexpected(next.error());
  auto lockable = check_retention(**state_->find(request.bucket), *next);
  if (!lockable) co_return std::unexpected(lockable.error());
  present = *next;
  co_return Result<void>();
}

}  // namespace holdfast::store
