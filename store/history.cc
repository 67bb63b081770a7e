#include "store/history.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace holdfast::store {

VersionScanner::VersionScanner(ObjectStore& store, BucketName bucket, std::string name, Scope scope)
    : store_(store), scope_(scope) {
  request_.bucket = std::move(bucket);
  request_.prefix = std::move(name);
  if (scope == Scope::key) request_.max_keys = 100;
}

Async<std::optional<ObjectInfo>> VersionScanner::next() {
  while (page_.empty() && !last_page_) {
    auto page = co_await store_.list_versions(request_);
    if (!page) co_return std::unexpected(page.error());
    std::ranges::move(page->versions, std::back_inserter(page_));
    last_page_ = !page->truncated;
    if (page->truncated && page->next_key.empty()) {
      co_return fail(ErrorCode::malformed,
                     "a listing of versions says neither its end nor its next");
    }
    request_.key_marker = std::move(page->next_key);
    request_.version_marker.reset();
    if (!page->next_version.empty()) request_.version_marker = std::move(page->next_version);
  }
  if (page_.empty()) co_return std::nullopt;
  // A key sorts before all that it is a prefix of.
  if (scope_ == Scope::key && page_.front().key.value != request_.prefix) {
    page_.clear();
    last_page_ = true;
    co_return std::nullopt;
  }
  std::optional<ObjectInfo> info = std::move(page_.front());
  page_.pop_front();
  co_return info;
}

Async<std::vector<ObjectInfo>> history(ObjectStore& store, BucketName bucket, ObjectKey key,
                                       std::size_t limit) {
  VersionScanner scanner(store, std::move(bucket), key.value, VersionScanner::Scope::key);
  std::vector<ObjectInfo> versions;
  while (versions.size() < limit) {
    auto version = co_await scanner.next();
    if (!version) co_return std::unexpected(version.error());
    if (!*version) break;
    versions.push_back(std::move(**version));
  }
  co_return versions;
}

Async<DeletedPage> list_deleted(ObjectStore& store, BucketName bucket, std::string prefix,
                                std::size_t limit) {
  VersionScanner scanner(store, std::move(bucket), std::move(prefix),
                         VersionScanner::Scope::prefix);
  DeletedPage page;
  std::optional<std::string> key;  // whose versions are being read
  bool deleted = false;
  for (;;) {
    auto version = co_await scanner.next();
    if (!version) co_return std::unexpected(version.error());
    if (!*version) co_return page;
    ObjectInfo& info = **version;
    if (key != info.key.value) {
      key = info.key.value;
      deleted = info.delete_marker;
      if (!deleted) continue;
      if (page.objects.size() == limit) {
        page.truncated = true;
        co_return page;
      }
      page.objects.push_back({std::move(info.key), info.modified, std::move(info.version)});
      continue;
    }
    if (!deleted || info.delete_marker) continue;
    DeletedObject& object = page.objects.back();
    if (!object.version.empty()) continue;
    object.version = std::move(info.version);
    object.modified = info.modified;
    object.etag = std::move(info.etag);
    object.size = info.size;
  }
}

std::vector<DeletedDirectory> group_by_directory(std::span<const DeletedObject> objects) {
  std::map<std::string, DeletedDirectory, std::less<>> groups;
  for (const auto& object : objects) {
    const std::string& key = object.key.value;
    const std::string directory = key.substr(0, key.rfind('/') + 1);
    auto [at, fresh] = groups.try_emplace(directory);
    DeletedDirectory& group = at->second;
    if (fresh) group = {directory, 0, 0, object.deleted, object.deleted};
    group.first = std::min(group.first, object.deleted);
    group.last = std::max(group.last, object.deleted);
    if (key.ends_with('/')) continue;
    ++group.files;
    group.bytes += object.size;
  }
  std::vector<DeletedDirectory> all;
  for (auto& [name, group] : groups) all.push_back(std::move(group));
  return all;
}

}  // namespace holdfast::store
