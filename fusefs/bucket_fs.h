// BucketFs: the buckets and prefixes that a person has been granted, as directories and files over
// any ObjectStore. What appears and vanishes follows the AccessFeed; a removed grant takes the
// names away at once and makes open files answer EACCES.
//
// Reading: ranged GETs in blocks, a window that doubles while reading runs forward (1 to 8 MiB),
// each open pinned to one ETag: a file replaced meanwhile answers ESTALE, never two versions mixed.
// Writing: a staging file, uploaded by close and fsync (large ones in parts), which report errors;
// If-Match on replacing. What cannot be uploaded in the end is kept for a person, not dropped.
// Names: keys with an empty, "." or ".." component or one over 255 bytes are not shown. Beside
// "a/b", an object "a" is hidden behind the directory "a". Modes and times cannot be set. Renaming
// copies, then deletes; a directory up to 10,000 objects, beyond that EXDEV (mv then moves singly).
// A store that cannot be reached is EIO, never ENOENT.
//
// All state lives on one strand; the methods of Filesystem post to it. start() and stop() run on
// it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/event.h"
#include "base/task_group.h"
#include "fusefs/access_view.h"
#include "fusefs/block_cache.h"
#include "fusefs/bucket_nodes.h"
#include "fusefs/filesystem.h"
#include "fusefs/invalidator.h"
#include "store/access_feed.h"
#include "store/object_store.h"

namespace holdfast::fusefs {

struct BucketOptions {
  std::string staging;             // directory for files being written
  std::string rescued;             // and, beside it, for those that the store would not take
  std::uint32_t uid = 0, gid = 0;  // who the view belongs to
  double cache_seconds = 1;
  std::size_t cache_bytes = 64u << 20;
};

class BucketFs final : public Filesystem, public std::enable_shared_from_this<BucketFs> {
 public:
  BucketFs(boost::asio::any_io_executor strand, BucketOptions options, store::ObjectStore& store,
           store::AccessFeed& access, Clock& clock);

  // Asks for the grants once, whatever comes of it, and follows them from then on.
  boost::asio::awaitable<void> start();
  boost::asio::awaitable<void> stop();

  void attach(std::shared_ptr<Channel> channel) override;
  void detach() override;
  void lookup(Reply reply, NameAt name) override;
  void forget(std::span<const ForgetItem> items) override;
  void getattr(Reply reply, NodeId node, std::uint64_t* handle) override;
  void setattr(Reply reply, NodeId node, AttributeChange change, std::uint64_t* handle) override;
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
  void statfs(Reply reply, NodeId node) override;

 private:
  struct State;
  template <class Method, class... Args>
  void run(Method method, Reply reply, Args... args);

  const boost::asio::any_io_executor strand_;
  const std::shared_ptr<State> state_;
};

}  // namespace holdfast::fusefs
