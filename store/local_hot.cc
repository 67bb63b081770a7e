#include "store/local_hot.h"

#include <utility>

namespace holdfast::store {
namespace {

// Of an entry beside its strings: nodes, tables, the object itself.
constexpr std::size_t entry_overhead = 256;

std::size_t bytes_of(const HotObject& object) {
  const ObjectAttributes& attributes = object.info.attributes;
  std::size_t bytes = entry_overhead + sizeof(HotObject) + 2 * object.info.key.value.size();
  bytes += object.info.version.value.size() + object.info.etag.value.size();
  for (const auto& extent : object.extents) {
    bytes += sizeof(Extent) + 32 + extent.piece.seal.size();
  }
  bytes += object.info.checksums.size() * (sizeof(Checksum) + 48);
  bytes += object.info.part_sizes.size() * sizeof(std::uint64_t);
  bytes += attributes.content_type.size() + attributes.cache_control.size() +
           attributes.content_disposition.size() + attributes.content_encoding.size() +
           attributes.content_language.size() + attributes.expires.size();
  for (const auto* pairs : {&attributes.metadata, &attributes.tags}) {
    for (const auto& [name, value] : *pairs) bytes += name.size() + value.size() + 96;
  }
  return bytes + (object.body ? object.body->size() : 0);
}

}  // namespace

HotObjects::HotObjects(std::size_t capacity) : shard_capacity_(capacity / shard_count) {}

HotObjects::Shard& HotObjects::shard_of(std::string_view key) {
  const std::size_t hash = Hash{}(key);
  return shards_[(hash ^ (hash >> 32)) % shard_count];
}

HotObjects::Ticket HotObjects::ticket(std::string_view key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  return {shard.generation};
}

std::shared_ptr<const HotObject> HotObjects::find(const BucketName& bucket, std::string_view key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end() || found->second.object->bucket != bucket) return nullptr;
  found->second.used = true;
  return found->second.object;
}

void HotObjects::drop(Shard& shard, std::string_view key) {
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end()) return;
  shard.bytes -= found->second.bytes;
  shard.order.erase(found->second.place);
  shard.entries.erase(found);
}

void HotObjects::make_room(Shard& shard, std::size_t most) {
  while (shard.bytes > most) {
    Entry& last = shard.entries.find(shard.order.back())->second;
    if (std::exchange(last.used, false)) {
      shard.order.splice(shard.order.begin(), shard.order, last.place);
    } else {
      drop(shard, shard.order.back());
    }
  }
}

void HotObjects::keep(Ticket ticket, std::shared_ptr<const HotObject> object) {
  const std::size_t bytes = bytes_of(*object);
  if (bytes > shard_capacity_ / 4) return;
  const std::string& key = object->info.key.value;
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  if (shard.closed != 0 || shard.generation != ticket.generation) return;
  drop(shard, key);
  make_room(shard, shard_capacity_ - bytes);
  const auto [at, added] = shard.entries.try_emplace(key);
  shard.order.emplace_front(at->first);
  at->second = {std::move(object), bytes, shard.order.begin(), false};
  shard.bytes += bytes;
}

void HotObjects::forget(std::string_view key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  drop(shard, key);
}

HotObjects::ClosedKeys::ClosedKeys(HotObjects& objects, std::vector<std::string> keys)
    : objects_(objects), keys_(std::move(keys)) {
  for (const auto& key : keys_) {
    Shard& shard = objects_.shard_of(key);
    const std::lock_guard lock(shard.mutex);
    ++shard.closed;
    ++shard.generation;
    drop(shard, key);
  }
}

HotObjects::ClosedKeys::~ClosedKeys() {
  for (const auto& key : keys_) {
    Shard& shard = objects_.shard_of(key);
    const std::lock_guard lock(shard.mutex);
    --shard.closed;
    ++shard.generation;  // whoever looked while it was closed may have seen the state before
  }
}

}  // namespace holdfast::store
