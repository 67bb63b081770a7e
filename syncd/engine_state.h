// What the engine holds, apart from what it does (engine.h). Strand only, but for what the two
// mutexes guard.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_set>

#include "base/blocking_pool.h"
#include "base/task_group.h"
#include "syncd/engine_types.h"
#include "syncd/home_engine.h"
#include "syncd/home_tree.h"
#include "syncd/ledger.h"
#include "syncd/remote_home.h"
#include "syncd/tree_scan.h"
#include "syncd/writer_table.h"

namespace holdfast::syncd {

struct EngineState {
  EngineState(boost::asio::any_io_executor strand, HomeConfig config, store::ObjectStore& store,
              Clock& clock, Random& random, TreeObserver* observer)
      : strand_(strand),
        config_(std::move(config)),
        store_(store),
        clock_(clock),
        random_(random),
        observer_(observer),
        remote_(strand, store, config_.bucket, config_.prefix),
        tasks_(strand),
        waiting_(strand),
        timer_(strand) {
    if (config_.file_threads > 0) pool_ = std::make_unique<BlockingPool>(config_.file_threads);
  }

  const boost::asio::any_io_executor strand_;
  const HomeConfig config_;
  store::ObjectStore& store_;
  Clock& clock_;
  Random& random_;
  TreeObserver* const observer_;

  std::unique_ptr<BlockingPool> pool_;
  Fd lock_;
  std::unique_ptr<HomeTree> tree_;
  std::unique_ptr<Ledger> ledger_;
  RemoteHome remote_;
  TaskGroup tasks_;
  TaskGroup waiting_;  // what only waits for news and loses nothing by being cancelled

  std::map<HomePath, Work> work_;
  std::array<std::set<std::pair<MonotonicTime, HomePath>>, lanes> ready_;
  std::array<std::size_t, lanes> active_{};
  WriterTable writers_;  // any thread
  ContentGate gate_;     // any thread
  std::multiset<TimePoint> dirty_since_;
  TokenBucket interactive_new_{20, 20}, interactive_edits_{50, 50};
  std::deque<std::string> own_order_;  // versions that we made, so that the feed's echo is known
  std::unordered_set<std::string> own_versions_;

  std::deque<HomePath> background_;
  std::size_t background_skip_ = 0;
  MonotonicTime background_again_{};
  boost::asio::steady_timer timer_;
  std::multimap<MonotonicTime, std::shared_ptr<boost::asio::steady_timer>> sleepers_;

  std::string instance_;  // of this home's journal; in operation ids and link groups
  std::uint64_t operations_ = 0;
  std::set<std::uint64_t> open_operations_;     // sent, and not yet in a base row
  std::uint64_t unsaved_operations_after_ = 0;  // of the run before, which ended uncleanly
  bool pumping_ = false, pump_again_ = false;
  bool stopping_ = false, merged_ = false, clean_start_ = false, trust_stamps_ = false;
  std::optional<std::uint64_t> feed_position_;
  bool has_feed_ = true;
  std::uint64_t merge_left_ = 0;  // noted by the first merge and not yet handled once
  std::uint64_t stubs_ = 0, uploaded_ = 0, downloaded_ = 0, conflicts_ = 0;
  std::string last_error_;

  mutable std::mutex published_mutex_;
  HomeStatus published_;
  std::mutex inbox_mutex_;
  std::vector<std::function<void()>> inbox_;
};

}  // namespace holdfast::syncd
