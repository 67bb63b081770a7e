// Load on an HTTP server over kept-alive connections, each with one request under way: GET over a
// set of keys, or PUT of ever new keys. With AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the
// environment every request is signed (SigV4, header form), without them none: so that nginx and
// Holdfast stand before the very same client. Prints one line of JSON.
//   holdfast_bench_s3_load --port P --method GET --path /bench/4k/ --keys 1000 --body FILE
// Key n is PATH followed by n in eight digits. --body is what each key holds: sent by PUT; compared
// with the first answer of each connection by GET, later ones are counted and thrown away unread.
// --tls: over TLS, without looking at who answers; every byte is then decrypted.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "bench/load_worker.h"

namespace holdfast {
namespace {

using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

Result<void> run(const LoadOptions& options) {
  std::string body;
  if (!options.body_file.empty()) {
    auto read = read_file(options.body_file, 256u << 20);
    if (!read) return std::unexpected(read.error());
    body = std::move(*read);
  }
  LoadRequests requests(options, std::move(body));
  std::vector<LoadTally> tallies(options.threads);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options.threads; ++i) {
    const unsigned share =
        options.connections / options.threads + (i < options.connections % options.threads ? 1 : 0);
    threads.emplace_back([&, i, share] { tallies[i] = run_load(options, requests, share); });
  }
  for (auto& thread : threads) thread.join();

  std::vector<float> all;
  std::uint64_t bytes = 0;
  auto first = Steady::time_point::max();
  auto last = Steady::time_point::min();
  for (auto& tally : tallies) {
    if (tally.failed) return std::unexpected(tally.error);
    all.insert(all.end(), tally.milliseconds.begin(), tally.milliseconds.end());
    bytes += tally.bytes;
    first = std::min(first, tally.first);
    last = std::max(last, tally.last);
  }
  if (all.empty()) return fail(ErrorCode::timed_out, "no request was answered in time");
  std::ranges::sort(all);
  const double spent = options.count != 0 ? Seconds(last - first).count() : options.seconds;
  const auto count = static_cast<double>(all.size());
  fmt::print(
      "{{\"requests\": {}, \"seconds\": {:.3f}, \"requests_s\": {:.1f}, \"mib_s\": {:.2f}, "
      "\"p50_ms\": {:.3f}, \"p99_ms\": {:.3f}, \"most_ms\": {:.3f}}}\n",
      all.size(), spent, count / spent, static_cast<double>(bytes) / (1u << 20) / spent,
      all[all.size() / 2], all[all.size() * 99 / 100], all.back());
  return {};
}

}  // namespace
}  // namespace holdfast

int main(int count, char** values) {
  holdfast::LoadOptions o;
  CLI::App app("Load on an S3 or static HTTP server");
  app.add_option("--port", o.port)->required();
  app.add_option("--host", o.host);
  app.add_option("--method", o.method)->check(CLI::IsMember({"GET", "PUT"}));
  app.add_option("--path", o.path, "What the digits of a key follow: /BUCKET/PREFIX");
  app.add_option("--body", o.body_file, "File with what each key holds");
  app.add_option("--keys", o.keys)->check(CLI::PositiveNumber);
  app.add_option("--range", o.range, "GET so many bytes of each body, from all over it");
  app.add_option("--count", o.count, "So many PUTs, then end");
  app.add_option("--connections", o.connections)->check(CLI::PositiveNumber);
  app.add_option("--threads", o.threads)->check(CLI::Range(1u, 256u));
  app.add_flag("--spin", o.spin,
               "Never sleep: for cores of our own, where no answer shall pay for waking us");
  app.add_flag("--tls", o.tls, "Over TLS, whoever answers");
  app.add_option("--warm-up", o.warm_up);
  app.add_option("--seconds", o.seconds);
  CLI11_PARSE(app, count, values);
  if (auto done = holdfast::run(o); !done) {
    fmt::print(stderr, "holdfast_bench_s3_load: {}\n", done.error().context);
    return 1;
  }
  return 0;
}
