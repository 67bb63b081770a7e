#include <algorithm>
#include <chrono>
#include <ranges>
#include <utility>

#include "store/conditions.h"
#include "store/memory_state.h"

namespace holdfast::store {
namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// Where a listing that stopped at `marker` goes on: behind it, or behind all that a common prefix
// rolled up.
template <class Map>
auto first_after(const Map& map, const std::string& prefix, const std::string& delimiter,
                 const std::string& marker) {
  if (marker < prefix || marker.empty()) return map.lower_bound(prefix);
  if (starts_with(marker, prefix) && common_prefix_of(marker, prefix, delimiter) == marker) {
    const auto next = after_prefix(marker);
    return next ? map.lower_bound(*next) : map.end();
  }
  return map.upper_bound(marker);
}

template <class Map>
auto skip_prefix(const Map& map, const std::string& common) {
  const auto next = after_prefix(common);
  return next ? map.lower_bound(*next) : map.end();
}

}  // namespace

Async<ListPage> MemoryStore::list(ListRequest request) {
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  const auto& keys = (*bucket)->keys;
  ListPage page;
  if (request.max_keys == 0) co_return page;
  auto at = first_after(keys, request.prefix, request.delimiter, request.start_after);
  while (at != keys.end() && starts_with(at->first, request.prefix)) {
    const ObjectInfo& info = at->second.front().info;
    if (info.delete_marker) {
      ++at;
      continue;
    }
    if (page.objects.size() + page.common_prefixes.size() == request.max_keys) {
      page.truncated = true;
      co_return page;
    }
    auto common = common_prefix_of(at->first, request.prefix, request.delimiter);
    if (common) {
      at = skip_prefix(keys, *common);
      page.next = *common;
      page.common_prefixes.push_back(std::move(*common));
    } else {
      page.next = at->first;
      page.objects.push_back(info);
      ++at;
    }
  }
  page.next.clear();
  co_return page;
}

Async<ListVersionsPage> MemoryStore::list_versions(ListVersionsRequest request) {
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  const auto& keys = (*bucket)->keys;
  ListVersionsPage page;
  if (request.max_keys == 0) co_return page;
  auto at = first_after(keys, request.prefix, request.delimiter, request.key_marker);
  std::size_t skip = 0;
  if (request.version_marker && !request.version_marker->empty()) {
    const auto marked = keys.find(request.key_marker);
    if (marked != keys.end() && starts_with(marked->first, request.prefix)) {
      at = marked;
      // A marker that was removed meanwhile starts its key again: twice is better than never.
      for (std::size_t i = 0; i < marked->second.size(); ++i) {
        if (marked->second[i].info.version == *request.version_marker) skip = i + 1;
      }
    }
  }
  for (; at != keys.end() && starts_with(at->first, request.prefix); skip = 0) {
    const auto common = common_prefix_of(at->first, request.prefix, request.delimiter);
    for (std::size_t i = skip; i < (common ? 1 : at->second.size()); ++i) {
      if (page.versions.size() + page.common_prefixes.size() == request.max_keys) {
        page.truncated = true;
        co_return page;
      }
      page.next_key = common ? *common : at->first;
      page.next_version = common ? VersionId() : at->second[i].info.version;
      if (common) {
        page.common_prefixes.push_back(*common);
      } else {
        page.versions.push_back(at->second[i].info);
      }
    }
    at = common ? skip_prefix(keys, *common) : std::next(at);
  }
  page.next_key.clear();
  page.next_version = VersionId();
  co_return page;
}

Async<ListUploadsPage> MemoryStore::list_uploads(ListUploadsRequest request) {
  auto bucket = state_->find(request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  ListUploadsPage page;
  if (request.max_uploads == 0) co_return page;
  std::string skipped;  // the common prefix given last
  for (const auto& [name, upload] : (*bucket)->uploads) {
    const auto& [key, id] = name;
    if (!starts_with(key, request.prefix)) continue;
    if (!skipped.empty() && starts_with(key, skipped)) continue;
    if (key < request.key_marker) continue;
    if (key == request.key_marker &&
        (request.upload_marker.empty() || id <= request.upload_marker)) {
      continue;
    }
    auto common = common_prefix_of(key, request.prefix, request.delimiter);
    if (common && *common == request.key_marker) continue;
    if (page.uploads.size() + page.common_prefixes.size() == request.max_uploads) {
      page.truncated = true;
      co_return page;
    }
    page.next_key = common ? *common : key;
    page.next_upload = common ? std::string() : id;
    if (common) {
      skipped = *common;
      page.common_prefixes.push_back(std::move(*common));
    } else {
      page.uploads.push_back(upload.info);
    }
  }
  page.next_key.clear();
  page.next_upload.clear();
  co_return page;
}

namespace {

// What the feed holds after `after`, without waiting.
ChangesPage read_feed(const StoredBucket& bucket, const ChangesRequest& request,
                      std::uint64_t end) {
  ChangesPage page;
  page.next = end;
  if (!request.after) return page;
  if (*request.after < bucket.feed_after || *request.after > end) {
    page.reset = true;
    return page;
  }
  const auto begin = std::ranges::upper_bound(bucket.feed, *request.after, {}, &Change::sequence);
  for (const auto& change : std::ranges::subrange(begin, bucket.feed.end())) {
    if (!starts_with(change.key.value, request.prefix)) continue;
    if (page.changes.size() == request.limit) {
      page.next = page.changes.empty() ? *request.after : page.changes.back().sequence;
      return page;
    }
    page.changes.push_back(change);
  }
  return page;
}

}  // namespace

Async<ChangesPage> MemoryStore::changes(ChangesRequest request) {
  auto found = state_->find(request.bucket);
  if (!found) co_return std::unexpected(found.error());
  const auto bucket = state_->buckets.find(request.bucket.value)->second;
  // The wait runs on the executor's timers, so it is measured by the same clock as they are.
  const auto deadline = std::chrono::steady_clock::now() + request.wait;
  for (;;) {
    if (bucket->deleted) {
      co_return fail(ErrorCode::no_such_bucket, "bucket {} was deleted", request.bucket.value);
    }
    ChangesPage page = read_feed(*bucket, request, state_->sequence);
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (!request.after || page.reset || !page.changes.empty() || left.count() <= 0) co_return page;
    co_await bucket->news.wait(left);
  }
}

}  // namespace holdfast::store
