// One thread's share of the load: so many connections, each with one request under way, until the
// time or the requests are over.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "bench/load_requests.h"

namespace holdfast {

struct LoadTally {
  std::vector<float> milliseconds;
  std::uint64_t bytes = 0;
  std::chrono::steady_clock::time_point first, last;  // first begin and last end of what counts
  Error error;
  bool failed = false;
};

// Blocks. Ends the program if a body is not what `requests` expect.
LoadTally run_load(const LoadOptions& options, LoadRequests& requests, unsigned connections);

}  // namespace holdfast
