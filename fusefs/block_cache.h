// BlockCache: blocks of objects in memory, bounded, least recently used dropped first. A block is
// asked for once, however many wait for it. Lives on one strand.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/event.h"

namespace holdfast::fusefs {

inline constexpr std::uint64_t block_bytes = 256u << 10;

struct Block {
  explicit Block(boost::asio::any_io_executor executor) : arrived(std::move(executor)) {}
  bool loaded = false;
  std::optional<Error> failure;
  std::string bytes;
  Event arrived;
  bool settled() const { return loaded || failure.has_value(); }
};
using BlockPtr = std::shared_ptr<Block>;

class BlockCache {
 public:
  BlockCache(boost::asio::any_io_executor executor, std::size_t limit_bytes);

  // The block if it is here or on its way; one that failed is forgotten and not answered.
  BlockPtr find(std::uint64_t content, std::uint64_t index);
  // A new block to fill; older ones make room.
  BlockPtr add(std::uint64_t content, std::uint64_t index);
  std::size_t blocks() const { return entries_.size(); }

 private:
  struct Key {
    std::uint64_t content;
    std::uint64_t index;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return (key.content * 0x9E3779B97F4A7C15ull) ^ key.index;
    }
  };
  struct Entry {
    BlockPtr block;
    std::list<Key>::iterator recent;
  };
  boost::asio::any_io_executor executor_;
  std::size_t limit_blocks_;
  std::unordered_map<Key, Entry, KeyHash> entries_;
  std::list<Key> recent_;  // least recently used first
};

}  // namespace holdfast::fusefs
