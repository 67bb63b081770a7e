// ServerParts' services and the listeners on which they are reached.
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <filesystem>

#include "base/log.h"
#include "cli/bucket_owners_adapter.h"
#include "cli/server_parts.h"
#include "cli/version.h"
#include "control/podman_driver.h"

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

}  // namespace

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

}  // namespace holdfast::cli
