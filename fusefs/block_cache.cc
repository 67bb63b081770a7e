#include "fusefs/block_cache.h"

#include <algorithm>

namespace holdfast::fusefs {

BlockCache::BlockCache(boost::asio::any_io_executor executor, std::size_t limit_bytes)
    : executor_(std::move(executor)),
      limit_blocks_(std::max<std::size_t>(limit_bytes / block_bytes, 8)) {}

BlockPtr BlockCache::find(std::uint64_t content, std::uint64_t index) {
  const auto found = entries_.find(Key{content, index});
  if (found == entries_.end()) return nullptr;
  if (found->second.block->failure) {
    recent_.erase(found->second.recent);
    entries_.erase(found);
    return nullptr;
  }
  recent_.splice(recent_.end(), recent_, found->second.recent);
  return found->second.block;
}

BlockPtr BlockCache::add(std::uint64_t content, std::uint64_t index) {
  while (recent_.size() >= limit_blocks_) {
    entries_.erase(recent_.front());
    recent_.pop_front();
  }
  const Key key{content, index};
  auto block = std::make_shared<Block>(executor_);
  entries_[key] = {block, recent_.insert(recent_.end(), key)};
  return block;
}

}  // namespace holdfast::fusefs
