// Engine: the inside of HomeEngine, see home_engine.h. Everything here runs on one strand; only
// what is marked "any thread" may be called from elsewhere. A path with something to do has a Work;
// at most one coroutine handles it at a time: it gathers the three observations, asks the planner,
// carries one action out, and looks again until the path is settled.
#pragma once

#include <unordered_set>

#include "syncd/engine_state.h"

namespace holdfast::syncd {

class Engine : private EngineState, public std::enable_shared_from_this<Engine> {
 public:
  template <class T>
  using Async = boost::asio::awaitable<Result<T>>;
  using Done = std::function<void(Result<void>)>;

  Engine(boost::asio::any_io_executor strand, HomeConfig config, store::ObjectStore& store,
         Clock& clock, Random& random, TreeObserver* observer);

  Async<void> start();
  Async<void> drain(std::chrono::milliseconds limit);
  boost::asio::awaitable<void> stop();
  const boost::asio::any_io_executor& strand() const { return strand_; }
  HomeStatus status() const;         // any thread
  void post(std::function<void()>);  // any thread: runs it on the strand, in order
  void abandon();                    // any thread: no further work is begun

  // What the mount and the watcher say.
  void note_local(const HomePath& path);
  void note_rename(const HomePath& from, const HomePath& to);
  void writer_opened(const HomePath& path) { writers_.opened(path); }                // any thread
  void writer_closed(const HomePath& path) { writers_.closed(path); }                // any thread
  ContentGate::Hold hold_content(std::uint64_t inode) { return gate_.hold(inode); }  // any thread
  void want_content(const HomePath& path, Done done);
  void want_upload(const HomePath& path, Done done);
  void note_remote(const HomePath& path, HomeKind kind, const std::string& version,
                   std::uint64_t sequence);
  void decide_parked(const HomePath& path, ParkedDecision decision);
  void rescan(const HomePath& directory, ScanMode mode);
  void pump();  // starts what is due; called whenever something may have become so

 private:
  // --- engine_queue.cc
  Work& work_at(const HomePath& path);
  void set_local(Work& work, bool value);
  void schedule(const HomePath& path, Work& work, MonotonicTime due);
  void unschedule(const HomePath& path, Work& work);
  bool has_room(Lane lane) const;
  Lane lane_for(const HomePath& path);
  void start_due();
  void begin(const HomePath& path);
  void finish(const HomePath& path, std::uint64_t generation, Result<Step> result);
  void fail_work(const HomePath& path, Work& work, const Error& error);
  void store_answered();
  void fill_background();
  void arm_timer();
  void publish();
  boost::asio::awaitable<void> pause(std::chrono::milliseconds time);
  bool has_work_below(const HomePath& directory) const;
  void release_waiters(Work& work, Result<void> content, Result<void> upload);

  // --- engine_reconcile.cc
  boost::asio::awaitable<void> run(HomePath path);
  Async<Step> attempt(HomePath path, Work& work);
  Async<void> gather(Case& at, Work& work);
  Async<void> fetch_remote(Case& at, Work& work);
  Async<void> identify_local(Case& at);
  Node local_node(const Case& at) const;
  Node base_node(const Case& at) const;
  Node remote_node(const Case& at) const;
  bool holds_directory(const Case& at) const;  // the store, as far as fetched or presumed
  bool holds_file(const Case& at) const;
  bool holds_both(const Case& at) const;
  bool is_unchanged(const Case& at) const;
  Async<Step> act(Action action, Case& at, Work& work);
  Step settle(Case& at);
  bool awaits_decision(const HomePath& path) const;
  void save(BaseRow row);
  void drop(const HomePath& path);
  std::string link_group(const Case& at) const;

  // --- engine_push.cc
  Async<Step> push(Case& at, Work& work);
  Async<RemoteNode> send(Case& at, Work& work, UploadSpec spec);
  Async<RemoteNode> send_file(Case& at, UploadSpec spec);
  Async<Step> push_metadata(Case& at, Work& work);
  Async<Step> push_removal(Case& at, Work& work);
  Async<Step> push_keeping_remote(Case& at, Work& work);
  std::optional<CopySource> copy_source(const Case& at, const Work& work) const;
  std::optional<Step> must_wait(Case& at, Work& work);
  UploadSpec spec_for(const Case& at, Work& work) const;
  Step pushed(Case& at, Work& work, const RemoteNode& node);
  void remember_own(const std::string& version);
  void begin_operation(Work& work);
  void end_operation(Work& work);
  bool was_ours_before(const std::string& operation) const;
  Result<Step> push_failed(Case& at, Work& work, const Error& error);

  // --- engine_pull.cc
  Async<Step> pull(Case& at, Work& work, Displaced displaced);
  Async<Step> pull_file(Case& at, Displaced displaced);
  Async<Step> pull_symlink(Case& at, Displaced displaced);
  Async<Step> pull_directory(Case& at, Displaced displaced);
  Async<Step> clear_directory(Case& at, Work& work);
  Async<Step> pull_metadata(Case& at, Work& work);
  Async<Step> pull_removal(Case& at, Work& work);
  Async<Step> follow_move(Case& at, Work& work);
  Async<TemporaryFile> download(Case& at, const Looks& looks);
  std::optional<TemporaryFile> link_from_group(const Case& at);
  Async<Step> install(Case& at, TemporaryFile file, Displaced displaced);
  Async<void> hydrate(HomePath path);
  // With `stub` the file is a stub of that inode, filled in place for as long as it is one.
  using StubInode = std::optional<std::uint64_t>;
  Async<void> receive(Body body, int fd, const BaseRow& row, StubInode stub);
  Result<void> remove_unwritten(const Case& at);
  Result<void> make_parents(const HomePath& path);
  std::optional<HomePath> file_above(const HomePath& path) const;
  void unblock(const HomePath& path);
  void installed(Case& at, const Observed& now);

  // --- engine_feed.cc
  boost::asio::awaitable<void> follow();
  Async<bool> follow_feed();
  Async<void> merge_listing();
  void merge_listed(const store::ObjectInfo& info, std::unordered_set<std::uint64_t>& seen);
  Async<void> find_vanished(const std::unordered_set<std::uint64_t>& seen);
  Async<void> learn_feed_end();
  boost::asio::awaitable<void> wait_for_room();
  boost::asio::awaitable<void> keep_saving();
  Async<void> save_ledger();

  // --- engine_start.cc
  Async<void> open_parts();
  Async<void> check_marker();
  Async<void> scan_tree(HomePath directory, ScanMode mode);
  void compare_scanned(const ScanEntry& entry, const std::optional<BaseRow>& row,
                       ScanFindings& found);
  void conclude_scan(ScanFindings found, ScanMode mode);
  boost::asio::awaitable<void> first_merge();
  boost::asio::awaitable<void> wait_merged();
  Async<void> offload(std::function<Result<void>()> work);
  Offload offloader();
};

}  // namespace holdfast::syncd
