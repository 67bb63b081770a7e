// LifecycleRunner: carries out the lifecycle rules of every bucket, over any store that numbers its
// versions (ObjectInfo::sequence). One pass walks all versions of the buckets that have rules, page
// by page, so memory does not grow with the bucket, and at a bounded rate.
// What is removed is what the rule was judged on: each removal names the latest version that was
// seen (DeleteRequest::if_latest), so that a write that comes between is never undone. Object Lock
// is the store's to enforce: what is locked stays and is counted.
// One pass at a time; a coroutine of the caller's executor. The rules: s3/lifecycle.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "s3/lifecycle.h"
#include "store/object_store.h"

namespace holdfast::store {

struct LifecycleOptions {
  std::chrono::seconds day = s3::whole_day;
  std::uint32_t versions_per_second = 20'000;  // looked at; 0: no limit
  std::uint32_t removals_per_second = 500;     // 0: no limit
};

enum class LifecycleAction : std::uint8_t {
  expire,             // the current version: removed, or covered by a delete marker
  remove_noncurrent,  // a version for good
  remove_marker,      // a delete marker with nothing behind it
  abort_upload,
};
struct LifecycleEvent {
  TimePoint time{};
  LifecycleAction action = LifecycleAction::expire;
  BucketName bucket;
  ObjectKey key;
  std::string version;  // or upload id
  std::string rule;
};

struct LifecycleCounts {
  std::uint64_t looked_at = 0;
  std::uint64_t expired = 0, noncurrent = 0, markers = 0, uploads = 0;
  std::uint64_t locked = 0;  // kept by Object Lock
  std::uint64_t failed = 0;  // left for the next pass
};

// Where a pass that was cut short goes on: behind `key` of `bucket`; empty: at the start.
struct LifecycleCursor {
  std::string bucket, key;
};

// What is to be done about one version.
struct LifecycleRemoval {
  LifecycleAction action = LifecycleAction::expire;
  DeleteRequest request;
  std::string rule;
};

// Judges the versions of one bucket, fed in the order of list_versions. Pure.
class LifecycleJudge {
 public:
  LifecycleJudge(BucketName bucket, const s3::LifecycleRules& rules, std::chrono::seconds day,
                 TimePoint now)
      : bucket_(std::move(bucket)), rules_(rules), day_(day), now_(now) {}

  void feed(const ObjectInfo& version);
  void finish();  // no more versions come
  // The removals found since the last call.
  std::vector<LifecycleRemoval> take() { return std::exchange(found_, {}); }
  // The last key of which all versions were fed.
  const std::string& done_key() const { return done_key_; }

 private:
  void start_key(const ObjectInfo& latest);
  void judge_noncurrent(const ObjectInfo& version);
  void judge_lone_marker();
  void add(LifecycleAction action, const ObjectInfo& version, const std::string& rule);

  BucketName bucket_;
  const s3::LifecycleRules& rules_;
  std::chrono::seconds day_;
  TimePoint now_;
  bool started_ = false;
  ObjectInfo latest_;
  std::optional<std::string> expired_by_;  // the rule that ends latest_
  bool lone_ = false;                      // only latest_ was seen of its key
  std::uint32_t newer_ = 0;                // noncurrent versions seen of the key
  std::uint64_t last_sequence_ = 0;
  TimePoint replaced_{};  // when the next version became noncurrent
  std::string done_key_;
  std::vector<LifecycleRemoval> found_;
};

class LifecycleRunner {
 public:
  struct Watcher {
    std::function<void(const LifecycleEvent&)> removed;
    std::function<void(const LifecycleCursor&)> passed;  // after each page
  };
  // The store and the clock outlive this.
  LifecycleRunner(ObjectStore& store, const Clock& clock, LifecycleOptions options, Watcher watcher)
      : store_(store), clock_(clock), options_(options), watcher_(std::move(watcher)) {}

  // An unreadable bucket is logged, counted as failed and passed over.
  Async<LifecycleCounts> run_pass(LifecycleCursor from, std::stop_token stop);

 private:
  Async<void> run_bucket(BucketName bucket, std::string after, std::stop_token stop);
  Async<void> run_versions(BucketName bucket, const s3::LifecycleRules& rules, std::string after,
                           std::stop_token stop);
  // Listings need not carry tags.
  boost::asio::awaitable<void> find_tags(const BucketName& bucket, const s3::LifecycleRules& rules,
                                         std::vector<ObjectInfo>& versions);
  Async<void> run_uploads(BucketName bucket, const s3::LifecycleRules& rules, std::stop_token stop);
  boost::asio::awaitable<void> carry_out(std::vector<LifecycleRemoval> removals,
                                         std::stop_token stop);
  void count(const LifecycleRemoval& removal, const Result<DeleteResult>& answer);

  ObjectStore& store_;
  const Clock& clock_;
  LifecycleOptions options_;
  Watcher watcher_;
  LifecycleCounts counts_;
};

}  // namespace holdfast::store
