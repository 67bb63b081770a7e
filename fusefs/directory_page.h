// DirectoryPage: one READDIR or READDIRPLUS answer, filled entry by entry. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "fusefs/reply.h"

namespace holdfast::fusefs {

struct DirectoryItem {
  std::string_view name;
  std::uint64_t inode_number = 0;
  std::uint32_t mode = 0;        // only the type bits count
  std::int64_t next_offset = 0;  // where a later READDIR goes on behind this one
};

class DirectoryPage {
 public:
  explicit DirectoryPage(std::size_t limit_bytes) : limit_(limit_bytes) {}

  // False when the page is full; the item was not taken then.
  bool add(const DirectoryItem& item);
  // With what a lookup of it would have answered; node 0: only the name.
  bool add(const DirectoryItem& item, const Entry& entry);
  bool fits_with_entry(std::string_view name) const;
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  void append_item(const DirectoryItem& item);
  std::size_t limit_;
  std::vector<std::byte> bytes_;
};

}  // namespace holdfast::fusefs
