// What has to fit together in [store], for config.cc only. Pure.
#pragma once

#include "cli/config.h"

namespace holdfast::cli {

// Every error says which key, and what to write instead.
Result<void> check_store(const Config& config);

// A name that always means this machine.
bool is_local_domain(const std::string& domain);

}  // namespace holdfast::cli
