// How a local store does with many objects: listings at any depth, reads, deletes, completions,
// recovery. Prints one line of JSON.
//   holdfast_bench_store_scale DIRECTORY fill --objects N
//   holdfast_bench_store_scale DIRECTORY open | measure | write | tail --objects N
// fill makes the store: records are written to the log by the store's own writer. Up to 100,000
// objects the index is made from them by opening the store, as after a loss of the index; beyond
// that the rows which that would give are written beside the log, since to look up ten million keys
// that are known to be new takes very long. Keys come in the order of 1,000 writers that each go
// forward in a folder of their own. measure reports milliseconds, of the clock and of the processor
// (which other work on the machine disturbs less). write puts objects durably until it is killed.
// tail adds N records that the index has not seen, as a power cut leaves them; open then tells how
// long that takes to repair.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/random.h"
#include "bench/store_filler.h"
#include "s3/checksum.h"
#include "store/conditions.h"
#include "store/local_store.h"

namespace {

using namespace holdfast;
using Steady = std::chrono::steady_clock;

constexpr std::uint64_t folders = 1000;
constexpr int completions = 5;

struct Options {
  std::string directory, command;
  std::uint64_t objects = 10'000;
};

double milliseconds_since(Steady::time_point start) {
  return std::chrono::duration<double, std::milli>(Steady::now() - start).count();
}

double processor_milliseconds() {
  timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) * 1e3 + static_cast<double>(spent.tv_nsec) / 1e6;
}

std::string key_of(std::uint64_t number) {
  return fmt::format("folder-{:03}/object-{:08}", number % folders, number / folders);
}

std::string upload_id(int number) { return fmt::format("{:016x}{:016x}", 1, number); }

store::LocalStoreOptions store_options(const std::string& directory, bool sync) {
  store::LocalStoreOptions options;
  options.directory = directory;
  options.sync = sync;
  return options;
}

template <class T>
T wait_for(boost::asio::awaitable<T> work) {
  boost::asio::io_context context(1);
  std::optional<T> out;
  boost::asio::co_spawn(context, std::move(work),
                        [&](std::exception_ptr, T answer) { out.emplace(std::move(answer)); });
  context.run();
  return std::move(*out);
}

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)) {}

  void fill() {
    {
      auto store = open_store(false);
      must(wait_for(store->create_bucket(bench_bucket, false)), "make the bucket");
    }
    auto start = Steady::now();
    {
      StoreFiller filler(options_.directory);
      std::optional<BenchRows> rows;
      if (options_.objects > 100'000) rows.emplace(filler.index_path(), options_.objects);
      for (std::uint64_t i = 0; i < options_.objects; ++i) {
        filler.object(key_of(i), rows ? &*rows : nullptr);
      }
      if (rows) rows->commit();
      for (int i = 0; i < completions; ++i) filler.upload(fmt::format("parts/{}", i), upload_id(i));
    }
    const double written = milliseconds_since(start);
    start = Steady::now();
    {
      auto store = open_store(false);
    }
    const double indexed = milliseconds_since(start);
    fmt::print("{{\"objects\": {}, \"log_ms\": {:.1f}, \"index_ms\": {:.1f}}}\n", options_.objects,
               written, indexed);
  }

  void open() {
    const auto start = Steady::now();
    auto store = open_store(true);
    const double opened = milliseconds_since(start);
    const auto& report = store->recovery();
    fmt::print("{{\"open_ms\": {:.2f}, \"clean\": {}, \"replayed\": {}}}\n", opened, report.clean,
               report.replayed);
  }

  void tail() {
    StoreFiller filler(options_.directory);
    for (std::uint64_t i = 0; i < options_.objects; ++i) filler.object(key_of(i * 7919));
  }

  // Says when it has begun, then goes on until it is killed.
  void write() {
    auto store = open_store(true);
    boost::asio::io_context context(1);
    for (int i = 0; i < 64; ++i) {
      boost::asio::co_spawn(context, put_for_ever(*store, i), boost::asio::detached);
    }
    fmt::print("writing\n");
    std::fflush(stdout);
    context.run();
  }

  void measure();

 private:
  std::unique_ptr<store::LocalStore> open_store(bool sync) {
    return must(store::LocalStore::open(store_options(options_.directory, sync), clock_, random_),
                "open the store");
  }

  static boost::asio::awaitable<void> put_for_ever(store::ObjectStore& store, int writer) {
    for (std::uint64_t n = 0;; ++n) {
      store::PutRequest put{.bucket = bench_bucket};
      put.key = ObjectKey(fmt::format("folder-{:03}/written-{:08}", (n * 131) % folders,
                                      n * 64 + static_cast<std::uint64_t>(writer)));
      put.size = bench_body_bytes;
      auto reader = make_string_reader(std::string(bench_body_bytes, 'y'));
      must(co_await store.put(std::move(put), *reader), "put");
    }
  }

  struct Figure {
    std::string name;
    std::vector<double> times;
    double cpu = 0;  // of all threads, in all rounds
  };
  void time(const std::string& name, int rounds, const std::function<void(int)>& work) {
    Figure figure{name, {}};
    const double before = processor_milliseconds();
    for (int i = 0; i < rounds; ++i) {
      const auto start = Steady::now();
      work(i);
      figure.times.push_back(milliseconds_since(start));
    }
    figure.cpu = processor_milliseconds() - before;
    figures_.push_back(std::move(figure));
  }
  void listings(store::LocalStore& store);
  void reads(store::LocalStore& store);
  void writes(store::LocalStore& store);
  static void remove_all(store::LocalStore& store, const std::vector<ObjectKey>& keys);
  std::size_t page(store::LocalStore& store, std::string after, std::string delimiter,
                   std::uint32_t limit);

  Options options_;
  SystemClock clock_;
  SystemRandom random_;
  std::vector<Figure> figures_;
  std::mt19937_64 draw_{7};
};

std::size_t Bench::page(store::LocalStore& store, std::string after, std::string delimiter,
                        std::uint32_t limit) {
  store::ListRequest request{.bucket = bench_bucket};
  request.start_after = std::move(after);
  request.delimiter = std::move(delimiter);
  request.max_keys = limit;
  const auto got = must(wait_for(store.list(std::move(request))), "list");
  return got.objects.size() + got.common_prefixes.size();
}

void Bench::listings(store::LocalStore& store) {
  const std::uint64_t a_folder = options_.objects / folders;
  const auto expect = [](std::size_t got, std::size_t wanted) {
    if (got >= wanted) return;
    fmt::print(stderr, "a page has {} entries, not {}\n", got, wanted);
    std::exit(1);
  };
  constexpr int rounds = 200;
  time("list_start", rounds, [&](int) { expect(page(store, "", "", 1000), 1000); });
  time("list_middle", rounds, [&](int i) {
    const auto after = fmt::format("folder-{:03}/object-{:08}", 400 + i % 200, a_folder / 2);
    expect(page(store, after, "", 1000), 1000);
  });
  // The last page: what is behind the last objects are uploads, which are no keys yet.
  const std::uint64_t last = folders - (1000 + a_folder - 1) / a_folder;
  time("list_end", rounds,
       [&](int) { expect(page(store, fmt::format("folder-{:03}/", last), "", 1000), 999); });
  time("list_1000_prefixes", rounds, [&](int) { expect(page(store, "", "/", 1000), 1000); });
  time("list_10_prefixes", rounds,
       [&](int i) { expect(page(store, fmt::format("folder-{:03}/", i * 4), "/", 10), 10); });
}

void Bench::reads(store::LocalStore& store) {
  const auto request = [&] {
    store::GetRequest get{.bucket = bench_bucket};
    get.key = ObjectKey(key_of(draw_() % options_.objects));
    return get;
  };
  time("get", 10'000, [&](int) { (void)must(wait_for(store.get(request())), "get"); });
  time("head", 10'000, [&](int) { (void)must(wait_for(store.head(request())), "head"); });
}

void Bench::remove_all(store::LocalStore& store, const std::vector<ObjectKey>& keys) {
  std::vector<store::DeleteRequest> requests;
  for (const auto& key : keys) {
    store::DeleteRequest request{.bucket = bench_bucket};
    request.key = key;
    requests.push_back(std::move(request));
  }
  for (auto& done : wait_for(store.remove_many(std::move(requests)))) {
    if (must(std::move(done), "delete").sequence == 0) std::exit(1);  // it was not there
  }
}

void Bench::writes(store::LocalStore& store) {
  // A key of each folder; and what a listing gave, as who removes a folder asks.
  std::vector<std::vector<ObjectKey>> scattered(5), listed(5);
  for (std::uint64_t round = 0; round < 5; ++round) {
    for (std::uint64_t i = 0; i < folders; ++i)
      scattered[round].emplace_back(key_of(i + folders * round));
  }
  time("delete_1000_scattered", 5,
       [&](int round) { remove_all(store, scattered[static_cast<std::size_t>(round)]); });
  for (std::uint64_t round = 0; round < 5; ++round) {
    store::ListRequest request{.bucket = bench_bucket};
    request.start_after = fmt::format("folder-{:03}/", 200 * round);
    for (auto& object : must(wait_for(store.list(std::move(request))), "list").objects) {
      listed[round].push_back(std::move(object.key));
    }
  }
  time("delete_1000", 5,
       [&](int round) { remove_all(store, listed[static_cast<std::size_t>(round)]); });
  const std::string etag =
      to_hex(as_bytes(s3::digest_of(s3::Algorithm::md5, std::string(store::min_part_bytes, '\0'))));
  time("complete_1000_parts", completions, [&](int round) {
    store::CompleteRequest request{.bucket = bench_bucket};
    request.key = ObjectKey(fmt::format("parts/{}", round));
    request.upload = UploadId(upload_id(round));
    for (std::uint32_t number = 1; number <= bench_part_count; ++number) {
      request.parts.push_back({number, ETag(etag), {}});
    }
    (void)must(wait_for(store.complete_upload(std::move(request))), "complete");
  });
}

void Bench::measure() {
  auto store = open_store(true);
  listings(*store);
  reads(*store);
  writes(*store);
  std::string out;
  for (auto& [name, times, cpu] : figures_) {
    const double first = times.front();
    std::ranges::sort(times);
    const auto at = [&](double q) {
      return times[static_cast<std::size_t>(q * static_cast<double>(times.size() - 1))];
    };
    out += fmt::format(
        "{}\"{}\": {{\"first\": {:.4f}, \"least\": {:.4f}, \"p50\": {:.4f}, \"p99\": {:.4f}, "
        "\"cpu\": {:.4f}}}",
        out.empty() ? "" : ", ", name, first, at(0), at(0.5), at(0.99),
        cpu / static_cast<double>(times.size()));
  }
  fmt::print("{{{}}}\n", out);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("A local store with many objects");
  app.add_option("directory", options.directory)->required();
  app.add_option("command", options.command)
      ->required()
      ->check(CLI::IsMember({"fill", "open", "measure", "write", "tail"}));
  app.add_option("--objects", options.objects)->check(CLI::Range(1, 1'000'000'000));
  CLI11_PARSE(app, argc, argv);
  Bench bench(options);
  if (options.command == "fill") bench.fill();
  if (options.command == "open") bench.open();
  if (options.command == "measure") bench.measure();
  if (options.command == "write") bench.write();
  if (options.command == "tail") bench.tail();
  return 0;
}
