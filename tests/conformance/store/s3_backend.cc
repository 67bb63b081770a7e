// The S3 client against our own gateway over loopback, with a memory store behind it: both sides of
// the protocol have to keep the store's contract.
#include <boost/asio/use_future.hpp>

#include "base/random.h"
#include "control/policy.h"
#include "gateway/s3_service.h"
#include "net/http_server.h"
#include "net/io_pool.h"
#include "store/memory_store.h"
#include "store/s3_store.h"
#include "store_conformance.h"

namespace holdfast::store {
namespace {

const PrincipalName principal("conformance");
const s3::Credentials pair{"AKCONFORMANCE0000000", "a secret of the conformance suite", ""};

class AdminPolicy final : public control::PolicySource {
 public:
  AdminPolicy() {
    control::PolicyContent content;
    content.epoch = 1;
    content.principals.push_back({.name = principal, .admin = true});
    content.keys.push_back({.id = AccessKeyId(pair.access_key),
                            .secret = pair.secret_key,
                            .principal = principal,
                            .purpose = "user"});
    snapshot_ = std::make_shared<control::PolicySnapshot>(std::move(content));
  }
  std::shared_ptr<const control::PolicySnapshot> current() const override { return snapshot_; }

 private:
  std::shared_ptr<const control::PolicySnapshot> snapshot_;
};

class NoAudit final : public gateway::AuditSink {
 public:
  void record(gateway::AuditEvent) override {}
};

class OpenGateway final : public OpenStore {
 public:
  explicit OpenGateway(boost::asio::io_context& io)
      : pool_(1),
        memory_(pool_.at(0).get_executor(), clock_, random_),
        service_(memory_, policy_, audit_, clock_, random_, {}),
        credentials_(pair) {
    auto server = net::HttpServer::listen(
        pool_, {}, [this](net::Exchange& exchange) { return service_.handle(exchange); });
    if (!server) throw std::runtime_error(server.error().context);
    server_ = std::move(*server);
    S3StoreOptions options;
    options.endpoint = fmt::format("http://127.0.0.1:{}", server_->endpoint().port());
    auto client = S3Store::open(io.get_executor(), options, credentials_, clock_);
    if (!client) throw std::runtime_error(client.error().context);
    client_ = std::move(*client);
  }
  ~OpenGateway() override {
    client_.reset();
    boost::asio::co_spawn(pool_.at(0), server_->stop(std::chrono::milliseconds(0)),
                          boost::asio::use_future)
        .wait();
    pool_.stop();
  }
  ObjectStore& store() override { return *client_; }

 private:
  SystemClock clock_;
  SystemRandom random_;
  net::IoPool pool_;
  MemoryStore memory_;
  AdminPolicy policy_;
  NoAudit audit_;
  gateway::S3Service service_;
  std::unique_ptr<net::HttpServer> server_;
  FixedCredentials credentials_;
  std::unique_ptr<S3Store> client_;
};

Backend backend() {
  return {.name = "gateway",
          .open = [](boost::asio::io_context& io) -> std::unique_ptr<OpenStore> {
            return std::make_unique<OpenGateway>(io);
          },
          .tells_sequences = false};
}

INSTANTIATE_TEST_SUITE_P(S3, StoreConformance, testing::Values(backend()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace holdfast::store
