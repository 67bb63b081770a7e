// Writes into the registry who owns the buckets that S3 clients make. Thread-safe.
#pragma once

#include "base/blocking_pool.h"
#include "control/registry.h"
#include "gateway/bucket_owners.h"

namespace holdfast::cli {

class BucketOwnersAdapter final : public gateway::BucketOwners {
 public:
  BucketOwnersAdapter(control::Registry& registry, BlockingPool& pool)
      : registry_(registry), pool_(pool) {}

  boost::asio::awaitable<Result<void>> bucket_made(BucketName bucket, PrincipalName owner) override;
  boost::asio::awaitable<Result<void>> bucket_removed(BucketName bucket) override;

 private:
  control::Registry& registry_;
  BlockingPool& pool_;
};

}  // namespace holdfast::cli
