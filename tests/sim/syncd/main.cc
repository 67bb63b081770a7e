// syncd_sim [--seed N] [--seeds COUNT] [--from N] [--steps N]
// Runs seeds until one fails; prints it and how to replay it with a trace.
#include <stdlib.h>
#include <sys/xattr.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/log.h"
#include "tests/sim/syncd/home_sim.h"

namespace {

namespace fs = std::filesystem;

// Memory where it keeps extended attributes, which makes a seed some milliseconds.
std::string place() {
  for (const char* candidate : {"/dev/shm", "/tmp"}) {
    std::string pattern = std::string(candidate) + "/holdfast-sim-XXXXXX";
    if (!::mkdtemp(pattern.data())) continue;
    if (::setxattr(pattern.c_str(), "user.holdfast.test", "1", 1, 0) == 0) return pattern;
    fs::remove_all(pattern);
  }
  return {};
}

std::string run_seed(holdfast::syncd::SimOptions options) {
  const std::string directory = place();
  if (directory.empty()) return "no directory with extended attributes";
  std::string wrong;
  {
    holdfast::syncd::HomeSim sim(options, directory);
    wrong = sim.run();
  }
  fs::remove_all(directory);
  return wrong;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t from = 1, count = 150, single = 0;
  holdfast::syncd::SimOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--seed") single = value;
    if (name == "--seeds") count = value;
    if (name == "--from") from = value;
    if (name == "--steps") options.steps = static_cast<int>(value);
  }
  spdlog::set_level(spdlog::level::off);
  if (single != 0) {
    from = single;
    count = 1;
    options.trace = true;
    spdlog::set_pattern("    %v");
    spdlog::set_level(spdlog::level::debug);
  }
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    options.seed = seed;
    const std::string wrong = run_seed(options);
    if (wrong.empty()) continue;
    std::printf("seed %llu: %s\nreplay: %s --seed %llu --steps %d\n",
                static_cast<unsigned long long>(seed), wrong.c_str(), argv[0],
                static_cast<unsigned long long>(seed), options.steps);
    return 1;
  }
  std::printf("%llu seeds from %llu: nothing lost, everything converged\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(from));
  return 0;
}
