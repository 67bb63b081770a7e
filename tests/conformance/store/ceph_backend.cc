// The S3 client and the gateway's upstream store against Ceph's object gateway, which
// tests/upstream/ceph.py starts beside the program and names in the environment.
#include <boost/asio/use_future.hpp>
#include <cstdlib>

#include "base/clock.h"
#include "base/random.h"
#include "store/memory_store.h"
#include "store/upstream_store.h"
#include "store_conformance.h"

namespace holdfast::store {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(fmt::format("{} is not set", name));
  return value;
}

s3::Credentials credentials() {
  return {from_environment("HOLDFAST_UPSTREAM_KEY"), from_environment("HOLDFAST_UPSTREAM_SECRET"),
          ""};
}

S3StoreOptions s3_options() {
  S3StoreOptions options;
  options.endpoint = from_environment("HOLDFAST_UPSTREAM_ENDPOINT");
  options.exact_part_sources = false;
  return options;
}

class OpenClient final : public OpenStore {
 public:
  explicit OpenClient(boost::asio::io_context& io) : credentials_(credentials()) {
    auto client = S3Store::open(io.get_executor(), s3_options(), credentials_, clock_);
    if (!client) throw std::runtime_error(client.error().context);
    client_ = std::move(*client);
  }
  ObjectStore& store() override { return *client_; }

 private:
  SystemClock clock_;
  FixedCredentials credentials_;
  std::unique_ptr<S3Store> client_;
};

class OpenUpstream final : public OpenStore {
 public:
  explicit OpenUpstream(boost::asio::io_context& io)
      : documents_(io.get_executor(), clock_, random_), credentials_(credentials()) {
    UpstreamOptions options;
    options.s3 = s3_options();
    options.names = UpstreamNames("up-", {});
    auto opened =
        UpstreamStore::open({io.get_executor()}, options, credentials_, documents_, clock_);
    if (!opened) throw std::runtime_error(opened.error().context);
    store_ = std::move(*opened);
    // Once is enough to see that it works; what was not probed is not taken for granted, which is
    // what Ceph's gateway deserves.
    static bool probed_before = false;
    if (std::exchange(probed_before, true)) return;
    auto probed = boost::asio::co_spawn(io, prepare(*store_), boost::asio::use_future);
    while (probed.wait_for(std::chrono::seconds(0)) != std::future_status::ready) io.run_one();
    if (auto done = probed.get(); !done) throw std::runtime_error(done.error().context);
  }
  ObjectStore& store() override { return *store_; }

 private:
  static boost::asio::awaitable<Result<void>> prepare(UpstreamStore& store) {
    const BucketName bucket("probe");
    auto greeted = co_await store.greet();
    if (!greeted) co_return greeted;
    auto made = co_await store.create_bucket(bucket, false);
    if (!made && made.error().code != ErrorCode::bucket_exists) co_return made;
    auto set = co_await store.set_versioning(bucket, Versioning::enabled);
    if (!set) co_return set;
    co_return co_await store.probe(bucket);
  }

  SystemClock clock_;
  SystemRandom random_;
  MemoryStore documents_;
  FixedCredentials credentials_;
  std::unique_ptr<UpstreamStore> store_;
};

// Ceph 16, as Debian 12 has it. Behind UpstreamStore these remain: the bytes are checked on their
// way all the same, and what cannot be had is refused, never answered otherwise.
const std::set<Departure> of_ceph = {
    Departure::keeps_no_checksums,      Departure::knows_no_part_numbers,
    Departure::takes_all_parts_or_none, Departure::takes_utf8_keys_only,
    Departure::locks_only_new_buckets,  Departure::names_no_marker,
    Departure::groups_no_uploads,       Departure::checks_sizes_before_order,
    Departure::forgets_completions,
};
// These only meet whoever uses the endpoint directly.
const std::set<Departure> of_direct_use = {
    Departure::rewrites_documents,
    Departure::ignores_write_conditions,
    Departure::ignores_source_conditions,
    Departure::has_no_feed,
};

template <class Open>
Backend backend(std::string name, bool directly) {
  std::set<Departure> departures = of_ceph;
  if (directly) departures.insert(of_direct_use.begin(), of_direct_use.end());
  return {.name = std::move(name),
          .open = [](boost::asio::io_context& io) -> std::unique_ptr<OpenStore> {
            return std::make_unique<Open>(io);
          },
          .tells_sequences = false,
          .departures = std::move(departures)};
}

INSTANTIATE_TEST_SUITE_P(Ceph, StoreConformance,
                         testing::Values(backend<OpenClient>("client", true),
                                         backend<OpenUpstream>("upstream", false)),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace holdfast::store
