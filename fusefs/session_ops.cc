// libfuse's callbacks, each turned into a call of Filesystem. No logic here.
#include <cerrno>

#include "fusefs/session_core.h"

#define FUSE_USE_VERSION 35
#include <fuse3/fuse_lowlevel.h>

namespace holdfast::fusefs {

namespace {

Session::Core& core_of(fuse_req_t request) {
  return *static_cast<Session::Core*>(fuse_req_userdata(request));
}
Filesystem& files(fuse_req_t request) { return *core_of(request).filesystem; }
Reply reply_to(fuse_req_t request) { return {core_of(request).shared_from_this(), request}; }

ReadSpan span_of(std::size_t size, off_t offset) {
  return {static_cast<std::uint64_t>(offset), size};
}

void on_init(void*, fuse_conn_info* connection) noexcept {
  connection->max_background = 64;
  connection->congestion_threshold = 48;
  connection->want |= connection->capable &
                      (FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_CACHE_SYMLINKS);
  // Passthrough is ignored beside a write-back cache, and mtime would be the kernel's, not ours.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);
}

void on_forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) noexcept {
  std::vector<ForgetItem> items;
  items.reserve(count);
  for (std::size_t n = 0; n < count; ++n) items.push_back({forgets[n].ino, forgets[n].nlookup});
  files(request).forget(items);
  reply_to(request).none();
}

void on_forget(fuse_req_t request, fuse_ino_t node, std::uint64_t lookups) noexcept {
  const ForgetItem item{node, lookups};
  files(request).forget({&item, 1});
  reply_to(request).none();
}

AttributeChange change_of(const struct stat& values, int fields) {
  AttributeChange change;
  change.values = values;
  change.mode = (fields & FUSE_SET_ATTR_MODE) != 0;
  change.uid = (fields & FUSE_SET_ATTR_UID) != 0;
  change.gid = (fields & FUSE_SET_ATTR_GID) != 0;
  change.size = (fields & FUSE_SET_ATTR_SIZE) != 0;
  change.access_now = (fields & FUSE_SET_ATTR_ATIME_NOW) != 0;
  change.modify_now = (fields & FUSE_SET_ATTR_MTIME_NOW) != 0;
  change.access_time = (fields & FUSE_SET_ATTR_ATIME) != 0 || change.access_now;
  change.modify_time = (fields & FUSE_SET_ATTR_MTIME) != 0 || change.modify_now;
  change.drop_privileges = (fields & FUSE_SET_ATTR_KILL_SUID) != 0;  // FATTR_KILL_SUIDGID
  return change;
}

fuse_lowlevel_ops make_operations() {
  using Info = fuse_file_info;
  fuse_lowlevel_ops ops{};
  ops.init = on_init;
  ops.forget = on_forget;
  ops.forget_multi = on_forget_multi;
  ops.lookup = [](fuse_req_t r, fuse_ino_t parent, const char* name) noexcept {
    files(r).lookup(reply_to(r), {parent, name});
  };
  ops.getattr = [](fuse_req_t r, fuse_ino_t node, Info* info) noexcept {
    files(r).getattr(reply_to(r), node, info != nullptr ? &info->fh : nullptr);
  };
  ops.setattr = [](fuse_req_t r, fuse_ino_t node, struct stat* values, int fields,
                   Info* info) noexcept {
    files(r).setattr(reply_to(r), node, change_of(*values, fields),
                     info != nullptr ? &info->fh : nullptr);
  };
  ops.readlink = [](fuse_req_t r, fuse_ino_t node) noexcept {
    files(r).readlink(reply_to(r), node);
  };
  ops.mknod = [](fuse_req_t r, fuse_ino_t parent, const char* name, mode_t mode,
                 dev_t device) noexcept {
    files(r).mknod(reply_to(r), {parent, name}, mode, device);
  };
  ops.mkdir = [](fuse_req_t r, fuse_ino_t parent, const char* name, mode_t mode) noexcept {
    files(r).mkdir(reply_to(r), {parent, name}, mode);
  };
  ops.unlink = [](fuse_req_t r, fuse_ino_t parent, const char* name) noexcept {
    files(r).unlink(reply_to(r), {parent, name});
  };
  ops.rmdir = [](fuse_req_t r, fuse_ino_t parent, const char* name) noexcept {
    files(r).rmdir(reply_to(r), {parent, name});
  };
  ops.symlink = [](fuse_req_t r, const char* target, fuse_ino_t parent, const char* name) noexcept {
    files(r).symlink(reply_to(r), {parent, name}, target);
  };
  ops.rename = [](fuse_req_t r, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
                  const char* new_name, unsigned flags) noexcept {
    files(r).rename(reply_to(r), {parent, name}, {new_parent, new_name}, flags);
  };
  ops.link = [](fuse_req_t r, fuse_ino_t node, fuse_ino_t parent, const char* name) noexcept {
    files(r).link(reply_to(r), node, {parent, name});
  };
  ops.open = [](fuse_req_t r, fuse_ino_t node, Info* info) noexcept {
    files(r).open(reply_to(r), node, info->flags);
  };
  ops.create = [](fuse_req_t r, fuse_ino_t parent, const char* name, mode_t mode,
                  Info* info) noexcept {
    files(r).create(reply_to(r), {parent, name}, mode, info->flags);
  };
  ops.read = [](fuse_req_t r, fuse_ino_t node, std::size_t size, off_t offset,
                Info* info) noexcept {
    files(r).read(reply_to(r), node, info->fh, span_of(size, offset));
  };
  ops.write = [](fuse_req_t r, fuse_ino_t node, const char* data, std::size_t size, off_t offset,
                 Info* info) noexcept {
    files(r).write(reply_to(r), node, info->fh, static_cast<std::uint64_t>(offset),
                   std::as_bytes(std::span(data, size)));
  };
  ops.flush = [](fuse_req_t r, fuse_ino_t node, Info* info) noexcept {
    files(r).flush(reply_to(r), node, info->fh);
  };
  ops.release = [](fuse_req_t r, fuse_ino_t node, Info* info) noexcept {
    files(r).release(reply_to(r), node, info->fh);
  };
  ops.fsync = [](fuse_req_t r, fuse_ino_t node, int data_only, Info* info) noexcept {
    files(r).fsync(reply_to(r), node, info->fh, data_only != 0);
  };
  ops.opendir = [](fuse_req_t r, fuse_ino_t node, Info*) noexcept {
    files(r).opendir(reply_to(r), node);
  };
  ops.readdir = [](fuse_req_t r, fuse_ino_t node, std::size_t size, off_t offset,
                   Info* info) noexcept {
    files(r).readdir(reply_to(r), node, info->fh, span_of(size, offset));
  };
  ops.readdirplus = [](fuse_req_t r, fuse_ino_t node, std::size_t size, off_t offset,
                       Info* info) noexcept {
    files(r).readdirplus(reply_to(r), node, info->fh, span_of(size, offset));
  };
  ops.releasedir = [](fuse_req_t r, fuse_ino_t node, Info* info) noexcept {
    files(r).releasedir(reply_to(r), node, info->fh);
  };
  ops.fsyncdir = [](fuse_req_t r, fuse_ino_t node, int data_only, Info* info) noexcept {
    files(r).fsyncdir(reply_to(r), node, info->fh, data_only != 0);
  };
  ops.statfs = [](fuse_req_t r, fuse_ino_t node) noexcept { files(r).statfs(reply_to(r), node); };
  ops.setxattr = [](fuse_req_t r, fuse_ino_t node, const char* name, const char* value,
                    std::size_t size, int flags) noexcept {
    files(r).setxattr(reply_to(r), node, name, std::as_bytes(std::span(value, size)), flags);
  };
  ops.getxattr = [](fuse_req_t r, fuse_ino_t node, const char* name, std::size_t size) noexcept {
    files(r).getxattr(reply_to(r), node, name, size);
  };
  ops.listxattr = [](fuse_req_t r, fuse_ino_t node, std::size_t size) noexcept {
    files(r).listxattr(reply_to(r), node, size);
  };
  ops.removexattr = [](fuse_req_t r, fuse_ino_t node, const char* name) noexcept {
    files(r).removexattr(reply_to(r), node, name);
  };
  ops.fallocate = [](fuse_req_t r, fuse_ino_t node, int mode, off_t offset, off_t length,
                     Info* info) noexcept {
    files(r).fallocate(reply_to(r), node, info->fh, mode,
                       span_of(static_cast<std::size_t>(length), offset));
  };
  ops.lseek = [](fuse_req_t r, fuse_ino_t node, off_t offset, int whence, Info* info) noexcept {
    files(r).lseek(reply_to(r), node, info->fh, offset, whence);
  };
  ops.copy_file_range = [](fuse_req_t r, fuse_ino_t, off_t from_offset, Info* from, fuse_ino_t,
                           off_t to_offset, Info* to, std::size_t size, int) noexcept {
    files(r).copy_range(reply_to(r), from->fh, static_cast<std::uint64_t>(from_offset), to->fh,
                        static_cast<std::uint64_t>(to_offset), size);
  };
  return ops;
}

}  // namespace

const fuse_lowlevel_ops& session_operations() {
  static const fuse_lowlevel_ops operations = make_operations();
  return operations;
}

std::size_t session_operations_size() { return sizeof(fuse_lowlevel_ops); }

// --- What a filesystem does not offer.

void Filesystem::lookup(Reply reply, NameAt) { reply.error(ENOSYS); }
void Filesystem::forget(std::span<const ForgetItem>) {}
void Filesystem::getattr(Reply reply, NodeId, std::uint64_t*) { reply.error(ENOSYS); }
void Filesystem::setattr(Reply reply, NodeId, AttributeChange, std::uint64_t*) {
  reply.error(ENOSYS);
}
void Filesystem::readlink(Reply reply, NodeId) { reply.error(ENOSYS); }
void Filesystem::mknod(Reply reply, NameAt, std::uint32_t, std::uint64_t) { reply.error(ENOSYS); }
void Filesystem::mkdir(Reply reply, NameAt, std::uint32_t) { reply.error(ENOSYS); }
void Filesystem::unlink(Reply reply, NameAt) { reply.error(ENOSYS); }
void Filesystem::rmdir(Reply reply, NameAt) { reply.error(ENOSYS); }
void Filesystem::symlink(Reply reply, NameAt, std::string_view) { reply.error(ENOSYS); }
void Filesystem::rename(Reply reply, NameAt, NameAt, unsigned) { reply.error(ENOSYS); }
void Filesystem::link(Reply reply, NodeId, NameAt) { reply.error(ENOSYS); }
void Filesystem::open(Reply reply, NodeId, int) { reply.error(ENOSYS); }
void Filesystem::create(Reply reply, NameAt, std::uint32_t, int) { reply.error(ENOSYS); }
void Filesystem::read(Reply reply, NodeId, std::uint64_t, ReadSpan) { reply.error(ENOSYS); }
void Filesystem::write(Reply reply, NodeId, std::uint64_t, std::uint64_t,
                       std::span<const std::byte>) {
  reply.error(ENOSYS);
}
void Filesystem::flush(Reply reply, NodeId, std::uint64_t) { reply.error(ENOSYS); }
void Filesystem::release(Reply reply, NodeId, std::uint64_t) { reply.error(0); }
void Filesystem::fsync(Reply reply, NodeId, std::uint64_t, bool) { reply.error(ENOSYS); }
void Filesystem::opendir(Reply reply, NodeId) { reply.error(ENOSYS); }
void Filesystem::readdir(Reply reply, NodeId, std::uint64_t, ReadSpan) { reply.error(ENOSYS); }
void Filesystem::readdirplus(Reply reply, NodeId, std::uint64_t, ReadSpan) { reply.error(ENOSYS); }
void Filesystem::releasedir(Reply reply, NodeId, std::uint64_t) { reply.error(0); }
void Filesystem::fsyncdir(Reply reply, NodeId, std::uint64_t, bool) { reply.error(ENOSYS); }
void Filesystem::statfs(Reply reply, NodeId) { reply.error(ENOSYS); }
void Filesystem::setxattr(Reply reply, NodeId, const char*, std::span<const std::byte>, int) {
  reply.error(ENOSYS);
}
void Filesystem::getxattr(Reply reply, NodeId, const char*, std::size_t) { reply.error(ENOSYS); }
void Filesystem::listxattr(Reply reply, NodeId, std::size_t) { reply.error(ENOSYS); }
void Filesystem::removexattr(Reply reply, NodeId, const char*) { reply.error(ENOSYS); }
void Filesystem::fallocate(Reply reply, NodeId, std::uint64_t, int, ReadSpan) {
  reply.error(ENOSYS);
}
void Filesystem::lseek(Reply reply, NodeId, std::uint64_t, std::int64_t, int) {
  reply.error(ENOSYS);
}
void Filesystem::copy_range(Reply reply, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                            std::size_t) {
  reply.error(ENOSYS);
}

}  // namespace holdfast::fusefs
