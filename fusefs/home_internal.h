// What the sources of HomeFs share. Included by home_*.cc only.
#pragma once

#include <dirent.h>
#include <sys/xattr.h>

#include <cerrno>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "fusefs/home_fs.h"

namespace holdfast::fusefs {

// The same name as syncd::stub_xattr; engine_bridge.cc asserts that.
inline constexpr const char* stub_attribute = "user.holdfast.stub";
inline constexpr std::string_view private_attributes = "user.holdfast.";

struct HomeFs::FileHandle {
  Fd fd;
  InodePtr inode;
  bool writable = false;
  std::string announced;  // where the engine was told of a writer; under writers_mutex_

  static FileHandle* from(std::uint64_t handle) { return reinterpret_cast<FileHandle*>(handle); }
};

struct HomeFs::DirectoryHandle {
  DIR* stream = nullptr;
  InodePtr inode;
  std::mutex mutex;  // the kernel may read one open directory from several threads
  std::int64_t position = 0;

  ~DirectoryHandle() {
    if (stream != nullptr) ::closedir(stream);
  }
  static DirectoryHandle* from(std::uint64_t handle) {
    return reinterpret_cast<DirectoryHandle*>(handle);
  }
};

// For calls that have no form on an O_PATH descriptor.
inline std::string proc_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

template <class Next>
void HomeFs::with_content(const InodePtr& inode, Next next) {
  if (!is_stub(inode)) return next(0);
  events_.ensure_local(table_->path(*inode), [self = shared_from_this(), inode,
                                              next = std::move(next)](Result<void> done) mutable {
    if (!done) {
      const bool full = done.error().code == ErrorCode::no_space;
      return next(full ? ENOSPC : EIO);
    }
    // The content came as a new file under the same name: ESTALE makes the kernel look again.
    next(self->is_stub(inode) ? ESTALE : 0);
  });
}

}  // namespace holdfast::fusefs
