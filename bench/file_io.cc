// One workload on one file, with the page cache warm: what the home mount is measured with beside
// the plain filesystem. Prints one line of JSON.
//   holdfast_bench_file_io FILE WORKLOAD [--bytes N] [--seconds S]
// Workloads: prepare (writes N bytes, syncs them, reads them once), seq_read and seq_write (1 MiB),
// rand_read and rand_write (4 KiB), rand_write_sync (4 KiB, fdatasync after each), append_sync
// (4 KiB appended to an empty file, fdatasync after each). Only the last two and prepare sync.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/fd.h"

namespace holdfast {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t large_block = 1u << 20;
constexpr std::size_t small_block = 4096;

struct Options {
  std::string file, workload;
  std::uint64_t bytes = 512u << 20;
  double seconds = 1;
};

struct Workload {
  std::string name;
  std::size_t block;
  bool writes, random, sync, append;
};

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = {
      {"seq_read", large_block, false, false, false, false},
      {"seq_write", large_block, true, false, false, false},
      {"rand_read", small_block, false, true, false, false},
      {"rand_write", small_block, true, true, false, false},
      {"rand_write_sync", small_block, true, true, true, false},
      {"append_sync", small_block, true, false, true, true},
  };
  return all;
}

std::vector<std::byte> random_block(std::size_t size) {
  std::mt19937_64 random(1);
  std::vector<std::byte> block(size);
  for (auto& byte : block) byte = static_cast<std::byte>(random());
  return block;
}

Result<void> prepare(const Options& options) {
  auto file = open_file(options.file, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (!file) return std::unexpected(file.error());
  auto block = random_block(large_block);
  for (std::uint64_t at = 0; at < options.bytes; at += block.size()) {
    if (auto done = write_all_at(file->get(), block, at); !done) return done;
  }
  if (auto done = sync_data(file->get()); !done) return done;
  for (std::uint64_t at = 0; at < options.bytes; at += block.size()) {
    if (auto done = read_at(file->get(), block, at); !done) return std::unexpected(done.error());
  }
  return {};
}

// Where the next block lies: one after another with a return to the start, or anywhere.
class Offsets {
 public:
  Offsets(const Workload& workload, std::uint64_t bytes)
      : workload_(workload),
        blocks_(bytes / workload.block),
        random_(Steady::now().time_since_epoch().count()) {}
  std::uint64_t next() {
    if (workload_.random) return (random_() % blocks_) * workload_.block;
    const auto at = next_++;
    return (workload_.append ? at : at % blocks_) * workload_.block;
  }

 private:
  const Workload& workload_;
  std::uint64_t blocks_;
  std::uint64_t next_ = 0;
  std::mt19937_64 random_;
};

Result<void> one_block(const Workload& workload, int file, std::span<std::byte> block,
                       std::uint64_t offset) {
  if (!workload.writes) {
    auto got = read_at(file, block, offset);
    if (!got) return std::unexpected(got.error());
    if (*got != block.size()) return fail(ErrorCode::io, "the file ends at {}", offset + *got);
    return {};
  }
  if (auto done = write_all_at(file, block, offset); !done) return done;
  return workload.sync ? sync_data(file) : Result<void>{};
}

double seconds_since(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

Result<void> measure(const Options& options, const Workload& workload) {
  auto file = open_file(options.file, O_RDWR | (workload.append ? O_CREAT | O_TRUNC : 0), 0644);
  if (!file) return std::unexpected(file.error());
  auto block = random_block(workload.block);
  Offsets offsets(workload, options.bytes);
  std::vector<float> micros;
  micros.reserve(1u << 20);
  const auto start = Steady::now();
  double spent = 0;
  double before = 0;
  for (; spent < options.seconds; before = spent) {
    if (auto done = one_block(workload, file->get(), block, offsets.next()); !done) return done;
    spent = seconds_since(start);
    micros.push_back(static_cast<float>((spent - before) * 1e6));
  }
  std::ranges::sort(micros);
  const auto count = static_cast<double>(micros.size());
  fmt::print(
      "{{\"workload\": \"{}\", \"block\": {}, \"operations\": {}, \"seconds\": {:.6f}, "
      "\"ops_s\": {:.1f}, \"mib_s\": {:.2f}, \"p50_us\": {:.2f}, \"p99_us\": {:.2f}}}\n",
      workload.name, workload.block, micros.size(), spent, count / spent,
      count * static_cast<double>(workload.block) / (1u << 20) / spent, micros[micros.size() / 2],
      micros[micros.size() * 99 / 100]);
  return {};
}

Result<void> run(const Options& options) {
  if (options.workload == "prepare") return prepare(options);
  const auto found = std::ranges::find(workloads(), options.workload, &Workload::name);
  if (found == workloads().end()) {
    return fail(ErrorCode::invalid_argument, "no workload is called {}", options.workload);
  }
  return measure(options, *found);
}

}  // namespace
}  // namespace holdfast

int main(int count, char** values) {
  holdfast::Options options;
  CLI::App app("One workload on one file");
  app.add_option("file", options.file)->required();
  app.add_option("workload", options.workload)->required();
  app.add_option("--bytes", options.bytes)->check(CLI::Range(1ull << 20, 1ull << 40));
  app.add_option("--seconds", options.seconds);
  CLI11_PARSE(app, count, values);
  if (auto done = holdfast::run(options); !done) {
    fmt::print(stderr, "holdfast_bench_file_io: {}\n", done.error().context);
    return 1;
  }
  return 0;
}
