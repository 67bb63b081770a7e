// InodeTable: what the kernel knows of a tree: node ids, their lookup counts, their names, and an
// O_PATH descriptor for each, of which at most `max_descriptors` are open: others are opened anew
// by file handle (open_by_handle_at(2)), so a large home does not exhaust descriptors. Where
// handles are not to be had, every node keeps its descriptor. A node id is never reused.
// Thread-safe; no system call is made under the lock.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <expected>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "fusefs/reply.h"

namespace holdfast::fusefs {

// Answers at the kernel's edge carry the very errno, which base's ErrorCode would round.
template <class T>
using OrErrno = std::expected<T, int>;

enum class DataMode : std::uint8_t { closed, passthrough, daemon };

struct Inode {
  NodeId id = 0;
  mode_t type = 0;  // S_IFMT bits

  // How the kernel moves this file's bytes: settled by the first open, kept to the last release.
  std::mutex data_mutex;
  DataMode data_mode = DataMode::closed;
  std::uint64_t opens = 0;
  int backing_id = 0;
  // mtime in nanoseconds as the kernel was last told.
  std::atomic<std::int64_t> shown_modified{0};

 private:
  friend class InodeTable;
  struct Link {
    std::shared_ptr<Inode> parent;
    std::string name;
  };
  std::string key;  // of InodeTable::by_key_
  std::uint64_t lookups = 0;
  std::vector<Link> links;               // known names; the last one looked up is the last
  std::string last_path;                 // when there is no name left
  std::shared_ptr<const Fd> descriptor;  // null: opened by handle when needed
  std::list<Inode*>::iterator recent{};
  bool in_recent = false;
};

using InodePtr = std::shared_ptr<Inode>;
using PinnedFd = std::shared_ptr<const Fd>;

class InodeTable {
 public:
  // REQUIRES: root is open on a directory (not O_PATH).
  static Result<std::unique_ptr<InodeTable>> open(Fd root, std::size_t max_descriptors);

  InodePtr find(NodeId node);
  const InodePtr& root() const { return root_; }
  int root_fd() const { return root_fd_.get(); }
  // An O_PATH descriptor that stays open while it is held. ESTALE when the file is gone.
  OrErrno<PinnedFd> pin(const InodePtr& inode);

  struct Found {
    InodePtr inode;
    struct stat attributes{};
  };
  // Looks the name up in the tree, remembers it and counts one lookup of the kernel.
  // ENOENT when there is no such name.
  OrErrno<Found> lookup(const InodePtr& parent, const std::string& name);
  void forget(NodeId node, std::uint64_t lookups);
  void forget_all();

  // The tree has changed under these names; to be called after it did.
  InodePtr removed(const InodePtr& parent, const std::string& name);
  void renamed(const InodePtr& from, const std::string& from_name, const InodePtr& to,
               const std::string& to_name);
  void exchanged(const InodePtr& a, const std::string& a_name, const InodePtr& b,
                 const std::string& b_name);

  // "" is the root. The name last looked up; of a nameless (removed) file the last it had.
  std::string path(const Inode& inode) const;
  std::vector<std::string> paths(const Inode& inode) const;  // all known names
  static std::string join(const std::string& directory, std::string_view name);

  bool named(const Inode& inode) const;  // false once its last known name was removed here

  // The node that the kernel may hold for a file seen from outside, if any. No lookup is counted.
  InodePtr known(int directory, const std::string& name);
  // What the kernel knows under this name, if anything.
  InodePtr at(const InodePtr& parent, const std::string& name) const;
  // Names of every known node: what to drop when nothing is certain.
  struct KnownName {
    NodeId parent, node;
    std::string name;
  };
  std::vector<KnownName> all_names() const;
  std::size_t size() const;

 private:
  InodeTable(Fd root, std::size_t max_descriptors);
  std::string key_of(int fd, const struct stat& status) const;
  void add_link(const InodePtr& inode, const InodePtr& parent, const std::string& name);
  void drop_link(const InodePtr& inode, const Inode& parent, const std::string& name);
  void touch(Inode& inode);
  void trim(std::vector<PinnedFd>& out);
  std::string path_locked(const Inode& inode) const;

  struct NameKey {
    NodeId parent;
    std::string name;
    bool operator==(const NameKey&) const = default;
  };
  struct NameKeyHash {
    std::size_t operator()(const NameKey& key) const noexcept {
      return std::hash<std::string>{}(key.name) ^ (key.parent * 0x9E3779B97F4A7C15ull);
    }
  };

  Fd root_fd_;
  std::size_t max_descriptors_;
  bool handles_ = false;
  InodePtr root_;
  mutable std::mutex mutex_;
  NodeId next_id_ = root_node + 1;
  std::unordered_map<NodeId, InodePtr> by_id_;
  std::unordered_map<std::string, InodePtr> by_key_;
  std::unordered_map<NameKey, InodePtr, NameKeyHash> by_name_;
  std::list<Inode*> recent_;  // with an open descriptor, least recently used first
};

}  // namespace holdfast::fusefs
