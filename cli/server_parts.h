// ServerParts: everything that `holdfast serve` is made of, in the order in which it is built; the
// destructor takes it apart in reverse. Built and destroyed on the main thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/random.h"
#include "cli/config.h"
#include "cli/data_directory.h"
#include "cli/housekeeping.h"
#include "cli/key_set_reader.h"
#include "cli/mount_processes.h"
#include "cli/scrubbing.h"
#include "control/engine_driver.h"
#include "control/launcher.h"
#include "control/publisher.h"
#include "control/registry.h"
#include "control/sessions.h"
#include "gateway/audit_sink.h"
#include "gateway/notifying_store.h"
#include "gateway/s3_service.h"
#include "gateway/tool_proxy.h"
#include "gateway/web_api.h"
#include "gateway/web_identities.h"
#include "gateway/web_service.h"
#include "gateway/webhooks.h"
#include "net/http_server.h"
#include "net/io_pool.h"
#include "store/direct_urls.h"
#include "store/local_store.h"
#include "store/upstream_store.h"

namespace holdfast::cli {

class ServerParts {
 public:
  // Opens the data directory, the store and the registry and binds the listeners. Each error says
  // what to do; nothing is changed by a start that fails on a directory that is not ours.
  static Result<std::unique_ptr<ServerParts>> build(Config config);
  ~ServerParts();

  // Lifecycle and whatever else the store needs done beside the traffic.
  void start_housekeeping();
  // Starts the launcher and the listener that tools reach. Without an engine the server goes on and
  // tools say why they cannot run.
  Result<void> start_tools();
  // A sign-in link for the first administrator, made anew at each start while nobody is signed in.
  Result<std::string> first_link();
  // Refuses new requests, ends tools and mounts, drains uploads.
  void stop();
  // Shows a replaced certificate from now on; `again` reads the files even if they look the same.
  // What cannot be loaded is logged, and the certificate at hand stays.
  enum class Certificates { if_changed, again };
  void reload_certificates(Certificates when);

  const Config& config() const { return config_; }

 private:
  ServerParts(Config config, DataDirectory data);
  Result<void> open_store();
  Result<void> open_upstream();
  Result<void> open_webhooks();
  // What the services work on: the upstream store where there is one, else our own; behind what
  // carries out notifications.
  store::ObjectStore& objects();
  Result<void> open_registry();
  Result<void> prepare_homes_bucket();
  Result<void> listen();
  void build_web();
  gateway::ScrubAccess build_scrubbing();
  boost::asio::awaitable<Result<void>> ensure_homes_bucket();
  boost::asio::awaitable<Result<void>> check_upstream();

  Config config_;
  DataDirectory data_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<net::IoPool> io_;
  BlockingPool pool_{16};
  std::unique_ptr<store::LocalStore> store_;  // beside an upstream store: its buckets' documents
  std::unique_ptr<store::CredentialsProvider> upstream_credentials_;
  std::unique_ptr<store::UpstreamStore> upstream_;
  std::unique_ptr<store::StsClient> sts_;      // of the endpoint; null: none
  std::unique_ptr<store::DirectUrls> direct_;  // null: all bytes go through this server
  std::unique_ptr<gateway::Webhooks> webhooks_;
  std::unique_ptr<gateway::NotifyingStore> notifying_;  // in front of either store
  control::PolicyPublisher policy_{clock_};
  std::unique_ptr<control::Registry> registry_;
  std::unique_ptr<control::Sessions> sessions_;
  std::unique_ptr<gateway::AuditSink> audit_sink_;
  std::unique_ptr<gateway::BucketOwners> bucket_owners_;
  std::unique_ptr<MountProcesses> mounts_;
  std::unique_ptr<control::EngineDriver> engine_;
  std::unique_ptr<control::ToolLauncher> launcher_;
  std::unique_ptr<KeySetReader> key_set_;
  std::unique_ptr<gateway::WebIdentities> web_identities_;
  std::unique_ptr<gateway::S3Service> s3_;
  std::unique_ptr<Scrubbing> scrubbing_;  // null: another endpoint keeps the objects
  std::unique_ptr<gateway::WebApi> api_;
  std::unique_ptr<gateway::ToolProxy> proxy_;
  std::unique_ptr<gateway::WebService> web_;
  std::unique_ptr<Housekeeping> housekeeping_;
  std::shared_ptr<net::TlsIdentity> s3_tls_, web_tls_;  // null: plain HTTP
  std::shared_ptr<const store::RootKeys> root_keys_;    // null: nothing is encrypted
  gateway::BodyEncryption encryption_ = gateway::BodyEncryption::none;
  std::vector<std::unique_ptr<net::HttpServer>> listeners_;
  std::vector<std::string> sockets_;  // that we listen on
  bool tools_started_ = false;
  bool stopped_ = false;
};

}  // namespace holdfast::cli
