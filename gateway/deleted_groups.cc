#include "gateway/deleted_groups.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace holdfast::gateway {
namespace {

constexpr std::chrono::minutes burst_gap{1};

// Remembers which directories still hold something, one look each.
class LiveDirectories {
 public:
  LiveDirectories(store::ObjectStore& store, BucketName bucket)
      : store_(store), bucket_(std::move(bucket)) {}

  store::Async<bool> holds_something(std::string directory) {
    if (const auto known = live_.find(directory); known != live_.end()) co_return known->second;
    auto page = co_await store_.list({.bucket = bucket_,
                                      .prefix = directory,
                                      .delimiter = {},
                                      .start_after = {},
                                      .max_keys = 1});
    if (!page) co_return std::unexpected(page.error());
    const bool found = !page->objects.empty();
    live_.emplace(std::move(directory), found);
    co_return found;
  }

 private:
  store::ObjectStore& store_;
  BucketName bucket_;
  std::unordered_map<std::string, bool> live_;
};

// The topmost directory below `prefix` that vanished with the key, else the key itself.
store::Async<std::string> vanished_root(LiveDirectories& live, std::string key,
                                        std::size_t prefix_bytes) {
  for (auto slash = key.find('/', prefix_bytes); slash != std::string::npos;
       slash = key.find('/', slash + 1)) {
    std::string directory = key.substr(0, slash + 1);
    auto alive = co_await live.holds_something(directory);
    if (!alive) co_return std::unexpected(alive.error());
    if (!*alive) co_return directory;
  }
  co_return key;
}

std::vector<DeletedGroup> bursts(const std::string& path,
                                 std::vector<const store::DeletedObject*> objects) {
  std::ranges::sort(objects, {}, [](const auto* object) { return object->deleted; });
  std::vector<DeletedGroup> groups;
  for (const auto* object : objects) {
    if (groups.empty() || object->deleted - groups.back().last > burst_gap) {
      groups.push_back({.path = path,
                        .directory = path.ends_with('/'),
                        .first = object->deleted,
                        .last = object->deleted});
    }
    auto& group = groups.back();
    group.last = object->deleted;
    if (object->key.value.ends_with('/')) continue;
    ++group.count;
    group.bytes += object->size;
  }
  return groups;
}

}  // namespace

store::Async<std::vector<DeletedGroup>> deleted_groups(store::ObjectStore& store, BucketName bucket,
                                                       std::string prefix) {
  auto page = co_await store::list_deleted(store, bucket, prefix);
  if (!page) co_return std::unexpected(page.error());
  LiveDirectories live(store, bucket);
  std::map<std::string, std::vector<const store::DeletedObject*>> by_root;
  for (const auto& object : page->objects) {
    auto root = co_await vanished_root(live, object.key.value, prefix.size());
    if (!root) co_return std::unexpected(root.error());
    by_root[*root].push_back(&object);
  }
  std::vector<DeletedGroup> groups;
  for (auto& [path, objects] : by_root) {
    for (auto& group : bursts(path, std::move(objects))) groups.push_back(std::move(group));
  }
  std::ranges::sort(groups, std::ranges::greater{}, &DeletedGroup::last);
  co_return groups;
}

}  // namespace holdfast::gateway
