// HomeEngine: keeps one home's mirror tree (a plain directory) and its objects in a bucket equal.
// The engine runs on one strand; the methods marked "any thread" post to it. It holds to the
// invariants of docs/SEMANTICS.md: no loss, absence needs proof, no torn objects or files, no blind
// overwrite, base honesty, crash idempotence, no echo, names bijective, failure persists.
//
// Files not here yet are stubs: sparse files of the right size, mode and times that carry the xattr
// stub_xattr. ensure_local() fills one. Directories are always listed in full (thin first form).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "store/object_store.h"
#include "syncd/writer_table.h"

namespace holdfast::syncd {

// On a regular file of the tree: its content is not here. The value names the version.
inline constexpr const char* stub_xattr = "user.holdfast.stub";

// A path inside the home: bytes, no leading slash, components joined by '/', "" is the home itself.
using HomePath = std::string;

struct HomeConfig {
  std::string tree;   // the mirror tree; exists
  std::string state;  // private directory on the same filesystem: journal, temporary files
  BucketName bucket;
  std::string prefix;                    // "alice/"; ends with '/'
  std::string host;                      // named in conflict copies
  std::uint32_t uid = 0, gid = 0;        // owner of what the engine creates
  std::vector<std::string> exclude;      // globs on the whole path; neither uploaded nor downloaded
  std::chrono::milliseconds settle{20};  // quiet time before a changed file is read
  std::chrono::milliseconds settle_max{2000};  // a file written without pause is tried this late
  std::size_t uploads = 16, downloads = 16;
  bool hydrate_everything = true;  // fill stubs in the background, newest first
  // False: files are downloaded whole and never shown as stubs (for a tree that is read directly).
  bool stubs = true;
  // Quiet time of a directory before its own times are recorded: an unpacking archive changes them
  // thousands of times.
  std::chrono::milliseconds directory_settle{1000};
  std::chrono::milliseconds feed_wait{20'000};  // how long one call waits for a remote change
  std::chrono::milliseconds list_every{5'000};  // where the store has no feed
  std::size_t file_threads = 4;                 // 0: file work runs on the strand (the simulator)
  bool timers = true;  // false: nothing wakes by itself, poke() does (the simulator)
};

// Told of what the engine itself changed in the tree, so that a mount drops what the kernel caches.
// Called on the engine's strand; must not block.
class TreeObserver {
 public:
  virtual ~TreeObserver() = default;
  virtual void entry_changed(const HomePath& path) = 0;    // appeared, replaced, vanished
  virtual void content_changed(const HomePath& path) = 0;  // same inode: hydrated, attributes
};

// Something that waits for a person: a burst of deletions that nobody witnessed, a name that cannot
// be, a file and a directory of one name in the store.
struct ParkedItem {
  HomePath path;
  std::string reason;
};
enum class ParkedDecision : std::uint8_t {
  bring_back,  // the other side's file returns
  let_go,      // the deletion goes through; versions are retained
};
struct HomeStatus {
  bool started = false;       // the first complete listing has been merged
  std::uint64_t dirty = 0;    // paths that wait to upload, in flight included
  std::uint64_t working = 0;  // paths with anything to do, in either direction
  std::uint64_t downloading = 0, stubs = 0;
  std::uint64_t uploaded = 0, downloaded = 0, conflicts = 0;  // since start
  TimePoint oldest_dirty{};                                   // when the oldest of them was noted
  std::string last_error;  // of the store; empty while it answers
  static constexpr std::size_t most_parked = 100;
  std::vector<ParkedItem> parked;  // so many at most
};

class Engine;

class HomeEngine {
 public:
  HomeEngine(boost::asio::any_io_executor strand, HomeConfig config, store::ObjectStore& store,
             Clock& clock, Random& random, TreeObserver* observer);
  ~HomeEngine();
  HomeEngine(const HomeEngine&) = delete;
  HomeEngine& operator=(const HomeEngine&) = delete;

  // Opens the journal, compares tree and base (always after an unclean stop), merges the remote
  // listing, then follows the change feed (or lists every 5 s where there is none).
  // locked: another engine holds the state directory.
  boost::asio::awaitable<Result<void>> start();

  // --- From a mount's threads: any thread; what blocks does so for a few system calls.
  void changed(HomePath path);  // created, written, truncated, attributes, removed: look again
  void renamed(HomePath from, HomePath to);
  // Content may move without further word until closed. From its return until then the engine
  // takes no file away from `path`: look afterwards whether the one opened still has the name.
  void opened_for_write(const HomePath& path);
  void closed_for_write(HomePath path);
  // While held no bytes of the store are written into this inode. For emptying what may be a stub:
  // truncate it and take its mark away under one hold.
  ContentGate::Hold hold_content(std::uint64_t inode);
  // Calls back (on the strand) when the content of `path` is here, or why it cannot be.
  // unavailable is EIO to the reader, never an empty file.
  void ensure_local(HomePath path, std::function<void(Result<void>)> done);
  // Calls back when everything noted about `path` so far has a version id. For --fsync=upload.
  void wait_uploaded(HomePath path, std::function<void(Result<void>)> done);

  HomeStatus status() const;  // any thread

  // Answers parked deletions; "" means all of them. Any thread.
  void decide_parked(HomePath path, ParkedDecision decision);
  // Compares what lies below `directory` ("" is everything) with the base. Any thread. For a
  // watcher that has lost events; deletions found so are subject to parking.
  void rescan(HomePath directory);
  // Starts what has become due. Any thread. Only of use with a Clock that does not tick by itself.
  void poke();

  // Uploads what waits; timed_out when something is left at the deadline (it stays queued).
  boost::asio::awaitable<Result<void>> drain(std::chrono::milliseconds limit);
  // Clean stop: no new work, running transfers end or are cancelled, the journal is closed clean.
  boost::asio::awaitable<void> stop();

 private:
  std::shared_ptr<Engine> engine_;
};

}  // namespace holdfast::syncd
