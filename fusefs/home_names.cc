// Names: look-up, creation, removal, renames, links.
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include <climits>
#include <cstdio>

#include "fusefs/caller_scope.h"
#include "fusefs/home_internal.h"

namespace holdfast::fusefs {

void HomeFs::lookup(Reply reply, NameAt name) {
  const InodePtr parent = table_->find(name.parent);
  if (parent == nullptr) return void(reply.error(ESTALE));
  const auto found = table_->lookup(parent, std::string(name.name));
  if (found) return void(reply.entry(entry_of(*found)));
  if (found.error() != ENOENT) return void(reply.error(found.error()));
  // The kernel may remember that there is nothing: what appears later is announced to it.
  Entry absent;
  absent.entry_timeout = options_.cache_seconds;
  reply.entry(absent);
}

void HomeFs::forget(std::span<const ForgetItem> items) {
  for (const auto& item : items) table_->forget(item.node, item.lookups);
}

// After a name was made: tells the engine and answers its entry.
void HomeFs::reply_new_name(Reply reply, const InodePtr& parent, const std::string& name) {
  events_.changed(InodeTable::join(table_->path(*parent), name));
  const auto found = table_->lookup(parent, name);
  if (!found) return void(reply.error(found.error()));
  reply.entry(entry_of(*found));
}

// Pipes and sockets serve processes of this machine. Device nodes need CAP_MKNOD, which the kernel
// has asked for, and open nothing: the mount is nodev.
void HomeFs::mknod(Reply reply, NameAt name, std::uint32_t mode, std::uint64_t device) {
  const InodePtr parent = table_->find(name.parent);
  const auto fd = parent != nullptr ? table_->pin(parent) : std::unexpected(ESTALE);
  if (!fd) return void(reply.error(fd.error()));
  {
    const CallerScope scope(reply.caller());
    if (::mknodat((*fd)->get(), name.name.data(), mode, device) != 0)
      return void(reply.error(errno));
  }
  reply_new_name(std::move(reply), parent, std::string(name.name));
}

void HomeFs::mkdir(Reply reply, NameAt name, std::uint32_t mode) {
  const InodePtr parent = table_->find(name.parent);
  const auto fd = parent != nullptr ? table_->pin(parent) : std::unexpected(ESTALE);
  if (!fd) return void(reply.error(fd.error()));
  {
    const CallerScope scope(reply.caller());
    if (::mkdirat((*fd)->get(), name.name.data(), mode) != 0) return void(reply.error(errno));
  }
  reply_new_name(std::move(reply), parent, std::string(name.name));
}

void HomeFs::symlink(Reply reply, NameAt name, std::string_view target) {
  const InodePtr parent = table_->find(name.parent);
  const auto fd = parent != nullptr ? table_->pin(parent) : std::unexpected(ESTALE);
  if (!fd) return void(reply.error(fd.error()));
  {
    const CallerScope scope(reply.caller());
    if (::symlinkat(target.data(), (*fd)->get(), name.name.data()) != 0) {
      return void(reply.error(errno));
    }
  }
  reply_new_name(std::move(reply), parent, std::string(name.name));
}

void HomeFs::link(Reply reply, NodeId node, NameAt name) {
  const InodePtr inode = table_->find(node);
  const InodePtr parent = table_->find(name.parent);
  if (inode == nullptr || parent == nullptr) return void(reply.error(ESTALE));
  const auto file = table_->pin(inode);
  const auto directory = table_->pin(parent);
  if (!file || !directory) return void(reply.error(ESTALE));
  if (::linkat((*file)->get(), "", (*directory)->get(), name.name.data(), AT_EMPTY_PATH) != 0) {
    return void(reply.error(errno));
  }
  reply_new_name(std::move(reply), parent, std::string(name.name));
}

void HomeFs::readlink(Reply reply, NodeId node) {
  const InodePtr inode = table_->find(node);
  const auto fd = inode != nullptr ? table_->pin(inode) : std::unexpected(ESTALE);
  if (!fd) return void(reply.error(fd.error()));
  std::string target(PATH_MAX, '\0');
  const ssize_t got = ::readlinkat((*fd)->get(), "", target.data(), target.size());
  if (got < 0) return void(reply.error(errno));
  target.resize(static_cast<std::size_t>(got));
  reply.link_target(target);
}

void HomeFs::unlink(Reply reply, NameAt name) { remove_name(std::move(reply), name, 0); }

void HomeFs::rmdir(Reply reply, NameAt name) { remove_name(std::move(reply), name, AT_REMOVEDIR); }

void HomeFs::remove_name(Reply reply, NameAt name, int at_flags) {
  const InodePtr parent = table_->find(name.parent);
  const auto fd = parent != nullptr ? table_->pin(parent) : std::unexpected(ESTALE);
  if (!fd) return void(reply.error(fd.error()));
  if (::unlinkat((*fd)->get(), name.name.data(), at_flags) != 0) return void(reply.error(errno));
  const std::string path = path_at(name);
  table_->removed(parent, std::string(name.name));
  events_.changed(path);
  reply.error(0);
}

void HomeFs::rename(Reply reply, NameAt from, NameAt to, unsigned flags) {
  const InodePtr from_parent = table_->find(from.parent);
  const InodePtr to_parent = table_->find(to.parent);
  if (from_parent == nullptr || to_parent == nullptr) return void(reply.error(ESTALE));
  if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) {
    return void(reply.error(EINVAL));
  }
  const auto from_fd = table_->pin(from_parent);
  const auto to_fd = table_->pin(to_parent);
  if (!from_fd || !to_fd) return void(reply.error(ESTALE));
  if (::renameat2((*from_fd)->get(), from.name.data(), (*to_fd)->get(), to.name.data(), flags) !=
      0) {
    return void(reply.error(errno));
  }
  const std::string from_path = path_at(from);
  const std::string to_path = path_at(to);
  if ((flags & RENAME_EXCHANGE) != 0) {
    table_->exchanged(from_parent, std::string(from.name), to_parent, std::string(to.name));
    changed_below(from_path);
    changed_below(to_path);
  } else {
    table_->renamed(from_parent, std::string(from.name), to_parent, std::string(to.name));
    events_.renamed(from_path, to_path);
    move_writers(from_path, to_path);
  }
  reply.error(0);
}

}  // namespace holdfast::fusefs
