// Filesystem: what a Session asks of the thing it mounts, one method an operation, after libfuse's
// low-level API (fuse_lowlevel.h, 3.14). Called on the session's workers, many at a time. Each
// method answers its Reply, at once or later from another thread, and never waits for the network
// on the worker. What is not overridden answers ENOSYS, which the kernel remembers.
// Locks (fcntl, flock) are the kernel's own: they never reach a filesystem.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "fusefs/reply.h"

namespace holdfast::fusefs {

// The kernel's side of a mount. Any thread; the invalidations wait for locks that the kernel holds
// during requests, so they are never called from within one.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual bool passthrough() const = 0;  // known after the first request
  // An id (> 0) under which the kernel reads and writes `fd` itself.
  virtual Result<int> open_backing(int fd) = 0;
  virtual void close_backing(int backing_id) = 0;
  virtual void invalidate_entry(NodeId parent, const std::string& name) = 0;
  virtual void invalidate_attributes(NodeId node) = 0;
  virtual void invalidate_content(NodeId node) = 0;  // attributes too
};

// Which fields a setattr changes.
struct AttributeChange {
  struct stat values{};
  bool mode = false, uid = false, gid = false, size = false;
  bool access_time = false, access_now = false, modify_time = false, modify_now = false;
  bool drop_privileges = false;  // clear setuid and setgid with the size
};

struct ForgetItem {
  NodeId node = 0;
  std::uint64_t lookups = 0;
};
struct ReadSpan {
  std::uint64_t offset = 0;
  std::size_t size = 0;
};
struct NameAt {
  NodeId parent = 0;
  std::string_view name;  // terminated by a zero byte; valid during the call only
};

class Filesystem {
 public:
  virtual ~Filesystem() = default;
  // Before the first request; the channel lives as long as the mount.
  virtual void attach(std::shared_ptr<Channel> channel) = 0;
  // After the last request: every node is forgotten.
  virtual void detach() {}

  virtual void lookup(Reply reply, NameAt name);
  virtual void forget(std::span<const ForgetItem> items);
  virtual void getattr(Reply reply, NodeId node, std::uint64_t* handle);
  virtual void setattr(Reply reply, NodeId node, AttributeChange change, std::uint64_t* handle);
  virtual void readlink(Reply reply, NodeId node);
  virtual void mknod(Reply reply, NameAt name, std::uint32_t mode, std::uint64_t device);
  virtual void mkdir(Reply reply, NameAt name, std::uint32_t mode);
  virtual void unlink(Reply reply, NameAt name);
  virtual void rmdir(Reply reply, NameAt name);
  virtual void symlink(Reply reply, NameAt name, std::string_view target);
  virtual void rename(Reply reply, NameAt from, NameAt to, unsigned flags);
  virtual void link(Reply reply, NodeId node, NameAt name);
  virtual void open(Reply reply, NodeId node, int flags);
  virtual void create(Reply reply, NameAt name, std::uint32_t mode, int flags);
  virtual void read(Reply reply, NodeId node, std::uint64_t handle, ReadSpan span);
  virtual void write(Reply reply, NodeId node, std::uint64_t handle, std::uint64_t offset,
                     std::span<const std::byte> data);
  virtual void flush(Reply reply, NodeId node, std::uint64_t handle);
  virtual void release(Reply reply, NodeId node, std::uint64_t handle);
  virtual void fsync(Reply reply, NodeId node, std::uint64_t handle, bool data_only);
  virtual void opendir(Reply reply, NodeId node);
  virtual void readdir(Reply reply, NodeId node, std::uint64_t handle, ReadSpan span);
  virtual void readdirplus(Reply reply, NodeId node, std::uint64_t handle, ReadSpan span);
  virtual void releasedir(Reply reply, NodeId node, std::uint64_t handle);
  virtual void fsyncdir(Reply reply, NodeId node, std::uint64_t handle, bool data_only);
  virtual void statfs(Reply reply, NodeId node);
  virtual void setxattr(Reply reply, NodeId node, const char* name,
                        std::span<const std::byte> value, int flags);
  virtual void getxattr(Reply reply, NodeId node, const char* name, std::size_t size);
  virtual void listxattr(Reply reply, NodeId node, std::size_t size);
  virtual void removexattr(Reply reply, NodeId node, const char* name);
  virtual void fallocate(Reply reply, NodeId node, std::uint64_t handle, int mode, ReadSpan span);
  virtual void lseek(Reply reply, NodeId node, std::uint64_t handle, std::int64_t offset,
                     int whence);
  virtual void copy_range(Reply reply, std::uint64_t from_handle, std::uint64_t from_offset,
                          std::uint64_t to_handle, std::uint64_t to_offset, std::size_t size);
};

}  // namespace holdfast::fusefs
