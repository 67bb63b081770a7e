#include "cli/upstream.h"

#include <cstdlib>

#include "store/file_credentials.h"

namespace holdfast::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Result<std::unique_ptr<store::CredentialsProvider>> upstream_credentials(
    const UpstreamConfig& config, const Clock& clock) {
  if (!config.credentials.empty()) {
    auto file = store::FileCredentials::open(config.credentials, config.profile, clock);
    if (!file) return fail_within("store.credentials", file.error());
    return std::unique_ptr<store::CredentialsProvider>(std::move(*file));
  }
  s3::Credentials pair{variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
                       variable("AWS_SESSION_TOKEN")};
  if (pair.access_key.empty() || pair.secret_key.empty()) {
    return fail(ErrorCode::unauthenticated,
                "the upstream store {} needs a key pair: name a file in store.credentials, or set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                config.endpoint);
  }
  return std::unique_ptr<store::CredentialsProvider>(
      std::make_unique<store::FixedCredentials>(std::move(pair)));
}

Result<std::unique_ptr<store::StsClient>> sts_client(const UpstreamConfig& config,
                                                     store::CredentialsProvider& credentials,
                                                     const Clock& clock) {
  if (config.sts_role.empty()) return nullptr;
  store::StsOptions options{
      .endpoint = config.sts_endpoint.empty() ? config.endpoint : config.sts_endpoint,
      .role = config.sts_role,
      .region = config.region,
      .ca_file = config.ca_file};
  auto client = store::StsClient::open(std::move(options), credentials, clock);
  if (!client) return fail_within("store.sts", client.error());
  return client;
}

Result<std::unique_ptr<store::DirectUrls>> direct_urls(const UpstreamConfig& config,
                                                       store::CredentialsProvider& credentials,
                                                       const Clock& clock, store::StsClient* sts) {
  if (!config.direct) return nullptr;
  store::DirectOptions options{.names = {config.bucket_prefix, config.buckets}};
  options.endpoint = config.direct_endpoint.empty() ? config.endpoint : config.direct_endpoint;
  options.region = config.region;
  options.path_style = config.path_style;
  options.ca_file = config.ca_file;
  options.lifetime = std::chrono::seconds(config.direct_seconds);
  options.lend_writes = config.sts_writes;
  auto urls = store::DirectUrls::open(std::move(options), credentials, clock, sts);
  if (!urls) return fail_within("store.direct", urls.error());
  return urls;
}

store::UpstreamOptions upstream_options(const UpstreamConfig& config) {
  store::UpstreamOptions options{.names = {config.bucket_prefix, config.buckets}};
  options.s3.endpoint = config.endpoint;
  options.s3.region = config.region;
  options.s3.path_style = config.path_style;
  options.s3.ca_file = config.ca_file;
  options.s3.verify_reads = config.verify_reads;
  options.s3.reach = net::Reach::not_link_local;
  options.s3.max_connections = 512;       // of each I/O thread
  options.s3.buffered_bytes = 128 << 10;  // many at once must not add up
  options.changes.relist = std::chrono::seconds(config.relist_seconds);
  return options;
}

}  // namespace holdfast::cli
