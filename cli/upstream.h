// From the configuration to the store behind the gateway, where that is another S3 endpoint.
#pragma once

#include <memory>

#include "base/clock.h"
#include "cli/config.h"
#include "store/credentials.h"
#include "store/upstream_store.h"

namespace holdfast::cli {

// The configured file, or the environment's pair: unauthenticated, saying where it was looked for.
Result<std::unique_ptr<store::CredentialsProvider>> upstream_credentials(
    const UpstreamConfig& config, const Clock& clock);

store::UpstreamOptions upstream_options(const UpstreamConfig& config);

}  // namespace holdfast::cli
