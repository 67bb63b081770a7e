// Reply: the one answer that a FUSE request gets. Move-only; answers exactly once. A Reply that is
// dropped unanswered answers EIO, so that no caller hangs. May be moved to and answered from any
// thread; it keeps the session's memory alive, not its mount.
// Answers return false when the kernel no longer waits (interrupted, or the mount is gone).
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace holdfast::fusefs {

// The kernel's name for an inode; 1 is the root. Never reused while a mount lives.
using NodeId = std::uint64_t;
inline constexpr NodeId root_node = 1;

// What a lookup answers. node 0 with an entry_timeout is a cacheable "not there".
struct Entry {
  NodeId node = 0;
  struct stat attributes{};
  double attribute_timeout = 0, entry_timeout = 0;  // seconds
};

// How a file or directory was opened.
struct Opened {
  std::uint64_t handle = 0;
  int backing_id = 0;            // > 0: the kernel reads and writes the backing file itself
  bool direct_io = false;        // no page cache
  bool keep_cache = false;       // pages cached by an earlier open stay valid
  bool no_flush = false;         // no FLUSH at close
  bool cache_directory = false;  // the kernel may keep the listing
};

// Who asks. gid is the effective one; supplementary groups are the kernel's matter.
struct Caller {
  std::uint32_t uid = 0, gid = 0;
  std::int32_t pid = 0;
};

class Reply {
 public:
  Reply(std::shared_ptr<void> session, void* request);
  Reply(Reply&& other) noexcept;
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  Caller caller() const;

  bool error(int error_number);  // 0: done, nothing to say
  bool entry(const Entry& entry);
  bool created(const Entry& entry, const Opened& opened);
  bool opened(const Opened& opened);
  bool attributes(const struct stat& attributes, double timeout_seconds);
  bool link_target(const std::string& target);
  bool data(std::span<const std::byte> bytes);
  // Up to `size` bytes of an open file, spliced where the kernel can.
  bool file_data(int fd, std::uint64_t offset, std::size_t size);
  bool written(std::size_t bytes);
  bool statistics(const struct statvfs& statistics);
  bool xattr_size(std::size_t bytes);
  bool offset(std::int64_t position);
  void none();  // for FORGET

 private:
  void* take();  // the request, once
  std::shared_ptr<void> session_;
  void* request_;
};

}  // namespace holdfast::fusefs
