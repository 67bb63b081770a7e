// Durable small writes: how many a second the local store takes from concurrent writers, beside the
// rate of one fdatasync after another on the same filesystem (which bounds a store that does not
// group). Usage: bench_store_put DIRECTORY [writers] [seconds] [bytes]
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/encoding.h"
#include "base/fd.h"
#include "store/local_store.h"

namespace {

using namespace holdfast;
using Seconds = std::chrono::duration<double>;

double serial_rate(const std::string& directory, double seconds, std::size_t bytes) {
  auto file = open_file(directory + "/serial", O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return 0;
  const std::string block(bytes, 'x');
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t count = 0;
  for (;; ++count) {
    if (!write_all_at(file->get(), as_bytes(block), count * bytes) || !sync_data(file->get())) {
      return 0;
    }
    const double spent = Seconds(std::chrono::steady_clock::now() - start).count();
    if (spent >= seconds) return static_cast<double>(count + 1) / spent;
  }
}

struct Shared {
  store::ObjectStore& store;
  std::chrono::steady_clock::time_point end;
  std::string body;
  std::vector<double> milliseconds;
};

boost::asio::awaitable<void> write_until(Shared& shared, int writer) {
  for (int n = 0; std::chrono::steady_clock::now() < shared.end; ++n) {
    store::PutRequest put{.bucket = BucketName("bench")};
    put.key = ObjectKey(fmt::format("w{:03}/{:08}", writer, n));
    put.size = shared.body.size();
    auto reader = make_string_reader(shared.body);
    const auto start = std::chrono::steady_clock::now();
    auto done = co_await shared.store.put(std::move(put), *reader);
    if (!done) {
      fmt::print(stderr, "put: {}\n", done.error().context);
      std::exit(1);
    }
    shared.milliseconds.push_back(Seconds(std::chrono::steady_clock::now() - start).count() * 1000);
  }
}

double store_rate(store::ObjectStore& store, int writers, double seconds, std::size_t bytes) {
  boost::asio::io_context context(1);
  const auto start = std::chrono::steady_clock::now();
  const auto length =
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(Seconds(seconds));
  Shared shared{store, start + length, std::string(bytes, 'x'), {}};
  for (int i = 0; i < writers; ++i) {
    boost::asio::co_spawn(context, write_until(shared, i), boost::asio::detached);
  }
  context.run();
  const double spent = Seconds(std::chrono::steady_clock::now() - start).count();
  std::ranges::sort(shared.milliseconds);
  const auto at = [&](double q) {
    return shared.milliseconds[static_cast<std::size_t>(
        q * static_cast<double>(shared.milliseconds.size() - 1))];
  };
  fmt::print("  {} writers: p50 {:.2f} ms, p99 {:.2f} ms, most {:.2f} ms\n", writers, at(0.5),
             at(0.99), at(1));
  return static_cast<double>(shared.milliseconds.size()) / spent;
}

boost::asio::awaitable<void> make_bucket(store::ObjectStore& store) {
  (void)co_await store.create_bucket(BucketName("bench"), false);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string directory = std::string(argv[1]) + "/store-put-bench";
  const int writers = argc > 2 ? std::atoi(argv[2]) : 64;
  const double seconds = argc > 3 ? std::atof(argv[3]) : 5;
  const std::size_t bytes = argc > 4 ? static_cast<std::size_t>(std::atol(argv[4])) : 4096;
  std::filesystem::remove_all(directory);
  if (!make_directories(directory)) return 1;
  SystemClock clock;
  SystemRandom random;
  store::LocalStoreOptions options;
  options.directory = directory + "/data";
  auto store = store::LocalStore::open(options, clock, random);
  if (!store) {
    fmt::print(stderr, "{}\n", store.error().context);
    return 1;
  }
  boost::asio::io_context context;
  boost::asio::co_spawn(context, make_bucket(**store), boost::asio::detached);
  context.run();
  const double serial = serial_rate(directory, seconds, bytes);
  const double one = store_rate(**store, 1, seconds, bytes);
  const double many = store_rate(**store, writers, seconds, bytes);
  fmt::print("serial write + fdatasync: {:.0f}/s\n", serial);
  fmt::print("durable put of {} bytes, 1 writer: {:.0f}/s, {:.2f}x serial\n", bytes, one,
             one / serial);
  fmt::print("durable put of {} bytes, {} writers: {:.0f}/s, {:.2f}x serial\n", bytes, writers,
             many, many / serial);
  store->reset();
  std::filesystem::remove_all(directory);
  return 0;
}
