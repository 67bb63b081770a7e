// BucketFs's state and coroutines, all on the strand. Included by bucket_*.cc only. Each coroutine
// that takes a Reply answers it.
#pragma once

#include <set>
#include <unordered_set>

#include "fusefs/bucket_fs.h"

namespace holdfast::fusefs {

template <class T>
using Task = boost::asio::awaitable<T>;

struct BucketFs::State : std::enable_shared_from_this<BucketFs::State> {
  State(boost::asio::any_io_executor executor, BucketOptions wanted, store::ObjectStore& objects,
        store::AccessFeed& feed, Clock& time);

  // What a name stands for in the store.
  struct Stat {
    bool directory = false;
    ETag etag;
    std::uint64_t size = 0;
    TimePoint modified{};
  };
  struct File {
    BucketNodePtr node;
    bool readable = false, writable = false;
    std::uint64_t next_offset = 0;  // where reading goes on if it runs forward
    std::uint64_t window = 0;       // bytes to read ahead
    std::uint64_t ahead = 0;        // first block not asked for yet
    std::shared_ptr<int> fetching = std::make_shared<int>(0);
  };
  struct Directory {
    BucketNodePtr node;
    struct Item {
      std::string name;
      Stat stat;
    };
    std::vector<Item> items;
    std::unordered_set<std::string> names;
    std::string start_after;
    bool listed = false;  // to the end
  };
  struct RenameNames {
    NodeId from_parent, to_parent;
    std::string from, to;
    bool replace = true;
  };
  enum class Plus : bool { no, yes };

  // --- bucket_fs.cc: nodes, rights, attributes.
  Rights rights(const BucketPath& place) const { return view.rights(place, clock.now()); }
  bool shown(const BucketPath& place) const;
  struct stat attributes(const BucketNode& node) const;
  Entry entry(const BucketNode& node) const;
  Task<void> follow_access();
  Task<std::chrono::milliseconds> poll_access();
  void apply(AccessView fresh);
  void announce_loss(const BucketNode& node);
  Task<void> do_getattr(Reply reply, NodeId id);
  Task<void> do_forget(std::vector<ForgetItem> items);

  // --- bucket_lookup.cc: names and listings.
  static Result<BucketPath> child(const BucketPath& parent, const std::string& name);
  Task<Result<BucketNodePtr>> resolve(BucketPath place);
  Task<Result<Stat>> stat_object(BucketPath place);
  BucketNodePtr node_for(const BucketPath& place, const Stat& stat);
  Task<void> do_lookup(Reply reply, NodeId parent, std::string name);
  Task<void> do_opendir(Reply reply, NodeId id);
  Task<void> do_readdir(Reply reply, std::uint64_t handle, ReadSpan span, Plus plus);
  Task<void> do_releasedir(Reply reply, std::uint64_t handle);
  Task<Result<void>> list_more(Directory& directory);
  void add_listed(Directory& directory, const std::string& name, Stat stat);
  void add_local(Directory& directory);

  // --- bucket_files.cc: open files and writing.
  Task<void> do_open(Reply reply, NodeId id, int flags);
  Task<void> do_create(Reply reply, NodeId parent, std::string name, int flags);
  Task<void> do_write(Reply reply, std::uint64_t handle, std::uint64_t offset,
                      std::vector<std::byte> data);
  Task<void> do_flush(Reply reply, std::uint64_t handle);
  Task<void> do_release(Reply reply, std::uint64_t handle);
  Task<void> do_setattr(Reply reply, NodeId id, AttributeChange change);
  Result<std::shared_ptr<Staging>> start_staging(BucketNode& node);
  Task<Result<void>> stage(BucketNodePtr node, bool empty);  // node->staging ready, one user more
  Task<Result<void>> fill(BucketNodePtr node, std::shared_ptr<Staging> staging);
  Task<Result<void>> truncate(BucketNodePtr node, std::uint64_t size);
  Task<Result<void>> upload(BucketNodePtr node);
  Task<void> leave_staging(BucketNodePtr node);
  void rescue(const BucketNode& node, std::string reason) const;
  std::uint64_t add_file(BucketNodePtr node, int flags);

  // --- bucket_reads.cc: blocks.
  Task<void> do_read(Reply reply, std::uint64_t handle, ReadSpan span);
  Task<Result<void>> confirm(BucketNodePtr node);  // the store still has this version
  void read_ahead(File& file, std::uint64_t last);
  std::vector<BlockPtr> ask(const BucketNodePtr& node, std::uint64_t first, std::uint64_t last,
                            const std::shared_ptr<int>& fetching);
  Task<void> fetch(BucketNodePtr node, std::uint64_t first, std::vector<BlockPtr> blocks,
                   std::shared_ptr<int> fetching);

  // --- bucket_names.cc: making, removing, renaming.
  Task<void> do_mkdir(Reply reply, NodeId parent, std::string name);
  Task<void> do_unlink(Reply reply, NodeId parent, std::string name);
  Task<void> do_rmdir(Reply reply, NodeId parent, std::string name);
  Task<void> do_rename(Reply reply, RenameNames names);
  Task<Result<void>> rename_file(BucketNodePtr node, BucketPath to);
  Task<Result<void>> rename_directory(BucketPath from, BucketPath to);
  Task<Result<void>> copy_object(BucketPath from, BucketPath to, ETag etag);
  void keep_parent(const BucketPath& place);

  boost::asio::any_io_executor strand;
  BucketOptions options;
  store::ObjectStore& store;
  store::AccessFeed& feed;
  Clock& clock;
  TaskGroup tasks;
  bool stopping = false;
  AccessView view;
  bool view_known = false;
  bool feed_failed = false;  // and that was logged
  std::uint64_t epoch = 0;
  BucketNodes nodes;
  BlockCache cache;
  std::unordered_map<std::uint64_t, std::shared_ptr<File>> files;
  std::unordered_map<std::uint64_t, std::shared_ptr<Directory>> directories;
  std::uint64_t next_handle = 1;
  // What a listing has just said, so that looking each name up asks nothing.
  struct Listed {
    Stat stat;
    MonotonicTime until;
  };
  std::unordered_map<std::string, Listed> listed;

  std::shared_ptr<Channel> channel;
  std::unique_ptr<Invalidator> invalidator;
};

inline std::string place_key(const BucketPath& place) { return place.bucket + "/" + place.path; }
// "" for the bucket itself, else the path with a slash behind.
inline std::string directory_prefix(const BucketPath& place) {
  return place.path.empty() ? "" : place.path + "/";
}
BucketPath parent_of(const BucketPath& place);
std::string name_of(const BucketPath& place);
// Missing things are ENOENT, rights EACCES, a version that moved ESTALE, all of the network EIO.
int view_errno(const Error& error);

}  // namespace holdfast::fusefs
