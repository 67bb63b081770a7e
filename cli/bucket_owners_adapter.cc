#include "cli/bucket_owners_adapter.h"

#include <utility>

namespace holdfast::cli {
namespace {

control::Actor gateway_actor() { return {.kind = control::Actor::Kind::system, .source = "s3"}; }

}  // namespace

boost::asio::awaitable<Result<void>> BucketOwnersAdapter::bucket_made(BucketName bucket,
                                                                      PrincipalName owner) {
  control::NewGrant grant{.principal = std::move(owner),
                          .bucket = std::move(bucket),
                          .prefix = {},
                          .level = control::Level::admin,
                          .not_after = std::nullopt};
  auto added = co_await pool_.run(
      [this, grant = std::move(grant)] { return registry_.add_grant(gateway_actor(), grant); });
  if (!added) co_return std::unexpected(added.error());
  co_return Result<void>();
}

boost::asio::awaitable<Result<void>> BucketOwnersAdapter::bucket_removed(BucketName bucket) {
  co_return co_await pool_.run([this, bucket = std::move(bucket)] {
    return registry_.remove_grants_of_bucket(gateway_actor(), bucket);
  });
}

}  // namespace holdfast::cli
