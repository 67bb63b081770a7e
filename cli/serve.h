// `holdfast serve`: puts the parts together and takes them apart again in the right order.
// run() blocks until SIGINT or SIGTERM, or until a start fails (nothing is then left behind).
#pragma once

#include "base/error.h"
#include "cli/config.h"

namespace holdfast::cli {

// Answers the exit code. `ready` lines go to standard output, logs to standard error.
int serve(Config config);

}  // namespace holdfast::cli
