// An S3 listener for tests and first measurements: the real service over the real server, with a
// fixed policy. Prints "listening PORT" and serves until its standard input ends.
//   s3_test_server [--threads N] [--data DIR]     no --data: in memory
// Keys: AKADMIN/admin-secret (administrator), AKALICE/alice-secret (write on research),
// AKBOB/bob-secret (read on research/public/), AKDROP/drop-secret (drop on research/in/).
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/random.h"
#include "control/policy.h"
#include "gateway/s3_service.h"
#include "net/http_server.h"
#include "net/io_pool.h"
#include "store/local_store.h"
#include "store/memory_store.h"

namespace holdfast {
namespace {

class FixedPolicy final : public control::PolicySource {
 public:
  explicit FixedPolicy(control::PolicyContent content)
      : snapshot_(std::make_shared<const control::PolicySnapshot>(std::move(content))) {}
  std::shared_ptr<const control::PolicySnapshot> current() const override { return snapshot_; }

 private:
  std::shared_ptr<const control::PolicySnapshot> snapshot_;
};

class NoAudit final : public gateway::AuditSink {
 public:
  void record(gateway::AuditEvent) override {}
};

void add_person(control::PolicyContent& content, const std::string& name, const std::string& key,
                control::Level level, const std::string& prefix) {
  content.principals.push_back({.name = PrincipalName(name)});
  content.keys.push_back({.id = AccessKeyId(key),
                          .secret = name + "-secret",
                          .principal = PrincipalName(name),
                          .purpose = "user"});
  content.grants.push_back({.id = static_cast<std::int64_t>(content.grants.size()) + 1,
                            .principal = PrincipalName(name),
                            .bucket = BucketName("research"),
                            .prefix = prefix,
                            .level = level});
}

control::PolicyContent fixed_policy() {
  control::PolicyContent content;
  content.epoch = 1;
  content.homes_bucket = BucketName("homes");
  content.principals.push_back({.name = PrincipalName("admin"), .admin = true});
  content.keys.push_back({.id = AccessKeyId("AKADMIN"),
                          .secret = "admin-secret",
                          .principal = PrincipalName("admin"),
                          .purpose = "user"});
  add_person(content, "alice", "AKALICE", control::Level::write, "");
  add_person(content, "bob", "AKBOB", control::Level::read, "public/");
  add_person(content, "drop", "AKDROP", control::Level::drop, "in/");
  return content;
}

struct Arguments {
  std::size_t threads = 1;
  std::string data;
};

Arguments parse(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name(values[i]);
    if (name == "--threads") arguments.threads = std::strtoul(values[i + 1], nullptr, 10);
    if (name == "--data") arguments.data = values[i + 1];
  }
  return arguments;
}

void wait_for_end_of_input() {
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

int run(const Arguments& arguments) {
  SystemClock clock;
  SystemRandom random;
  NoAudit audit;
  FixedPolicy policy(fixed_policy());
  net::IoPool pool(arguments.threads);
  std::unique_ptr<store::ObjectStore> store;
  if (arguments.data.empty()) {
    store = std::make_unique<store::MemoryStore>(pool.at(0).get_executor(), clock, random);
  } else {
    auto local = store::LocalStore::open({.directory = arguments.data}, clock, random);
    if (!local) {
      std::fprintf(stderr, "%s\n", local.error().context.c_str());
      return 1;
    }
    store = std::move(*local);
  }
  gateway::S3ServiceOptions options;
  options.hosts.domains = {"localhost", "s3.test"};
  options.console_origins = {"http://localhost:7080"};
  gateway::S3Service service(*store, policy, audit, clock, random, options);
  auto server = net::HttpServer::listen(
      pool, {}, [&service](net::Exchange& exchange) { return service.handle(exchange); });
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().context.c_str());
    return 1;
  }
  std::printf("listening %u\n", (*server)->endpoint().port());
  std::fflush(stdout);
  wait_for_end_of_input();
  boost::asio::co_spawn(pool.at(0), (*server)->stop(std::chrono::seconds(2)),
                        boost::asio::use_future)
      .get();
  server->reset();
  pool.stop();
  return 0;
}

}  // namespace
}  // namespace holdfast

int main(int count, char** values) { return holdfast::run(holdfast::parse(count, values)); }
