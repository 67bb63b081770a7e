#include "cli/server_parts.h"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <future>
#include <thread>

#include "base/log.h"
#include "cli/audit_adapter.h"
#include "cli/body_encryption.h"
#include "cli/bucket_owners_adapter.h"
#include "cli/upstream.h"
#include "cli/version.h"
#include "cli/webhook_targets.h"
#include "control/podman_driver.h"
#include "store/root_keys.h"

namespace holdfast::cli {
namespace {

namespace asio = boost::asio;

// What browsers write: the domain with the port, unless it is the scheme's own.
std::string with_port(const std::string& domain, const std::string& address,
                      std::string_view scheme) {
  const auto port = port_of(address);
  return port == (scheme == "https" ? "443" : "80") ? domain : fmt::format("{}:{}", domain, port);
}

// How long browsers are to insist on TLS (RFC 6797). It holds for all ports of a name: never for
// one that other programs of a machine share.
std::chrono::seconds strict_transport_of(const std::string& domain) {
  boost::system::error_code no_address;
  asio::ip::make_address(domain, no_address);
  const bool shared = domain == "localhost" || domain.ends_with(".localhost") || !no_address;
  return shared ? std::chrono::seconds(0) : std::chrono::hours(24 * 365);
}

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

void ServerParts::build_web() {
  const std::string web_scheme = scheme_of(config_.web_tls);
  const std::string s3_scheme = scheme_of(config_.s3_tls);
  const std::string web_domain = with_port(config_.domain, config_.web_listen, web_scheme);
  const std::string s3_host = with_port(config_.domain, config_.s3_listen, s3_scheme);
  gateway::S3ServiceOptions s3_options;
  s3_options.hosts = {.domains = {config_.domain, "127.0.0.1"}, .region = config_.region};
  s3_options.lifecycle_day = std::chrono::seconds(config_.lifecycle_day_seconds);
  s3_options.console_origins = {web_scheme + "://" + web_domain};
  s3_options.encryption = encryption_;
  s3_options.v2_forms = config_.v2_forms;
  if (config_.bucket_creators == "everyone") {
    s3_options.bucket_creators = gateway::BucketCreators::everyone;
  }
  bucket_owners_ = std::make_unique<BucketOwnersAdapter>(*registry_, pool_);
  s3_options.owners = bucket_owners_.get();
  s3_options.block_public_access = config_.block_public_access;
  s3_options.session_secret = registry_->instance_secret();
  if (!config_.identity_issuer.empty()) {
    key_set_ = std::make_unique<KeySetReader>(io_->at(0).get_executor(), config_.identity_keys);
    web_identities_ = std::make_unique<gateway::WebIdentities>(
        gateway::WebIdentityOptions{.issuer = config_.identity_issuer,
                                    .audience = config_.identity_audience,
                                    .claim = config_.identity_claim},
        [reader = key_set_.get()] { return reader->read(); }, clock_);
    s3_options.web_identities = web_identities_.get();
  }
  s3_ = std::make_unique<gateway::S3Service>(objects(), policy_, *audit_sink_, clock_, random_,
                                             s3_options);
  if (config_.tools) {
    std::error_code ignored;
    mounts_ = std::make_unique<MountProcesses>(
        *registry_, pool_,
        MountProcessOptions{.program = std::filesystem::read_symlink("/proc/self/exe", ignored),
                            .homes = data_.path() + "/homes",
                            .log = data_.log(),
                            .s3_endpoint = "unix:" + DataDirectory::s3_socket(data_.path()),
                            .region = config_.region,
                            .homes_bucket = config_.homes_bucket,
                            .log_level = config_.log_level});
  }
  gateway::WebApiOptions web_options{.version = std::string(version),
                                     .data_directory = data_.path(),
                                     .s3_endpoint = s3_scheme + "://" + s3_host,
                                     .region = config_.region,
                                     .scheme = web_scheme,
                                     .domain = web_domain};
  gateway::HomesAccess homes;
  if (mounts_) {
    homes.status = [this] { return mounts_->status(); };
    homes.decide_parked = [this](const gateway::ParkedAnswer& answer) {
      return mounts_->decide_parked(answer.user, answer.path, answer.bring_back);
    };
  }
  if (config_.tools) {
    engine_ = control::make_podman_driver(io_->at(0).get_executor(),
                                          {.socket = config_.podman_socket,
                                           .run_dir = data_.run(),
                                           .instance_id = registry_->instance_id(),
                                           .runtime = config_.podman_runtime},
                                          clock_);
  }
  if (launcher_ == nullptr && config_.tools) {
    launcher_ = std::make_unique<control::ToolLauncher>(
        io_->at(0).get_executor(),
        control::ToolLauncher::Parts{*registry_, *engine_, *mounts_, pool_, clock_},
        control::LauncherOptions{.s3_endpoint = "http://{host}:" + tools_port(config_),
                                 .region = config_.region,
                                 .public_domain = web_domain,
                                 .hidden_paths = {data_.path()}});
    proxy_ = std::make_unique<gateway::ToolProxy>(
        gateway::ToolProxy::Parts{*launcher_, policy_, *sessions_, registry_->audit(), clock_,
                                  random_},
        gateway::ToolProxyOptions{
            .scheme = web_scheme, .domain = web_domain, .secret = registry_->instance_secret()});
  }
  api_ = std::make_unique<gateway::WebApi>(
      gateway::WebApiParts{objects(), *registry_, *sessions_, policy_, launcher_.get(), pool_,
                           clock_, std::move(homes), &s3_->rules(), build_scrubbing(),
                           [this] { return webhooks_->status(); }, direct_.get()},
      std::move(web_options));
  web_ = std::make_unique<gateway::WebService>(
      *api_, proxy_.get(), random_,
      gateway::WebServiceOptions{.domain = web_domain, .admin_uid = ::getuid()});
}

gateway::ScrubAccess ServerParts::build_scrubbing() {
  if (upstream_) return {};
  scrubbing_ = std::make_unique<Scrubbing>(
      io_->at(0).get_executor(), *store_, registry_->audit(), clock_,
      ScrubbingOptions{.state_file = data_.path() + "/scrub.json",
                       .between = std::chrono::days(config_.scrub_days),
                       .bytes_per_second = config_.scrub_bytes_per_second});
  return {[this] { return scrubbing_->report(); },
          [this](std::optional<std::uint64_t> rate) { return scrubbing_->start(rate); }};
}

void ServerParts::reload_certificates(Certificates when) {
  for (const auto& identity : {s3_tls_, web_tls_ == s3_tls_ ? nullptr : web_tls_}) {
    if (!identity) continue;
    Result<bool> done = true;
    if (when == Certificates::if_changed) {
      done = identity->refresh();
    } else if (auto again = identity->reload(); !again) {
      done = std::unexpected(again.error());
    }
    if (!done) {
      spdlog::error("cli: {}; the certificate at hand stays", done.error().context);
    } else if (*done) {
      spdlog::info("cli: a new certificate: {}", identity->summary());
    }
  }
}

Result<void> ServerParts::listen() {
  build_web();
  const auto add = [this](net::ServerOptions options, net::Handler handler) -> Result<void> {
    auto server = net::HttpServer::listen(*io_, std::move(options), std::move(handler));
    if (!server) return std::unexpected(server.error());
    listeners_.push_back(std::move(*server));
    return {};
  };
  const auto add_socket = [this, &add](std::string path, net::Handler handler) -> Result<void> {
    if (auto done = add({.address = "unix:" + path}, std::move(handler)); !done) return done;
    sockets_.push_back(std::move(path));
    return {};
  };
  if (auto done = add({.address = config_.s3_listen, .tls = s3_tls_},
                      [this](net::Exchange& exchange) { return s3_->handle(exchange); });
      !done) {
    return done;
  }
  if (auto done = add({.address = config_.web_listen,
                       .tls = web_tls_,
                       .strict_transport = strict_transport_of(config_.domain)},
                      [this](net::Exchange& exchange) { return web_->handle(exchange); });
      !done) {
    return done;
  }
  // What runs on this machine as us needs no TLS and no particular address: mounts, commands.
  if (auto done = add_socket(DataDirectory::s3_socket(data_.path()),
                             [this](net::Exchange& exchange) { return s3_->handle(exchange); });
      !done) {
    return done;
  }
  return add_socket(DataDirectory::admin_socket(data_.path()),
                    [this](net::Exchange& exchange) { return web_->handle_admin(exchange); });
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
