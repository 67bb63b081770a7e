#include "cli/server_parts.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <future>
#include <thread>

#include "base/log.h"
#include "cli/audit_adapter.h"
#include "cli/body_encryption.h"
#include "cli/upstream.h"
#include "cli/webhook_targets.h"
#include "store/root_keys.h"

namespace holdfast::cli {
namespace {

namespace asio = boost::asio;

control::Actor system_actor() { return {.kind = control::Actor::Kind::system, .source = "serve"}; }

template <class T>
T run_on(net::IoPool& io, asio::awaitable<T> work) {
  return asio::co_spawn(io.at(0), std::move(work), asio::use_future).get();
}

// AWS lifecycle: what is no longer current goes after N days, abandoned uploads after 7.
std::string homes_lifecycle(std::uint32_t days) {
  return fmt::format(
      "<LifecycleConfiguration><Rule><ID>holdfast-homes</ID><Status>Enabled</Status><Filter/>"
      "<NoncurrentVersionExpiration><NoncurrentDays>{}</NoncurrentDays>"
      "</NoncurrentVersionExpiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>7"
      "</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>",
      days);
}

struct Identities {
  std::shared_ptr<net::TlsIdentity> s3, web;  // null: plain HTTP
};

Result<Identities> load_identities(const Config& config) {
  const auto load = [](const net::TlsFiles& files,
                       std::string_view listener) -> Result<std::shared_ptr<net::TlsIdentity>> {
    if (files.key.empty()) return nullptr;
    auto identity = net::TlsIdentity::load(files);
    if (identity) {
      spdlog::info("cli: the {} listener's certificate: {}", listener, (*identity)->summary());
    }
    return identity;
  };
  auto s3 = load(config.s3_tls, "S3");
  if (!s3) return std::unexpected(s3.error());
  auto web = config.web_tls == config.s3_tls ? s3 : load(config.web_tls, "web");
  if (!web) return std::unexpected(web.error());
  return Identities{*std::move(s3), *std::move(web)};
}

}  // namespace

ServerParts::ServerParts(Config config, DataDirectory data)
    : config_(std::move(config)), data_(std::move(data)) {}

Result<std::unique_ptr<ServerParts>> ServerParts::build(Config config) {
  // Before the data directory is laid out or touched.
  for (const std::string& address : {config.s3_listen, config.web_listen}) {
    if (auto free = net::check_listen_address(address); !free) return std::unexpected(free.error());
  }
  auto identities = load_identities(config);
  if (!identities) return std::unexpected(identities.error());
  auto root_keys = store::RootKeys::load(
      {config.root_keys.current, config.root_keys.old, config.root_keys.lost}, config.data);
  if (!root_keys) return std::unexpected(root_keys.error());
  auto data = DataDirectory::open(config.data);
  if (!data) return std::unexpected(data.error());
  std::unique_ptr<ServerParts> parts(new ServerParts(std::move(config), std::move(*data)));
  parts->s3_tls_ = std::move(identities->s3);
  parts->web_tls_ = std::move(identities->web);
  parts->root_keys_ = std::move(*root_keys);
  const auto threads = parts->config_.threads != 0
                           ? parts->config_.threads
                           : std::max(1u, std::thread::hardware_concurrency());
  parts->io_ = std::make_unique<net::IoPool>(threads);
  for (const auto step :
       {&ServerParts::open_store, &ServerParts::open_upstream, &ServerParts::open_webhooks,
        &ServerParts::open_registry, &ServerParts::prepare_homes_bucket, &ServerParts::listen}) {
    if (auto done = (parts.get()->*step)(); !done) return std::unexpected(done.error());
  }
  return parts;
}

ServerParts::~ServerParts() { stop(); }

Result<void> ServerParts::open_store() {
  const bool upstream = config_.store_kind == "s3";
  std::error_code made;
  if (upstream) std::filesystem::create_directory(data_.documents(), made);
  if (made) return fail_errno(made.value(), data_.documents());
  auto store = store::LocalStore::open({.directory = upstream ? data_.documents() : data_.store(),
                                        .sync = config_.fsync,
                                        .root_keys = root_keys_},
                                       clock_, random_);
  if (!store) return fail_within("the store in " + data_.path(), store.error());
  store_ = std::move(*store);
  auto encryption = settle_body_encryption(data_.encrypted_throughout(), root_keys_.get(),
                                           store_->recovery().last_sequence);
  if (!encryption) return std::unexpected(encryption.error());
  encryption_ = *encryption;
  if (root_keys_ && root_keys_->seals()) {
    spdlog::info("cli: new bodies are encrypted under root key {}", root_keys_->current_id());
  }
  const auto& report = store_->recovery();
  if (!report.clean && report.last_sequence > 0) {
    spdlog::info("cli: the store was not closed in order: {} records replayed, {} torn bytes cut",
                 report.replayed, report.torn_bytes);
  }
  return {};
}

Result<void> ServerParts::open_upstream() {
  if (config_.store_kind != "s3") return {};
  auto credentials = upstream_credentials(config_.upstream, clock_);
  if (!credentials) return std::unexpected(credentials.error());
  upstream_credentials_ = std::move(*credentials);
  std::vector<asio::any_io_executor> executors;
  for (std::size_t i = 0; i < io_->size(); ++i) executors.push_back(io_->at(i).get_executor());
  auto opened = store::UpstreamStore::open(std::move(executors), upstream_options(config_.upstream),
                                           *upstream_credentials_, *store_, clock_);
  if (!opened) return std::unexpected(opened.error());
  upstream_ = std::move(*opened);
  auto sts = sts_client(config_.upstream, *upstream_credentials_, clock_);
  if (!sts) return std::unexpected(sts.error());
  sts_ = std::move(*sts);
  auto direct = direct_urls(config_.upstream, *upstream_credentials_, clock_, sts_.get());
  if (!direct) return std::unexpected(direct.error());
  direct_ = std::move(*direct);
  return run_on(*io_, upstream_->greet());
}

Result<void> ServerParts::open_webhooks() {
  auto targets = webhook_targets(config_);
  if (!targets) return std::unexpected(targets.error());
  store::ObjectStore& store = upstream_ ? static_cast<store::ObjectStore&>(*upstream_) : *store_;
  webhooks_ = std::make_unique<gateway::Webhooks>(
      io_->at(0).get_executor(), gateway::Webhooks::Parts{store, pool_, clock_, random_},
      gateway::WebhookOptions{.targets = std::move(*targets),
                              .region = config_.region,
                              .position_file = data_.path() + "/webhooks.json"});
  notifying_ = std::make_unique<gateway::NotifyingStore>(store, *webhooks_);
  return {};
}

store::ObjectStore& ServerParts::objects() { return *notifying_; }

Result<void> ServerParts::open_registry() {
  auto registry = control::Registry::open(
      {.path = data_.registry(), .homes_bucket = BucketName(config_.homes_bucket)}, clock_,
      random_);
  if (!registry) return fail_within("the registry in " + data_.path(), registry.error());
  registry_ = std::move(*registry);
  if (auto attached = policy_.attach(*registry_); !attached) return attached;
  auto sessions = control::Sessions::open(*registry_, clock_, random_);
  if (!sessions) return std::unexpected(sessions.error());
  sessions_ = std::move(*sessions);
  if (auto admin = registry_->principal(PrincipalName("admin")); !admin) {
    auto made = registry_->create_principal(system_actor(),
                                            {.name = PrincipalName("admin"), .admin = true});
    if (!made) return fail_within("create the first administrator", made.error());
  }
  audit_sink_ = std::make_unique<AuditAdapter>(registry_->audit());
  return {};
}

asio::awaitable<Result<void>> ServerParts::ensure_homes_bucket() {
  const BucketName homes(config_.homes_bucket);
  auto head = co_await objects().head_bucket(homes);
  if (!head && head.error().code != ErrorCode::no_such_bucket) {
    co_return std::unexpected(head.error());
  }
  if (!head) {
    auto made = co_await objects().create_bucket(homes, false);
    if (!made) co_return made;
  } else if (head->versioning != store::Versioning::enabled) {
    spdlog::warn("cli: versioning of the bucket {} was off; it is switched on", homes.value);
  }
  auto set = co_await objects().set_versioning(homes, store::Versioning::enabled);
  if (!set) co_return set;
  if (upstream_) {
    auto checked = co_await check_upstream();
    if (!checked) co_return checked;
  }
  auto rules = co_await objects().set_bucket_document(homes, store::BucketDocument::lifecycle,
                                                      homes_lifecycle(config_.retention_days));
  if (!rules && upstream_) {
    spdlog::warn("cli: the upstream store takes no lifecycle rules, so old versions stay: {}",
                 rules.error().context);
    co_return Result<void>();
  }
  co_return rules;
}

// The history of homes is the upstream bucket's: without versions there it must not start.
asio::awaitable<Result<void>> ServerParts::check_upstream() {
  const BucketName homes(config_.homes_bucket);
  auto seen = co_await upstream_->head_bucket(homes);
  if (!seen) co_return std::unexpected(seen.error());
  if (seen->versioning != store::Versioning::enabled) {
    co_return fail(ErrorCode::not_supported,
                   "the upstream store keeps no versions of it, so nothing could be restored: "
                   "allow PutBucketVersioning, or take a store that has versions");
  }
  auto probed = co_await upstream_->probe(homes);
  if (probed && direct_) co_await direct_->probe(*upstream_, homes);
  co_return probed;
}

Result<void> ServerParts::prepare_homes_bucket() {
  auto done = run_on(*io_, ensure_homes_bucket());
  if (!done) return fail_within("the bucket " + config_.homes_bucket, done.error());
  return {};
}

void ServerParts::start_housekeeping() {
  housekeeping_ = std::make_unique<Housekeeping>(
      *io_, *store_, registry_->audit(), clock_,
      HousekeepingOptions{.cursor_file = data_.path() + "/lifecycle.cursor",
                          .lifecycle_day = std::chrono::seconds(config_.lifecycle_day_seconds),
                          .scrubbing = scrubbing_.get()});
  housekeeping_->start();
  run_on(*io_, [](gateway::Webhooks* webhooks) -> asio::awaitable<bool> {
    co_await webhooks->start();
    co_return true;
  }(webhooks_.get()));
}

Result<void> ServerParts::start_tools() {
  if (launcher_ == nullptr) return {};
  tools_started_ = true;
  auto running = run_on(*io_, launcher_->run());
  if (!running) return fail_within("tools cannot run", running.error());
  // Tools have no other network: they reach the S3 API at the bridge's own address.
  const auto port = tools_port(config_);
  if (is_wildcard(config_.s3_listen) && port == port_of(config_.s3_listen)) return {};
  const std::string bridge = fmt::format("{}:{}", engine_->host_address(), port);
  auto server = net::HttpServer::listen(
      *io_, {.address = bridge}, [this](net::Exchange& exchange) { return s3_->handle(exchange); });
  if (!server) return fail_within("the S3 listener for tools", server.error());
  listeners_.push_back(std::move(*server));
  return {};
}

Result<std::string> ServerParts::first_link() {
  auto link = sessions_->create_link(system_actor(), PrincipalName("admin"));
  if (!link) return std::unexpected(link.error());
  return fmt::format("{}://{}/signin/{}", api_->options().scheme, api_->options().domain,
                     link->token);
}

void ServerParts::stop() {
  if (stopped_ || io_ == nullptr) return;
  stopped_ = true;
  if (housekeeping_) {
    run_on(*io_, [](gateway::Webhooks* webhooks) -> asio::awaitable<bool> {
      co_await webhooks->stop();
      co_return true;
    }(webhooks_.get()));
  }
  housekeeping_.reset();
  if (tools_started_) {
    run_on(*io_, [](control::ToolLauncher* launcher) -> asio::awaitable<bool> {
      co_await launcher->stop(control::ToolLauncher::Ending::remove_tools);
      co_return true;
    }(launcher_.get()));
  }
  // The mounts drain through the S3 listener, so it goes last.
  if (mounts_) mounts_->stop_all(std::chrono::seconds(30));
  for (auto& listener : listeners_) {
    run_on(*io_, [](net::HttpServer* server) -> asio::awaitable<bool> {
      co_await server->stop(std::chrono::seconds(2));
      co_return true;
    }(listener.get()));
  }
  listeners_.clear();
  if (registry_) registry_->audit().flush();
  std::error_code ignored;
  for (const auto& path : sockets_) std::filesystem::remove(path, ignored);
  // Pending coroutines hold references to the parts: the contexts end before the parts do.
  launcher_.reset();
  engine_.reset();
  io_->stop();
  // Nor may a thread that answered them still hold on to a context that is gone.
  if (store_) store_->finish();
  pool_.join();
  // Their connections and timers belong to the contexts, which must be there when they close.
  scrubbing_.reset();
  webhooks_.reset();
  upstream_.reset();
  io_.reset();
}

}  // namespace holdfast::cli
