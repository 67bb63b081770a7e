// The default retention of buckets with Object Lock (AWS S3 user guide, "Object Lock: default
// retention"): applied here to writes that name no mode of their own. Most buckets have no Object
// Lock, which is decided when they are made: that answer is remembered for a moment, so that an
// ordinary write costs no look-up. Thread-safe.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <mutex>
#include <unordered_map>

#include "base/clock.h"
#include "s3/error.h"
#include "store/object_store.h"

namespace holdfast::gateway {

class LockDefaults {
 public:
  LockDefaults(store::ObjectStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  // Gives `retention` the bucket's default where it has no mode. Fails closed: when the
  // configuration cannot be read, the write must not happen.
  boost::asio::awaitable<s3::ApiResult<void>> apply(BucketName bucket, store::Retention& retention);
  // The bucket was made or removed.
  void forget(const BucketName& bucket);

 private:
  bool known_without_lock(const BucketName& bucket);
  void remember_without_lock(const BucketName& bucket);

  store::ObjectStore& store_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<BucketName, MonotonicTime> without_lock_;  // until when; bounded
};

// The default of an ObjectLockConfiguration, counted from `now`; mode none where it has no rule.
s3::ApiResult<store::Retention> default_retention(std::string_view xml, TimePoint now);

}  // namespace holdfast::gateway
