#include "fusefs/inode_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace holdfast::fusefs {

namespace {

struct Handle {
  file_handle head;
  unsigned char bytes[MAX_HANDLE_SZ];
};

struct KeyHead {
  std::uint64_t device, inode;
  std::int32_t handle_type;
  std::uint32_t handle_bytes;  // 0: no handle
};

}  // namespace

InodeTable::InodeTable(Fd root, std::size_t max_descriptors)
    : root_fd_(std::move(root)), max_descriptors_(max_descriptors) {}

Result<std::unique_ptr<InodeTable>> InodeTable::open(Fd root, std::size_t max_descriptors) {
  std::unique_ptr<InodeTable> table(new InodeTable(std::move(root), max_descriptors));
  auto path_fd = open_at(table->root_fd_.get(), ".", O_PATH | O_DIRECTORY);
  if (!path_fd) return std::unexpected(path_fd.error());
  struct stat status{};
  if (::fstat(path_fd->get(), &status) != 0) return fail_errno(errno, "stat the tree");
  // Opening by handle needs CAP_DAC_READ_SEARCH and a filesystem that can: tried once, here.
  table->handles_ = true;
  auto inode = std::make_shared<Inode>();
  inode->id = root_node;
  inode->type = S_IFDIR;
  inode->key = table->key_of(path_fd->get(), status);
  inode->lookups = 1;
  table->root_ = inode;
  table->by_id_[root_node] = inode;
  table->by_key_[inode->key] = inode;
  auto again = table->pin(inode);
  table->handles_ = again.has_value();
  inode->descriptor = std::make_shared<const Fd>(std::move(*path_fd));
  return table;
}

std::string InodeTable::key_of(int fd, const struct stat& status) const {
  Handle handle{};
  handle.head.handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  KeyHead head{status.st_dev, status.st_ino, 0, 0};
  if (handles_ && ::name_to_handle_at(fd, "", &handle.head, &mount_id, AT_EMPTY_PATH) == 0) {
    head.handle_type = handle.head.handle_type;
    head.handle_bytes = handle.head.handle_bytes;
  }
  std::string key(reinterpret_cast<const char*>(&head), sizeof(head));
  key.append(reinterpret_cast<const char*>(handle.bytes), head.handle_bytes);
  return key;
}

InodePtr InodeTable::find(NodeId node) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(node);
  return found == by_id_.end() ? nullptr : found->second;
}

OrErrno<PinnedFd> InodeTable::pin(const InodePtr& inode) {
  KeyHead head;
  Handle handle{};
  {
    const std::lock_guard lock(mutex_);
    if (inode->descriptor != nullptr) {
      touch(*inode);
      return inode->descriptor;
    }
    std::memcpy(&head, inode->key.data(), sizeof(head));
    std::memcpy(handle.bytes, inode->key.data() + sizeof(head), head.handle_bytes);
  }
  handle.head.handle_type = head.handle_type;
  handle.head.handle_bytes = head.handle_bytes;
  Fd fd(::open_by_handle_at(root_fd_.get(), &handle.head, O_PATH | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return std::unexpected(errno);
  std::vector<PinnedFd> surplus;
  auto pinned = std::make_shared<const Fd>(std::move(fd));
  const std::lock_guard lock(mutex_);
  if (inode->descriptor != nullptr) return inode->descriptor;
  if (inode->lookups == 0 || inode->id == root_node) return pinned;
  inode->descriptor = pinned;
  touch(*inode);
  trim(surplus);
  return pinned;
}

// REQUIRES: mutex_ held, descriptor open.
void InodeTable::touch(Inode& inode) {
  if (!handles_ || inode.id == root_node || inode.lookups == 0) return;
  if (inode.in_recent) {
    recent_.splice(recent_.end(), recent_, inode.recent);
  } else {
    inode.recent = recent_.insert(recent_.end(), &inode);
    inode.in_recent = true;
  }
}

// REQUIRES: mutex_ held. Descriptors to close go to `out`, to be closed after the lock.
void InodeTable::trim(std::vector<PinnedFd>& out) {
  while (recent_.size() > max_descriptors_) {
    Inode& oldest = *recent_.front();
    recent_.pop_front();
    oldest.in_recent = false;
    // A removed file cannot be opened by handle again on every filesystem: it keeps its descriptor.
    if (!oldest.links.empty()) out.push_back(std::move(oldest.descriptor));
  }
}

OrErrno<InodeTable::Found> InodeTable::lookup(const InodePtr& parent, const std::string& name) {
  auto directory = pin(parent);
  if (!directory) return std::unexpected(directory.error());
  Fd fd(::openat((*directory)->get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  Found found;
  if (!fd.valid() || ::fstat(fd.get(), &found.attributes) != 0) return std::unexpected(errno);
  std::string key = key_of(fd.get(), found.attributes);

  std::vector<PinnedFd> surplus;
  const std::lock_guard lock(mutex_);
  auto& slot = by_key_[key];
  if (slot == nullptr) {
    slot = std::make_shared<Inode>();
    slot->id = next_id_++;
    slot->type = found.attributes.st_mode & S_IFMT;
    slot->key = std::move(key);
    by_id_[slot->id] = slot;
  }
  found.inode = slot;
  ++slot->lookups;
  if (slot->descriptor == nullptr) slot->descriptor = std::make_shared<const Fd>(std::move(fd));
  add_link(slot, parent, name);
  touch(*slot);
  trim(surplus);
  return found;
}

// REQUIRES: mutex_ held.
void InodeTable::add_link(const InodePtr& inode, const InodePtr& parent, const std::string& name) {
  auto& owner = by_name_[NameKey{parent->id, name}];
  if (owner == inode) {
    // Most lookups of a file with several names: the one used last is the one to speak of.
    if (inode->links.size() > 1) {
      const auto at = std::ranges::find_if(inode->links, [&](const Inode::Link& link) {
        return link.parent == parent && link.name == name;
      });
      if (at != inode->links.end()) std::rotate(at, at + 1, inode->links.end());
    }
    return;
  }
  if (owner != nullptr) drop_link(owner, *parent, name);
  owner = inode;
  inode->links.push_back({parent, name});
}

// REQUIRES: mutex_ held. by_name_ is the caller's.
void InodeTable::drop_link(const InodePtr& inode, const Inode& parent, const std::string& name) {
  const auto at = std::ranges::find_if(inode->links, [&](const Inode::Link& link) {
    return link.parent.get() == &parent && link.name == name;
  });
  if (at == inode->links.end()) return;
  if (inode->links.size() == 1) inode->last_path = path_locked(*inode);
  inode->links.erase(at);
}

void InodeTable::forget(NodeId node, std::uint64_t lookups) {
  InodePtr gone;  // destroyed after the lock: it may close descriptors
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(node);
  if (found == by_id_.end() || node == root_node) return;
  Inode& inode = *found->second;
  inode.lookups -= std::min(inode.lookups, lookups);
  if (inode.lookups > 0) return;
  gone = found->second;
  by_id_.erase(found);
  if (const auto key = by_key_.find(inode.key); key != by_key_.end() && key->second == gone) {
    by_key_.erase(key);
  }
  for (const auto& link : inode.links) {
    const auto name = by_name_.find(NameKey{link.parent->id, link.name});
    if (name != by_name_.end() && name->second == gone) by_name_.erase(name);
  }
  if (inode.in_recent) recent_.erase(inode.recent);
  inode.in_recent = false;
}

void InodeTable::forget_all() {
  std::unordered_map<NodeId, InodePtr> gone;
  const std::lock_guard lock(mutex_);
  for (auto& [id, inode] : by_id_) {
    inode->in_recent = false;
    if (id != root_node) gone.emplace(id, inode);
  }
  recent_.clear();
  by_name_.clear();
  by_key_.clear();
  by_id_.clear();
  by_id_[root_node] = root_;
  by_key_[root_->key] = root_;
}

InodePtr InodeTable::removed(const InodePtr& parent, const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(NameKey{parent->id, name});
  if (found == by_name_.end()) return nullptr;
  InodePtr inode = found->second;
  by_name_.erase(found);
  drop_link(inode, *parent, name);
  return inode;
}

void InodeTable::renamed(const InodePtr& from, const std::string& from_name, const InodePtr& to,
                         const std::string& to_name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(NameKey{from->id, from_name});
  InodePtr moved = found == by_name_.end() ? nullptr : found->second;
  if (moved != nullptr) {
    by_name_.erase(found);
    drop_link(moved, *from, from_name);
    add_link(moved, to, to_name);
    return;
  }
  const auto victim = by_name_.find(NameKey{to->id, to_name});
  if (victim == by_name_.end()) return;
  const InodePtr replaced = victim->second;
  by_name_.erase(victim);
  drop_link(replaced, *to, to_name);
}

void InodeTable::exchanged(const InodePtr& a, const std::string& a_name, const InodePtr& b,
                           const std::string& b_name) {
  const std::lock_guard lock(mutex_);
  const auto take = [this](const InodePtr& parent, const std::string& name) -> InodePtr {
    const auto found = by_name_.find(NameKey{parent->id, name});
    if (found == by_name_.end()) return nullptr;
    InodePtr inode = found->second;
    by_name_.erase(found);
    drop_link(inode, *parent, name);
    return inode;
  };
  const InodePtr first = take(a, a_name);
  const InodePtr second = take(b, b_name);
  if (first != nullptr) add_link(first, b, b_name);
  if (second != nullptr) add_link(second, a, a_name);
}

std::string InodeTable::join(const std::string& directory, std::string_view name) {
  std::string path;
  path.reserve(directory.size() + 1 + name.size());
  path = directory;
  if (!path.empty()) path += '/';
  path += name;
  return path;
}

// REQUIRES: mutex_ held.
std::string InodeTable::path_locked(const Inode& inode) const {
  std::vector<const std::string*> names;
  const Inode* at = &inode;
  while (at->id != root_node) {
    if (at->links.empty()) {
      std::string path = at->last_path;
      for (auto name = names.rbegin(); name != names.rend(); ++name) path = join(path, **name);
      return path;
    }
    names.push_back(&at->links.back().name);
    at = at->links.back().parent.get();
  }
  std::string path;
  for (auto name = names.rbegin(); name != names.rend(); ++name) path = join(path, **name);
  return path;
}

std::string InodeTable::path(const Inode& inode) const {
  const std::lock_guard lock(mutex_);
  return path_locked(inode);
}

std::vector<std::string> InodeTable::paths(const Inode& inode) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const auto& link : inode.links) {
    all.push_back(join(path_locked(*link.parent), link.name));
  }
  if (all.empty()) all.push_back(path_locked(inode));
  return all;
}

bool InodeTable::named(const Inode& inode) const {
  const std::lock_guard lock(mutex_);
  return !inode.links.empty();
}

InodePtr InodeTable::known(int directory, const std::string& name) {
  auto fd = open_at(directory, name, O_PATH | O_NOFOLLOW);
  struct stat status{};
  if (!fd || ::fstat(fd->get(), &status) != 0) return nullptr;
  const std::string key = key_of(fd->get(), status);
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

InodePtr InodeTable::at(const InodePtr& parent, const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(NameKey{parent->id, name});
  return found == by_name_.end() ? nullptr : found->second;
}

std::vector<InodeTable::KnownName> InodeTable::all_names() const {
  const std::lock_guard lock(mutex_);
  std::vector<KnownName> all;
  all.reserve(by_name_.size());
  for (const auto& [key, inode] : by_name_) all.push_back({key.parent, inode->id, key.name});
  return all;
}

std::size_t InodeTable::size() const {
  const std::lock_guard lock(mutex_);
  return by_id_.size();
}

}  // namespace holdfast::fusefs
