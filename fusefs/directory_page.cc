#include "fusefs/directory_page.h"

#include <cstring>

#include "fusefs/wire.h"

namespace holdfast::fusefs {

namespace {

std::size_t item_bytes(std::string_view name) {
  return FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + name.size());
}

}  // namespace

bool DirectoryPage::fits_with_entry(std::string_view name) const {
  return bytes_.size() + sizeof(fuse_entry_out) + item_bytes(name) <= limit_;
}

bool DirectoryPage::add(const DirectoryItem& item) {
  if (bytes_.size() + item_bytes(item.name) > limit_) return false;
  append_item(item);
  return true;
}

bool DirectoryPage::add(const DirectoryItem& item, const Entry& entry) {
  if (!fits_with_entry(item.name)) return false;
  const auto wire = to_wire(entry);
  const std::size_t at = bytes_.size();
  bytes_.resize(at + sizeof(wire));
  std::memcpy(bytes_.data() + at, &wire, sizeof(wire));
  append_item(item);
  return true;
}

void DirectoryPage::append_item(const DirectoryItem& item) {
  const std::size_t at = bytes_.size();
  bytes_.resize(at + item_bytes(item.name));  // zeroes the padding
  fuse_dirent head{};
  head.ino = item.inode_number;
  head.off = static_cast<std::uint64_t>(item.next_offset);
  head.namelen = static_cast<std::uint32_t>(item.name.size());
  head.type = (item.mode & S_IFMT) >> 12;
  std::memcpy(bytes_.data() + at, &head, FUSE_NAME_OFFSET);
  std::memcpy(bytes_.data() + at + FUSE_NAME_OFFSET, item.name.data(), item.name.size());
}

}  // namespace holdfast::fusefs
