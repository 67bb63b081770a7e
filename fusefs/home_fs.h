// HomeFs: the home that people see, over its mirror tree. Every operation is the kernel
// filesystem's own on the tree; what is here is opened with passthrough, what is not here yet (a
// stub) is fetched at open. Each change is told to HomeEvents after it has happened.
// Runs as root under default_permissions; what is created is the caller's own.
// All methods of Filesystem: on workers. invalidate_*(): any thread, never block.
//
// Paths follow syncd::HomePath. Attributes named user.holdfast.* are neither seen nor set.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "fusefs/filesystem.h"
#include "fusefs/home_events.h"
#include "fusefs/inode_table.h"
#include "fusefs/invalidator.h"

struct dirent;

namespace holdfast::fusefs {

class DirectoryPage;

enum class FsyncMeaning : std::uint8_t { local_disk, uploaded };

struct HomeOptions {
  std::string tree;  // exists
  FsyncMeaning fsync = FsyncMeaning::local_disk;
  double cache_seconds = 3600;      // names and attributes; changes from outside are announced
  std::size_t max_descriptors = 0;  // 0: a third of RLIMIT_NOFILE
};

class HomeFs final : public Filesystem, public std::enable_shared_from_this<HomeFs> {
 public:
  // `events` outlives the mount.
  static Result<std::shared_ptr<HomeFs>> open(HomeOptions options, HomeEvents& events);

  // The tree was changed from outside: a name appeared, vanished or was replaced; or a file's
  // content or attributes did.
  void invalidate_entry(const std::string& path);
  void invalidate_content(const std::string& path);
  void wait_invalidated();

  void attach(std::shared_ptr<Channel> channel) override;
  void detach() override;

  void lookup(Reply reply, NameAt name) override;
  void forget(std::span<const ForgetItem> items) override;
  void getattr(Reply reply, NodeId node, std::uint64_t* handle) override;
  void setattr(Reply reply, NodeId node, AttributeChange change, std::uint64_t* handle) override;
  void readlink(Reply reply, NodeId node) override;
  void mknod(Reply reply, NameAt name, std::uint32_t mode, std::uint64_t device) override;
  void mkdir(Reply reply, NameAt name, std::uint32_t mode) override;
  void unlink(Reply reply, NameAt name) override;
  void rmdir(Reply reply, NameAt name) override;
  void symlink(Reply reply, NameAt name, std::string_view target) override;
  void rename(Reply reply, NameAt from, NameAt to, unsigned flags) override;
  void link(Reply reply, NodeId node, NameAt name) override;
  void open(Reply reply, NodeId node, int flags) override;
  void create(Reply reply, NameAt name, std::uint32_t mode, int flags) override;
  void read(Reply reply, NodeId node, std::uint64_t handle, ReadSpan span) override;
  void write(Reply reply, NodeId node, std::uint64_t handle, std::uint64_t offset,
             std::span<const std::byte> data) override;
  void flush(Reply reply, NodeId node, std::uint64_t handle) override;
  void release(Reply reply, NodeId node, std::uint64_t handle) override;
  void fsync(Reply reply, NodeId node, std::uint64_t handle, bool data_only) override;
  void opendir(Reply reply, NodeId node) override;
  void readdir(Reply reply, NodeId node, std::uint64_t handle, ReadSpan span) override;
  void readdirplus(Reply reply, NodeId node, std::uint64_t handle, ReadSpan span) override;
  void releasedir(Reply reply, NodeId node, std::uint64_t handle) override;
  void fsyncdir(Reply reply, NodeId node, std::uint64_t handle, bool data_only) override;
  void statfs(Reply reply, NodeId node) override;
  void setxattr(Reply reply, NodeId node, const char* name, std::span<const std::byte> value,
                int flags) override;
  void getxattr(Reply reply, NodeId node, const char* name, std::size_t size) override;
  void listxattr(Reply reply, NodeId node, std::size_t size) override;
  void removexattr(Reply reply, NodeId node, const char* name) override;
  void fallocate(Reply reply, NodeId node, std::uint64_t handle, int mode, ReadSpan span) override;
  void lseek(Reply reply, NodeId node, std::uint64_t handle, std::int64_t offset,
             int whence) override;
  void copy_range(Reply reply, std::uint64_t from_handle, std::uint64_t from_offset,
                  std::uint64_t to_handle, std::uint64_t to_offset, std::size_t size) override;

 private:
  struct FileHandle;
  struct DirectoryHandle;
  HomeFs(HomeOptions options, HomeEvents& events, std::unique_ptr<InodeTable> table);

  enum class Listing : std::uint8_t { names, with_entries };
  Entry entry_of(const InodeTable::Found& found);
  void reply_new_name(Reply reply, const InodePtr& parent, const std::string& name);
  void changed(const Inode& inode);
  void changed_below(const std::string& path);
  std::string path_at(NameAt name) const;
  void remove_name(Reply reply, NameAt name, int at_flags);
  void list(Reply reply, std::uint64_t handle, ReadSpan span, Listing listing);
  int fill_page(DirectoryPage& page, DirectoryHandle& directory, std::int64_t from,
                Listing listing);
  bool add_item(DirectoryPage& page, const DirectoryHandle& directory, const struct dirent& item,
                Listing listing);

  int attributes_of(const InodePtr& inode, struct stat& out);
  void show_stub_blocks(const InodePtr& inode, struct stat& attributes);
  static bool modified_unseen(const Inode& inode, int fd);
  static void drop_privilege_bits(int fd);
  int apply_change(const InodePtr& inode, const AttributeChange& change, const FileHandle* file);
  void finish_setattr(Reply reply, const InodePtr& inode, const AttributeChange& change,
                      const FileHandle* file);

  bool is_stub(const InodePtr& inode);
  // Calls `next(errno)` when the content is here (0) or cannot be, maybe on another thread.
  template <class Next>
  void with_content(const InodePtr& inode, Next next);
  void finish_open(Reply reply, const InodePtr& inode, int flags);
  Opened open_data(FileHandle& handle);
  Result<int> open_backing(const FileHandle& handle);
  bool was_replaced(const FileHandle& handle) const;
  void close_handle(FileHandle& handle);
  // A writer is announced before a byte can move, moves with renames, and is taken back once.
  void announce_writer(FileHandle& handle, std::string path);
  int open_content(FileHandle& handle, int pinned, int flags);  // an errno
  void move_writers(const std::string& from, const std::string& to);
  void retract_writer(FileHandle& handle);
  void wait_uploaded(Reply reply, const Inode& inode);

  void drop_entry(const std::string& path);
  void drop_content(const std::string& path);
  void drop_everything();
  void forget_attributes(NodeId node);

  const HomeOptions options_;
  HomeEvents& events_;
  std::unique_ptr<InodeTable> table_;
  std::shared_ptr<Channel> channel_;
  std::unique_ptr<Invalidator> invalidator_;
  std::mutex writers_mutex_;
  std::set<FileHandle*> writers_;
  std::atomic<bool> refused_passthrough_{false};  // logged once
};

}  // namespace holdfast::fusefs
