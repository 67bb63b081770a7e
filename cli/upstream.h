// From the configuration to the store behind the gateway, where that is another S3 endpoint.
#pragma once

#include <memory>

#include "base/clock.h"
#include "cli/config.h"
#include "store/credentials.h"
#include "store/direct_urls.h"
#include "store/upstream_store.h"

namespace holdfast::cli {

// The configured file, or the environment's pair: unauthenticated, saying where it was looked for.
Result<std::unique_ptr<store::CredentialsProvider>> upstream_credentials(
    const UpstreamConfig& config, const Clock& clock);

// Both null: not asked for. `sts` outlives the URLs.
Result<std::unique_ptr<store::StsClient>> sts_client(const UpstreamConfig& config,
                                                     store::CredentialsProvider& credentials,
                                                     const Clock& clock);
Result<std::unique_ptr<store::DirectUrls>> direct_urls(const UpstreamConfig& config,
                                                       store::CredentialsProvider& credentials,
                                                       const Clock& clock, store::StsClient* sts);

store::UpstreamOptions upstream_options(const UpstreamConfig& config);

}  // namespace holdfast::cli
