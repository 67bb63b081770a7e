// x-amz-expiration: when and by which lifecycle rule an object will expire. The parsed rules of a
// bucket are remembered for a moment, so that an ordinary read costs no look-up. Thread-safe.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "s3/lifecycle.h"
#include "store/object_store.h"

namespace holdfast::gateway {

class Expirations {
 public:
  Expirations(store::ObjectStore& store, const Clock& clock, std::chrono::seconds day)
      : store_(store), clock_(clock), day_(day) {}

  // Whether it is known, at this moment, that the bucket has no rules: what costs nothing to ask.
  bool known_to_end_nothing(const BucketName& bucket);
  // The header's value for a current version; empty where no rule ends it. What cannot be read
  // costs the header, never the answer.
  boost::asio::awaitable<std::string> header(BucketName bucket, const store::ObjectInfo& info);
  // The bucket's rules were replaced, or it was removed.
  void forget(const BucketName& bucket);

 private:
  using Rules = std::shared_ptr<const s3::LifecycleRules>;  // null: none
  struct Known {
    Rules rules;
    MonotonicTime until;
  };
  boost::asio::awaitable<Rules> rules_of(BucketName bucket);

  store::ObjectStore& store_;
  const Clock& clock_;
  const std::chrono::seconds day_;
  std::mutex mutex_;
  std::unordered_map<BucketName, Known> known_;  // bounded
};

}  // namespace holdfast::gateway
