// What LocalStore holds, private to the local_*.cc files.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/blocking_pool.h"
#include "store/local_body.h"
#include "store/local_files.h"
#include "store/local_hot.h"
#include "store/local_readers.h"
#include "store/local_sequencer.h"
#include "store/local_store.h"
#include "store/local_waiters.h"

namespace holdfast::store {

struct LocalStore::State {
  State(LocalStoreOptions o, Clock& c, Random& r, BlobFiles blobs)
      : options(std::move(o)),
        clock(c),
        random(r),
        files(std::move(blobs), log_directory(options), options.open_files),
        readers(index_path(options)),
        hot(options.cache_bytes),
        md5(pool, std::max<std::size_t>(1, options.blocking_threads / 2)),
        pool(options.blocking_threads) {}

  static std::string log_directory(const LocalStoreOptions& o) { return o.directory + "/log"; }
  static std::string blob_directory(const LocalStoreOptions& o) { return o.directory + "/blobs"; }
  static std::string index_path(const LocalStoreOptions& o) {
    return o.directory + "/index/catalogue.db";
  }

  LocalStoreOptions options;
  Clock& clock;
  Random& random;
  Fd lock;
  RecoveryReport recovery;
  LocalFiles files;
  CatalogueReaders readers;
  ChangeWaiters waiters;
  HotObjects hot;
  std::mutex damaged_mutex;
  std::unordered_set<std::string> damaged;
  std::atomic<bool> any_damaged = false;
  Md5Queue md5;  // its work is done by the pool: so it goes after that
  BlockingPool pool;
  // Last, so that it is gone before what its thread uses.
  std::unique_ptr<Sequencer> sequencer;

  // After each group, on the sequencer's thread.
  void committed(const ApplyEffects& effects);
  bool is_damaged(const std::string& blob);
  BodySink sink() { return {options, files, pool, md5, random}; }
};

}  // namespace holdfast::store
