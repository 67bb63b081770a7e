// The webhooks of the configuration with their tokens, read once at start.
#pragma once

#include <vector>

#include "base/error.h"
#include "cli/config.h"
#include "gateway/webhooks.h"

namespace holdfast::cli {

// access_denied: a token that others than its owner may read. A token that is two words is the
// whole Authorization header, one is a bearer's.
Result<std::vector<gateway::WebhookTarget>> webhook_targets(const Config& config);

}  // namespace holdfast::cli
