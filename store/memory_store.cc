#include "store/memory_store.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "s3/names.h"
#include "store/body_intake.h"
#include "store/conditions.h"
#include "store/memory_state.h"
#include "store/object_lock.h"

namespace holdfast::store {

const StoredVersion* current_version(const StoredBucket& bucket, const ObjectKey& key) {
  const auto found = bucket.keys.find(key.value);
  if (found == bucket.keys.end() || found->second.front().info.delete_marker) return nullptr;
  return &found->second.front();
}

PutResult to_put_result(const ObjectInfo& info) {
  PutResult result{info.etag,     info.version, info.sequence,
                   info.modified, info.size,    info.checksums};
  if (result.version.value == "null") result.version = VersionId();
  return result;
}

Result<void> check_retention(const StoredBucket& bucket, const Retention& retention) {
  if (bucket.info.object_lock) return {};
  if (retention.mode == Retention::Mode::none && !retention.legal_hold) return {};
  return fail(ErrorCode::invalid_argument, "bucket {} was made without Object Lock",
              bucket.info.name.value);
}

Result<void> settle_retention(const StoredBucket& bucket, Retention& retention, TimePoint now) {
  if (auto lockable = check_retention(bucket, retention); !lockable) return lockable;
  const auto text = bucket.documents.find(BucketDocument::object_lock);
  if (!bucket.info.object_lock || retention.mode != Retention::Mode::none ||
      text == bucket.documents.end()) {
    return {};
  }
  auto given = default_retention(text->second, now);
  if (!given) return std::unexpected(given.error());
  retention.mode = given->mode;
  retention.until = given->until;
  return {};
}

BucketUsage usage_of(const StoredBucket& bucket) {
  BucketUsage usage;
  for (const auto& [key, versions] : bucket.keys) {
    for (const auto& version : versions) {
      usage.bytes += version.info.size;
      if (!version.info.delete_marker) ++usage.objects;
    }
  }
  for (const auto& [key, upload] : bucket.uploads) {
    for (const auto& [number, part] : upload.parts) usage.bytes += part.info.size;
  }
  return usage;
}

Result<void> check_room(const StoredBucket& bucket, const UsageChange& change) {
  const auto text = bucket.documents.find(BucketDocument::quota);
  if (text == bucket.documents.end()) return {};
  auto quota = parse_quota(text->second);
  if (!quota) return std::unexpected(quota.error());
  return check_quota(*quota, usage_of(bucket), change);
}

Result<void> check_room_for(const StoredBucket& bucket, const ObjectInfo& added) {
  UsageChange change{{added.size, 1}, {}};
  const auto found = bucket.keys.find(added.key.value);
  if (bucket.info.versioning != Versioning::enabled && found != bucket.keys.end()) {
    for (const auto& old : found->second) {
      if (old.info.version.value != "null" || old.info.delete_marker) continue;
      change.replaced = {old.info.size, 1};
    }
  }
  return check_room(bucket, change);
}

// --- State

Result<StoredBucket*> MemoryStore::State::find(const BucketName& name) const {
  const auto found = buckets.find(name.value);
  if (found == buckets.end()) {
    return fail(ErrorCode::no_such_bucket, "bucket {} does not exist", log_field(name.value));
  }
  return found->second.get();
}

Result<StoredVersion*> MemoryStore::State::find_version(
    const BucketName& bucket, const ObjectKey& key, const std::optional<VersionId>& version) const {
  auto in = find(bucket);
  if (!in) return std::unexpected(in.error());
  const auto found = (*in)->keys.find(key.value);
  if (!version) {
    if (found == (*in)->keys.end() || found->second.front().info.delete_marker) {
      return fail(ErrorCode::no_such_key, "{} does not exist", log_field(key.value));
    }
    return &found->second.front();
  }
  if (found != (*in)->keys.end()) {
    for (auto& stored : found->second) {
      if (stored.info.version != *version) continue;
      if (!stored.info.delete_marker) return &stored;
      return fail(ErrorCode::method_not_allowed, "version {} of {} is a delete marker",
                  log_field(version->value), log_field(key.value));
    }
  }
  return fail(ErrorCode::no_such_version, "{} has no version {}", log_field(key.value),
              log_field(version->value));
}

const ObjectInfo& MemoryStore::State::commit(StoredBucket& bucket, StoredVersion version) {
  ObjectInfo& info = version.info;
  info.sequence = ++sequence;
  info.modified = clock.now();
  info.latest = true;
  auto& versions = bucket.keys[info.key.value];
  if (bucket.info.versioning == Versioning::enabled) {
    info.version = VersionId(random.hex(16));
  } else {
    info.version = VersionId("null");
    std::erase_if(versions, [](const auto& old) { return old.info.version.value == "null"; });
  }
  if (!versions.empty()) versions.front().info.latest = false;
  const auto placed = versions.insert(versions.begin(), std::move(version));
  note(bucket, placed->info.delete_marker ? ChangeKind::delete_marker : ChangeKind::put,
       placed->info);
  return placed->info;
}

void MemoryStore::State::note(StoredBucket& bucket, ChangeKind kind, const ObjectInfo& info) {
  bucket.feed.push_back(
      {sequence, kind, info.key, info.version, info.etag, info.size, clock.now()});
  if (bucket.feed.size() > options.feed_entries) {
    bucket.feed_after = bucket.feed.front().sequence;
    bucket.feed.pop_front();
  }
  bucket.news.notify();
}

Result<DeleteResult> MemoryStore::State::remove_version(StoredBucket& bucket,
                                                        const DeleteRequest& request) {
  const VersionId wanted = request.version.value_or(VersionId("null"));
  DeleteResult result;
  if (request.version) result.version = wanted;
  const auto found = bucket.keys.find(request.key.value);
  if (found == bucket.keys.end()) return result;
  auto& versions = found->second;
  const auto at = std::ranges::find_if(
      versions, [&](const auto& stored) { return stored.info.version == wanted; });
  if (at == versions.end()) return result;
  if (auto unlocked = check_unlocked(at->info, clock.now(), request.bypass_governance); !unlocked) {
    return std::unexpected(unlocked.error());
  }
  const ObjectInfo removed = std::move(at->info);
  versions.erase(at);
  if (versions.empty()) {
    bucket.keys.erase(found);
  } else {
    versions.front().info.latest = true;
  }
  result.sequence = ++sequence;
  result.delete_marker = removed.delete_marker;
  note(bucket, ChangeKind::version_removed, removed);
  return result;
}

namespace {

// Markers too; null where there is none.
const StoredVersion* named_version(const StoredBucket& bucket, const ObjectKey& key,
                                   const std::optional<VersionId>& version) {
  const auto found = bucket.keys.find(key.value);
  if (found == bucket.keys.end()) return nullptr;
  const auto at = std::ranges::find_if(found->second, [&](const auto& stored) {
    return !version || stored.info.version == *version;
  });
  return at == found->second.end() ? nullptr : &*at;
}

}  // namespace

Result<DeleteResult> MemoryStore::State::remove(const DeleteRequest& request) {
  auto bucket = find(request.bucket);
  if (!bucket) return std::unexpected(bucket.error());
  if (auto valid = s3::validate_key(request.key.value); !valid)
    return std::unexpected(valid.error());
  if (request.if_latest) {
    const auto found = (*bucket)->keys.find(request.key.value);
    if (found == (*bucket)->keys.end() ||
        found->second.front().info.sequence != *request.if_latest) {
      return fail(ErrorCode::precondition_failed, "the key has another latest version by now");
    }
  }
  if (is_conditional(request.conditions)) {
    const StoredVersion* named = named_version(**bucket, request.key, request.version);
    if (named == nullptr) return DeleteResult{.version = request.version.value_or(VersionId())};
    auto held = check_removal(request.conditions, &named->info);
    if (!held) return std::unexpected(held.error());
  }
  if (request.version || (*bucket)->info.versioning == Versioning::unversioned) {
    return remove_version(**bucket, request);
  }
  StoredVersion marker;
  marker.info.key = request.key;
  marker.info.delete_marker = true;
  const ObjectInfo& made = commit(**bucket, std::move(marker));
  return DeleteResult{made.version, true, made.sequence};
}

// --- Buckets

MemoryStore::MemoryStore(boost::asio::any_io_executor executor, Clock& clock, Random& random,
                         MemoryStoreOptions options)
    : state_(std::make_unique<State>(std::move(executor), clock, random, options)) {}
MemoryStore::~MemoryStore() = default;

Async<void> MemoryStore::create_bucket(BucketName name, bool object_lock) {
  if (auto valid = s3::validate_bucket_name(name.value); !valid) co_return valid;
  if (state_->buckets.contains(name.value)) {
    co_return fail(ErrorCode::bucket_exists, "bucket {} exists", name.value);
  }
  auto bucket = std::make_shared<StoredBucket>(state_->executor);
  bucket->info = {name, state_->clock.now(),
                  object_lock ? Versioning::enabled : Versioning::unversioned, object_lock,
                  std::nullopt};
  state_->buckets.emplace(name.value, std::move(bucket));
  co_return Result<void>();
}

Async<void> MemoryStore::delete_bucket(BucketName name) {
  auto bucket = state_->find(name);
  if (!bucket) co_return std::unexpected(bucket.error());
  if (!(*bucket)->keys.empty()) {
    co_return fail(ErrorCode::bucket_not_empty, "bucket {} still holds versions", name.value);
  }
  (*bucket)->deleted = true;
  (*bucket)->news.notify();
  state_->buckets.erase(name.value);
  co_return Result<void>();
}

Async<std::vector<BucketInfo>> MemoryStore::list_buckets() {
  std::vector<BucketInfo> all;
  for (const auto& [name, bucket] : state_->buckets) all.push_back(bucket->info);
  co_return all;
}

Async<BucketInfo> MemoryStore::head_bucket(BucketName name) {
  auto bucket = state_->find(name);
  if (!bucket) co_return std::unexpected(bucket.error());
  BucketInfo info = (*bucket)->info;
  info.usage = usage_of(**bucket);
  co_return info;
}

Async<void> MemoryStore::set_versioning(BucketName name, Versioning versioning) {
  auto bucket = state_->find(name);
  if (!bucket) co_return std::unexpected(bucket.error());
  BucketInfo& info = (*bucket)->info;
  if (versioning == Versioning::unversioned && info.versioning != Versioning::unversioned) {
    co_return fail(ErrorCode::invalid_argument, "versioning can be suspended, never taken away");
  }
  if (versioning != Versioning::enabled && info.object_lock) {
    co_return fail(ErrorCode::conflict, "bucket {} has Object Lock, which needs versioning",
                   name.value);
  }
  info.versioning = versioning;
  co_return Result<void>();
}

Async<std::string> MemoryStore::bucket_document(BucketName name, BucketDocument kind) {
  auto bucket = state_->find(name);
  if (!bucket) co_return std::unexpected(bucket.error());
  const auto found = (*bucket)->documents.find(kind);
  if (found == (*bucket)->documents.end()) {
    co_return fail(ErrorCode::not_found, "bucket {} has no such configuration", name.value);
  }
  co_return found->second;
}

Async<void> MemoryStore::set_bucket_document(BucketName name, BucketDocument kind,
                                             std::string text) {
  auto bucket = state_->find(name);
  if (!bucket) co_return std::unexpected(bucket.error());
  if (kind == BucketDocument::object_lock) {
    if (text.empty()) co_return fail(ErrorCode::conflict, "Object Lock cannot be taken away");
    if ((*bucket)->info.versioning != Versioning::enabled) {
      co_return fail(ErrorCode::conflict, "Object Lock needs versioning, which {} has not enabled",
                     name.value);
    }
    (*bucket)->info.object_lock = true;
  }
  if (kind == BucketDocument::quota && !text.empty()) {
    if (auto quota = parse_quota(text); !quota) co_return std::unexpected(quota.error());
  }
  if (text.empty()) {
    (*bucket)->documents.erase(kind);
  } else {
    (*bucket)->documents[kind] = std::move(text);
  }
  co_return Result<void>();
}

}  // namespace holdfast::store
