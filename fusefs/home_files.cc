// Open files: how they are opened, where their bytes flow, and what is told at close.
#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "base/log.h"
#include "fusefs/caller_scope.h"
#include "fusefs/home_internal.h"

namespace holdfast::fusefs {

namespace {

// O_APPEND is the kernel's matter (it sends offsets; pwrite on such a file would ignore them), and
// O_DIRECT would ask for aligned buffers.
constexpr int kept_flags = O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC | O_NOATIME | O_NONBLOCK;

bool opens_for_write(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
}

}  // namespace

void HomeFs::open(Reply reply, NodeId node, int flags) {
  const InodePtr inode = table_->find(node);
  if (inode == nullptr) return void(reply.error(ESTALE));
  // What is emptied needs no content.
  if ((flags & O_TRUNC) != 0) return finish_open(std::move(reply), inode, flags);
  with_content(inode, [self = shared_from_this(), reply = std::move(reply), inode,
                       flags](int error) mutable {
    if (error != 0) return void(reply.error(error));
    self->finish_open(std::move(reply), inode, flags);
  });
}

void HomeFs::finish_open(Reply reply, const InodePtr& inode, int flags) {
  const auto pinned = table_->pin(inode);
  if (!pinned) return void(reply.error(pinned.error()));
  auto handle = std::make_unique<FileHandle>();
  handle->inode = inode;
  handle->writable = opens_for_write(flags);
  if (handle->writable) announce_writer(*handle, table_->path(*inode));
  if (const int error = open_content(*handle, (*pinned)->get(), flags); error != 0) {
    retract_writer(*handle);
    return void(reply.error(error));
  }
  if (handle->writable && was_replaced(*handle)) {
    retract_writer(*handle);
    return void(reply.error(ESTALE));
  }
  if ((flags & O_TRUNC) != 0) {
    if (reply.caller().uid != 0) drop_privilege_bits(handle->fd.get());
    changed(*inode);
  }
  const Opened opened = open_data(*handle);
  if (reply.opened(opened)) {
    handle.release();
  } else {
    close_handle(*handle);
  }
}

// Emptying a stub ends its filling: the engine must not go on where the new content begins.
int HomeFs::open_content(FileHandle& handle, int pinned, int flags) {
  std::unique_lock<std::mutex> hold;
  struct stat status{};
  const bool empties = (flags & O_TRUNC) != 0;
  if (empties && ::fstat(pinned, &status) == 0) hold = events_.hold_content(status.st_ino);
  handle.fd = Fd(::open(proc_path(pinned).c_str(), (flags & kept_flags) | O_CLOEXEC));
  if (!handle.fd.valid()) return errno;
  if (empties) ::fremovexattr(handle.fd.get(), stub_attribute);
  return 0;
}

void HomeFs::create(Reply reply, NameAt name, std::uint32_t mode, int flags) {
  const InodePtr parent = table_->find(name.parent);
  const auto directory = parent != nullptr ? table_->pin(parent) : std::unexpected(ESTALE);
  if (!directory) return void(reply.error(directory.error()));
  auto handle = std::make_unique<FileHandle>();
  {
    const CallerScope scope(reply.caller());
    handle->fd = Fd(::openat((*directory)->get(), name.name.data(),
                             (flags & kept_flags) | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  }
  if (!handle->fd.valid()) {
    // Someone made it since the kernel looked (it may be a stub): ESTALE makes it look again.
    const bool look_again = errno == EEXIST && (flags & O_EXCL) == 0;
    return void(reply.error(look_again ? ESTALE : errno));
  }
  const std::string path = path_at(name);
  announce_writer(*handle, path);
  events_.changed(path);
  const auto found = table_->lookup(parent, std::string(name.name));
  if (!found) {
    retract_writer(*handle);
    return void(reply.error(found.error()));
  }
  handle->inode = found->inode;
  handle->writable = true;
  if (was_replaced(*handle)) {
    retract_writer(*handle);
    return void(reply.error(ESTALE));
  }
  const Opened opened = open_data(*handle);
  if (reply.created(entry_of(*found), opened)) {
    handle.release();
  } else {
    close_handle(*handle);
  }
}

// The engine put another file under the name, and the kernel has not heard of it yet: what is
// written into the old one would be lost. ESTALE makes the kernel look again.
bool HomeFs::was_replaced(const FileHandle& handle) const {
  struct stat status{};
  return ::fstat(handle.fd.get(), &status) == 0 && status.st_nlink == 0 &&
         table_->named(*handle.inode);
}

// Told before a byte can move: with passthrough or mmap no write passes by here.
void HomeFs::announce_writer(FileHandle& handle, std::string path) {
  events_.opened_for_write(path);
  const std::lock_guard lock(writers_mutex_);
  handle.announced = std::move(path);
  writers_.insert(&handle);
}

void HomeFs::move_writers(const std::string& from, const std::string& to) {
  const std::lock_guard lock(writers_mutex_);
  for (FileHandle* handle : writers_) {
    std::string& path = handle->announced;
    if (!path.starts_with(from)) continue;
    if (path.size() != from.size() && path[from.size()] != '/') continue;
    const std::string before = std::exchange(path, to + path.substr(from.size()));
    events_.opened_for_write(path);
    events_.closed_for_write(before);
  }
}

void HomeFs::retract_writer(FileHandle& handle) {
  const std::lock_guard lock(writers_mutex_);
  if (writers_.erase(&handle) > 0) events_.closed_for_write(handle.announced);
}

// The first open of a file settles how its bytes move; the kernel refuses a mixture.
Opened HomeFs::open_data(FileHandle& handle) {
  Inode& inode = *handle.inode;
  Opened opened;
  opened.handle = reinterpret_cast<std::uint64_t>(&handle);
  opened.no_flush = !handle.writable;
  const std::lock_guard lock(inode.data_mutex);
  if (inode.opens++ == 0) {
    inode.data_mode = DataMode::daemon;
    struct stat status{};
    // A write to a setuid file must take the bit away, which a passed-through write does not do.
    const bool privileged =
        ::fstat(handle.fd.get(), &status) != 0 || (status.st_mode & (S_ISUID | S_ISGID)) != 0;
    if (channel_->passthrough() && !privileged) {
      auto id = open_backing(handle);
      if (id) {
        inode.backing_id = *id;
        inode.data_mode = DataMode::passthrough;
      } else if (!refused_passthrough_.exchange(true)) {
        SPDLOG_WARN("fusefs: no passthrough for {}: {}; its bytes go through this process",
                    options_.tree, id.error().context);
      }
    }
  }
  opened.backing_id = inode.backing_id;
  opened.keep_cache = inode.data_mode == DataMode::daemon;
  return opened;
}

// The kernel opens the file anew by this descriptor, which must be readable.
Result<int> HomeFs::open_backing(const FileHandle& handle) {
  const int flags = ::fcntl(handle.fd.get(), F_GETFL);
  if ((flags & O_ACCMODE) != O_WRONLY) return channel_->open_backing(handle.fd.get());
  auto readable = open_file(proc_path(handle.fd.get()), O_RDONLY);
  if (!readable) return std::unexpected(readable.error());
  return channel_->open_backing(readable->get());
}

void HomeFs::release(Reply reply, NodeId, std::uint64_t handle) {
  const std::unique_ptr<FileHandle> file(FileHandle::from(handle));
  close_handle(*file);
  reply.error(0);
}

void HomeFs::close_handle(FileHandle& handle) {
  Inode& inode = *handle.inode;
  {
    const std::lock_guard lock(inode.data_mutex);
    if (--inode.opens == 0) {
      if (inode.backing_id > 0) channel_->close_backing(inode.backing_id);
      inode.backing_id = 0;
      inode.data_mode = DataMode::closed;
    }
  }
  if (!handle.writable) return;
  // What was written through a mapping moved the time without a word to the kernel's cache.
  if (modified_unseen(inode, handle.fd.get())) forget_attributes(inode.id);
  retract_writer(handle);
  changed(inode);
}

void HomeFs::read(Reply reply, NodeId, std::uint64_t handle, ReadSpan span) {
  reply.file_data(FileHandle::from(handle)->fd.get(), span.offset, span.size);
}

void HomeFs::write(Reply reply, NodeId, std::uint64_t handle, std::uint64_t offset,
                   std::span<const std::byte> data) {
  auto& file = *FileHandle::from(handle);
  if (auto written = write_all_at(file.fd.get(), data, offset); !written) {
    return void(reply.error(to_errno(written.error().code)));
  }
  if (reply.caller().uid != 0) drop_privilege_bits(file.fd.get());
  reply.written(data.size());
}

void HomeFs::flush(Reply reply, NodeId, std::uint64_t handle) {
  auto& file = *FileHandle::from(handle);
  if (!file.writable) return void(reply.error(0));
  // Told before close(2) returns, so that what is closed is known to be waiting; RELEASE is later.
  changed(*file.inode);
  if (options_.fsync == FsyncMeaning::uploaded) return wait_uploaded(std::move(reply), *file.inode);
  reply.error(0);
}

void HomeFs::fsync(Reply reply, NodeId, std::uint64_t handle, bool data_only) {
  auto& file = *FileHandle::from(handle);
  if ((data_only ? ::fdatasync(file.fd.get()) : ::fsync(file.fd.get())) != 0) {
    return void(reply.error(errno));
  }
  if (options_.fsync == FsyncMeaning::local_disk || !file.writable) return void(reply.error(0));
  changed(*file.inode);
  wait_uploaded(std::move(reply), *file.inode);
}

void HomeFs::wait_uploaded(Reply reply, const Inode& inode) {
  events_.wait_uploaded(table_->path(inode), [reply = std::move(reply)](Result<void> done) mutable {
    reply.error(done ? 0 : EIO);
  });
}

void HomeFs::fallocate(Reply reply, NodeId, std::uint64_t handle, int mode, ReadSpan span) {
  auto& file = *FileHandle::from(handle);
  const int result = ::fallocate(file.fd.get(), mode, static_cast<off_t>(span.offset),
                                 static_cast<off_t>(span.size));
  reply.error(result == 0 ? 0 : errno);
}

void HomeFs::lseek(Reply reply, NodeId, std::uint64_t handle, std::int64_t offset, int whence) {
  const off_t position = ::lseek(FileHandle::from(handle)->fd.get(), offset, whence);
  if (position < 0) return void(reply.error(errno));
  reply.offset(position);
}

void HomeFs::copy_range(Reply reply, std::uint64_t from_handle, std::uint64_t from_offset,
                        std::uint64_t to_handle, std::uint64_t to_offset, std::size_t size) {
  auto from = static_cast<off_t>(from_offset);
  auto to = static_cast<off_t>(to_offset);
  const ssize_t copied = ::copy_file_range(FileHandle::from(from_handle)->fd.get(), &from,
                                           FileHandle::from(to_handle)->fd.get(), &to, size, 0);
  if (copied < 0) return void(reply.error(errno));
  reply.written(static_cast<std::size_t>(copied));
}

}  // namespace holdfast::fusefs
