// BucketOwners: keeps the grants in step with the buckets that S3 clients make and remove. The
// gateway only tells; whoever assembles the server knows the registry. Any thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "base/error.h"
#include "base/ids.h"

namespace holdfast::gateway {

class BucketOwners {
 public:
  virtual ~BucketOwners() = default;
  // `owner` administers the bucket from the moment of the answer on.
  virtual boost::asio::awaitable<Result<void>> bucket_made(BucketName bucket,
                                                           PrincipalName owner) = 0;
  // Nobody holds a grant on it any more: a later bucket of that name is another one.
  virtual boost::asio::awaitable<Result<void>> bucket_removed(BucketName bucket) = 0;
};

}  // namespace holdfast::gateway
