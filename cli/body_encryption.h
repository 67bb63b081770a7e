// Whether every body of the built-in store is encrypted, or only those of now. The store knows that
// of each body alone, so it is noted once, in a file of the data directory: written while the store
// is still empty and seals what comes, taken away by a start that does not seal.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "gateway/s3_service_options.h"
#include "store/root_keys.h"

namespace holdfast::cli {

// REQUIRES: the store is open and nothing was written to it since. `keys` may be null;
// `last_sequence`: of its recovery report. What it answers is durable. Blocks.
Result<gateway::BodyEncryption> settle_body_encryption(const std::string& note,
                                                       const store::RootKeys* keys,
                                                       std::uint64_t last_sequence);

}  // namespace holdfast::cli
