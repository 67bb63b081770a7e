// syncd_sim [--seed N] [--seeds COUNT] [--from N] [--steps N]
// Runs seeds until one fails; prints it and how to replay it with a trace. With HOLDFAST_TEST_LONG
// set 20,000 from anywhere, where none are named.
#include <stdlib.h>
#include <sys/xattr.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>
#include <thread>

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

// Ends the program where a seed stands still, as in a deadlock: otherwise nobody learns which.
class Watchdog {
 public:
  Watchdog() : thread_([this] { watch(); }) {}
  ~Watchdog() {
    tell(0);
    thread_.join();
  }
  void tell(std::uint64_t seed) {
    const std::lock_guard lock(mutex_);
    seed_ = seed;
    told_.notify_one();
  }

 private:
  void watch() {
    std::unique_lock lock(mutex_);
    for (;;) {
      const std::uint64_t seed = seed_;
      if (seed == 0) return;
      if (told_.wait_for(lock, std::chrono::minutes(1), [&] { return seed_ != seed; })) continue;
      std::printf("seed %llu: stands still for a minute\n", static_cast<unsigned long long>(seed));
      std::fflush(stdout);
      std::_Exit(1);
    }
  }

  std::mutex mutex_;
  std::condition_variable told_;
  std::uint64_t seed_ = 1;
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t from = 1, count = 150, single = 0;
  if (std::getenv("HOLDFAST_TEST_LONG") != nullptr) {
    from = 1 + std::random_device{}();
    count = 20'000;
  }
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
  std::printf("seeds from %llu\n", static_cast<unsigned long long>(from));
  std::fflush(stdout);
  Watchdog watchdog;
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    watchdog.tell(seed);
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
