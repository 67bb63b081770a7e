// DiskRecorder: everything that this process does to files below one directory, in order, and the
// disks that a power cut at any moment of it may leave behind. The C library's file functions are
// replaced in this program (disk_hooks.cc), so the code under test is the real one, SQLite
// included.
//
// Model of the disk (what POSIX promises, no more; ext4 and xfs promise more):
//   - what was written to a file before an fsync or fdatasync of it that returned is there;
//   - of later writes, any part may be there: each 512 bytes whole or not at all, in any order;
//   - names made, moved or removed in a directory before an fsync of it are as they were then; of
//     later changes in it a beginning, in order, may be there;
//   - writes through a mapping are not seen: to the model they are lost. SQLite's shared-memory
//     index is the only such file here, and is made anew by the first to open the database.
// One at a time in a process; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace holdfast::store {

struct DiskOp {
  enum class Kind : std::uint8_t {
    write,
    truncate,
    sync,
    name,
    unname,
    make_directory,
    sync_directory
  };
  Kind kind = Kind::write;
  std::uint64_t file = 0;    // of write, truncate, sync, name
  std::uint64_t offset = 0;  // of write; the new size of truncate
  std::string data;          // of write
  std::string path;          // below the root; of what concerns names
};

class DiskRecorder {
 public:
  // What lies there now counts as durable. Records until it is destroyed.
  explicit DiskRecorder(std::string root);
  ~DiskRecorder();
  DiskRecorder(const DiskRecorder&) = delete;
  DiskRecorder& operator=(const DiskRecorder&) = delete;

  // How many operations have been done: a moment to cut the power at.
  std::size_t now() const;
  const std::vector<DiskOp>& operations() const { return operations_; }  // when nothing runs
  // "log written", "blob named": an operation's name by what it does to which kind of file.
  std::string instant(std::size_t operation) const;

  enum class Loss : std::uint8_t {
    nothing,   // our own death: the kernel keeps all that was done
    unsynced,  // all that was not made durable
    some,      // of that, whatever the dice say
  };
  // Writes the disk as it may be after the first `moment` operations.
  void write_image(const std::string& directory, std::size_t moment, Loss loss,
                   std::mt19937_64& dice) const;

  // For the hooks. `path` is absolute.
  void opened(int fd, const std::string& path, bool created);
  void closed(int fd);
  void wrote(int fd, const void* data, std::size_t bytes, std::uint64_t offset);
  void truncated(int fd, std::uint64_t size);
  void synced(int fd);
  void linked(int fd, const std::string& path);
  void renamed(const std::string& from, const std::string& to);
  void removed(const std::string& path);
  void made_directory(const std::string& path);
  static DiskRecorder* active();
  std::recursive_mutex& mutex() { return mutex_; }

 private:
  struct Image;
  bool below(const std::string& path) const;
  std::string relative(const std::string& path) const { return path.substr(root_.size() + 1); }
  void add(DiskOp op) { operations_.push_back(std::move(op)); }

  std::string root_;
  mutable std::recursive_mutex mutex_;
  std::vector<DiskOp> operations_;
  std::uint64_t next_file_ = 1;
  std::unordered_map<int, std::uint64_t> open_files_;
  std::unordered_map<int, std::string> open_directories_;
  std::map<std::string, std::uint64_t> names_;  // as they are now
  // At the beginning.
  std::map<std::string, std::uint64_t> first_names_;
  std::map<std::uint64_t, std::string> first_contents_;
  std::vector<std::string> first_directories_;
};

}  // namespace holdfast::store
