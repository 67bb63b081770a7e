#include "fusefs/home_fs.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "fusefs/home_internal.h"

namespace holdfast::fusefs {

namespace {

std::size_t default_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 300;
  return std::clamp<std::size_t>(limit.rlim_cur / 3, 64, 100'000);
}

std::int64_t modified_of(const struct stat& attributes) {
  return attributes.st_mtim.tv_sec * 1'000'000'000 + attributes.st_mtim.tv_nsec;
}

std::pair<std::string, std::string> split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool is_private(std::string_view name) { return name.starts_with(private_attributes); }
bool is_acl(std::string_view name) { return name.starts_with("system.posix_acl_"); }

}  // namespace

HomeFs::HomeFs(HomeOptions options, HomeEvents& events, std::unique_ptr<InodeTable> table)
    : options_(std::move(options)), events_(events), table_(std::move(table)) {}

Result<std::shared_ptr<HomeFs>> HomeFs::open(HomeOptions options, HomeEvents& events) {
  auto root = open_file(options.tree, O_RDONLY | O_DIRECTORY);
  if (!root) return std::unexpected(root.error());
  if (options.max_descriptors == 0) options.max_descriptors = default_descriptors();
  auto table = InodeTable::open(std::move(*root), options.max_descriptors);
  if (!table) return std::unexpected(table.error());
  return std::shared_ptr<HomeFs>(new HomeFs(std::move(options), events, std::move(*table)));
}

void HomeFs::attach(std::shared_ptr<Channel> channel) {
  channel_ = std::move(channel);
  constexpr std::size_t queue_limit = 65'536;
  invalidator_ = std::make_unique<Invalidator>([this] { drop_everything(); }, queue_limit);
}

void HomeFs::detach() {
  invalidator_->stop();
  // Files that were open when the mount was taken away get no RELEASE any more.
  {
    const std::lock_guard lock(writers_mutex_);
    for (FileHandle* handle : writers_) {
      events_.closed_for_write(handle->announced);
      events_.changed(handle->announced);
    }
    writers_.clear();
  }
  table_->forget_all();
}

// --- What others changed in the tree.

void HomeFs::invalidate_entry(const std::string& path) {
  if (invalidator_ == nullptr) return;
  invalidator_->post("entry " + path, [this, path] { drop_entry(path); });
}

void HomeFs::invalidate_content(const std::string& path) {
  if (invalidator_ == nullptr) return;
  invalidator_->post("content " + path, [this, path] { drop_content(path); });
}

void HomeFs::forget_attributes(NodeId node) {
  invalidator_->post("attributes " + std::to_string(node),
                     [this, node] { channel_->invalidate_attributes(node); });
}

void HomeFs::wait_invalidated() {
  if (invalidator_ != nullptr) invalidator_->wait_idle();
}

void HomeFs::drop_entry(const std::string& path) {
  if (path.empty()) return drop_content(path);
  const auto [directory, name] = split(path);
  const InodePtr parent = table_->known(table_->root_fd(), directory);
  if (parent == nullptr) return;
  const InodePtr present = table_->known(table_->root_fd(), path);
  const InodePtr shown = table_->at(parent, name);
  // Dropping a name that still names the same thing would take the working directory away from
  // processes inside it.
  if (shown == nullptr || shown != present) {
    if (shown != nullptr) table_->removed(parent, name);
    channel_->invalidate_entry(parent->id, name);
    if (shown != nullptr) channel_->invalidate_attributes(shown->id);
  }
  if (present != nullptr) channel_->invalidate_attributes(present->id);
  channel_->invalidate_content(parent->id);  // its listing
}

void HomeFs::drop_content(const std::string& path) {
  const InodePtr inode = table_->known(table_->root_fd(), path.empty() ? "." : path);
  if (inode != nullptr) channel_->invalidate_content(inode->id);
}

void HomeFs::drop_everything() {
  SPDLOG_INFO("fusefs: many changes at once; the kernel's cache of the home is dropped whole");
  channel_->invalidate_content(root_node);
  for (const auto& known : table_->all_names()) {
    channel_->invalidate_entry(known.parent, known.name);
    channel_->invalidate_content(known.node);
  }
}

// --- What is told to the engine.

void HomeFs::changed(const Inode& inode) {
  for (const auto& path : table_->paths(inode)) events_.changed(path);
}

std::string HomeFs::path_at(NameAt name) const {
  const InodePtr parent = table_->find(name.parent);
  return InodeTable::join(parent == nullptr ? "" : table_->path(*parent), name.name);
}

// Each path of a subtree: for the rare change that is no plain rename.
void HomeFs::changed_below(const std::string& path) {
  events_.changed(path);
  std::error_code ignored;
  const std::filesystem::path root = std::filesystem::path(options_.tree);
  for (auto at = std::filesystem::recursive_directory_iterator(root / path, ignored);
       !ignored && at != std::filesystem::recursive_directory_iterator(); at.increment(ignored)) {
    events_.changed(at->path().lexically_relative(root).native());
  }
}

// --- Attributes.

bool HomeFs::is_stub(const InodePtr& inode) {
  if (inode->type != S_IFREG) return false;
  const auto fd = table_->pin(inode);
  return fd && ::getxattr(proc_path((*fd)->get()).c_str(), stub_attribute, nullptr, 0) >= 0;
}

// A stub has no blocks of its own; tools that skip holes by st_blocks must not take it for one.
void HomeFs::show_stub_blocks(const InodePtr& inode, struct stat& attributes) {
  if (inode->type != S_IFREG || attributes.st_blocks * 512 >= attributes.st_size) return;
  if (is_stub(inode)) attributes.st_blocks = (attributes.st_size + 511) / 512;
}

Entry HomeFs::entry_of(const InodeTable::Found& found) {
  Entry entry;
  entry.node = found.inode->id;
  entry.attributes = found.attributes;
  entry.attribute_timeout = entry.entry_timeout = options_.cache_seconds;
  show_stub_blocks(found.inode, entry.attributes);
  found.inode->shown_modified = modified_of(entry.attributes);
  return entry;
}

int HomeFs::attributes_of(const InodePtr& inode, struct stat& out) {
  const auto fd = table_->pin(inode);
  if (!fd) return fd.error();
  if (::fstatat((*fd)->get(), "", &out, AT_EMPTY_PATH) != 0) return errno;
  show_stub_blocks(inode, out);
  inode->shown_modified = modified_of(out);
  return 0;
}

bool HomeFs::modified_unseen(const Inode& inode, int fd) {
  struct stat attributes{};
  return ::fstat(fd, &attributes) == 0 && inode.shown_modified != modified_of(attributes);
}

void HomeFs::getattr(Reply reply, NodeId node, std::uint64_t*) {
  const InodePtr inode = table_->find(node);
  if (inode == nullptr) return void(reply.error(ESTALE));
  struct stat attributes{};
  if (const int error = attributes_of(inode, attributes); error != 0) {
    return void(reply.error(error));
  }
  reply.attributes(attributes, options_.cache_seconds);
}

void HomeFs::setattr(Reply reply, NodeId node, AttributeChange change, std::uint64_t* handle) {
  const InodePtr inode = table_->find(node);
  if (inode == nullptr) return void(reply.error(ESTALE));
  const FileHandle* file = handle != nullptr ? FileHandle::from(*handle) : nullptr;
  if (!change.size || change.values.st_size == 0) {
    return finish_setattr(std::move(reply), inode, change, file);
  }
  with_content(inode, [self = shared_from_this(), reply = std::move(reply), inode, change,
                       file](int error) mutable {
    if (error != 0) return void(reply.error(error));
    self->finish_setattr(std::move(reply), inode, change, file);
  });
}

void HomeFs::finish_setattr(Reply reply, const InodePtr& inode, const AttributeChange& change,
                            const FileHandle* file) {
  struct stat attributes{};
  int error = apply_change(inode, change, file);
  if (error == 0) error = attributes_of(inode, attributes);
  if (error != 0) return void(reply.error(error));
  changed(*inode);
  reply.attributes(attributes, options_.cache_seconds);
}

int HomeFs::apply_change(const InodePtr& inode, const AttributeChange& change,
                         const FileHandle* file) {
  const auto pinned = table_->pin(inode);
  if (!pinned) return pinned.error();
  const int fd = (*pinned)->get();
  const std::string path = proc_path(fd);
  if (change.mode && ::chmod(path.c_str(), change.values.st_mode & 07777) != 0) return errno;
  if (change.uid || change.gid) {
    const uid_t uid = change.uid ? change.values.st_uid : static_cast<uid_t>(-1);
    const gid_t gid = change.gid ? change.values.st_gid : static_cast<gid_t>(-1);
    if (::fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0) return errno;
  }
  if (change.size) {
    std::unique_lock<std::mutex> hold;
    struct stat status{};
    const bool empties = change.values.st_size == 0;
    if (empties && ::fstat(fd, &status) == 0) hold = events_.hold_content(status.st_ino);
    const int result = file != nullptr && file->writable
                           ? ::ftruncate(file->fd.get(), change.values.st_size)
                           : ::truncate(path.c_str(), change.values.st_size);
    if (result != 0) return errno;
    // In this order: a crash between the two leaves a stub, never zeros that pass for content.
    if (empties) ::removexattr(path.c_str(), stub_attribute);
    if (change.drop_privileges) drop_privilege_bits(fd);
  }
  if (change.access_time || change.modify_time) {
    timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    if (change.access_time) times[0] = change.values.st_atim;
    if (change.modify_time) times[1] = change.values.st_mtim;
    if (change.access_now) times[0].tv_nsec = UTIME_NOW;
    if (change.modify_now) times[1].tv_nsec = UTIME_NOW;
    if (::utimensat(fd, "", times, AT_EMPTY_PATH) != 0) return errno;
  }
  return 0;
}

// As the kernel does when someone without CAP_FSETID writes: setgid only where it means a group.
void HomeFs::drop_privilege_bits(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || (status.st_mode & (S_ISUID | S_ISGID)) == 0) return;
  mode_t kept = status.st_mode & ~static_cast<mode_t>(S_ISUID);
  if ((status.st_mode & S_IXGRP) != 0) kept &= ~static_cast<mode_t>(S_ISGID);
  ::chmod(proc_path(fd).c_str(), kept & 07777);
}

void HomeFs::statfs(Reply reply, NodeId) {
  struct statvfs statistics{};
  if (::fstatvfs(table_->root_fd(), &statistics) != 0) return void(reply.error(errno));
  reply.statistics(statistics);
}

// --- Extended attributes.

void HomeFs::setxattr(Reply reply, NodeId node, const char* name, std::span<const std::byte> value,
                      int flags) {
  if (is_private(name)) return void(reply.error(EPERM));
  if (is_acl(name)) return void(reply.error(EOPNOTSUPP));
  const InodePtr inode = table_->find(node);
  const auto fd = inode != nullptr ? table_->pin(inode) : std::unexpected(ESTALE);
  if (!fd) return void(reply.error(fd.error()));
  if (::setxattr(proc_path((*fd)->get()).c_str(), name, value.data(), value.size(), flags) != 0) {
    return void(reply.error(errno));
  }
  changed(*inode);
  reply.error(0);
}

void HomeFs::getxattr(Reply reply, NodeId node, const char* name, std::size_t size) {
  if (is_private(name)) return void(reply.error(ENODATA));
  if (is_acl(name)) return void(reply.error(EOPNOTSUPP));
  const InodePtr inode = table_->find(node);
  const auto fd = inode != nullptr ? table_->pin(inode) : std::unexpected(ESTALE);
  if (!fd) return void(reply.error(fd.error()));
  std::vector<std::byte> value(size);
  const ssize_t got =
      ::getxattr(proc_path((*fd)->get()).c_str(), name, size > 0 ? value.data() : nullptr, size);
  if (got < 0) return void(reply.error(errno));
  if (size == 0) return void(reply.xattr_size(static_cast<std::size_t>(got)));
  reply.data(std::span(value).first(static_cast<std::size_t>(got)));
}

void HomeFs::listxattr(Reply reply, NodeId node, std::size_t size) {
  const InodePtr inode = table_->find(node);
  const auto fd = inode != nullptr ? table_->pin(inode) : std::unexpected(ESTALE);
  if (!fd) return void(reply.error(fd.error()));
  std::string names(65'536, '\0');  // XATTR_LIST_MAX
  const ssize_t got = ::listxattr(proc_path((*fd)->get()).c_str(), names.data(), names.size());
  if (got < 0) return void(reply.error(errno));
  names.resize(static_cast<std::size_t>(got));
  std::string shown;
  for (std::size_t at = 0; at < names.size();) {
    const std::string_view name(names.c_str() + at);
    at += name.size() + 1;
    if (is_private(name) || is_acl(name)) continue;
    if (name.starts_with("trusted.") && reply.caller().uid != 0) continue;
    shown.append(name).push_back('\0');
  }
  if (size == 0) return void(reply.xattr_size(shown.size()));
  if (shown.size() > size) return void(reply.error(ERANGE));
  reply.data(std::as_bytes(std::span(shown)));
}

void HomeFs::removexattr(Reply reply, NodeId node, const char* name) {
  if (is_private(name)) return void(reply.error(EPERM));
  if (is_acl(name)) return void(reply.error(EOPNOTSUPP));
  const InodePtr inode = table_->find(node);
  const auto fd = inode != nullptr ? table_->pin(inode) : std::unexpected(ESTALE);
  if (!fd) return void(reply.error(fd.error()));
  if (::removexattr(proc_path((*fd)->get()).c_str(), name) != 0) return void(reply.error(errno));
  changed(*inode);
  reply.error(0);
}

}  // namespace holdfast::fusefs
