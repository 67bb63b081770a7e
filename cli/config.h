// Configuration: one TOML file, every key with a default; options of the command line come after
// it. Plain values; read once at start. docs/OPERATIONS.md lists the keys.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/tls_identity.h"

namespace holdfast::cli {

// [store] kind = "s3": another S3 endpoint keeps the objects, this program stands in front.
struct UpstreamConfig {
  std::string endpoint;  // empty: none, the store is our own
  std::string region = "us-east-1";
  bool path_style = true;
  std::string credentials;  // a file of the AWS tools; empty: AWS_ACCESS_KEY_ID and its like
  std::string profile = "default";
  std::string ca_file;
  std::string bucket_prefix;
  std::map<std::string, std::string> buckets;  // ours to theirs
  std::uint32_t relist_seconds = 300;          // how long a write made elsewhere may stay unseen
  bool verify_reads = false;
  // Signed URLs that name the endpoint itself, see store/direct_urls.h.
  bool direct = false;
  std::string direct_endpoint;  // as browsers reach it; empty: `endpoint`
  std::uint32_t direct_seconds = 300;
  // The endpoint's STS: whose role narrows what is lent, see store/sts_client.h.
  std::string sts_role;      // an ARN; empty: none
  std::string sts_endpoint;  // empty: `endpoint`
  bool sts_writes = false;   // credentials lent to people may also write
};

// Encryption at rest of the built-in store, see docs/OPERATIONS.md.
struct RootKeyConfig {
  std::string current;            // a file; empty: bodies are stored in the clear
  std::vector<std::string> old;   // files
  std::vector<std::string> lost;  // ids
};

// [[notify.webhook]]: an HTTP endpoint that buckets may name as arn:holdfast:sqs::ID:webhook.
struct WebhookConfig {
  std::string id, url;
  std::string auth_token_file;  // empty: none
};

struct Config {
  std::string data = "var";  // made absolute by load()
  std::string s3_listen = "127.0.0.1:7070";
  std::string web_listen = "127.0.0.1:7080";
  // PEM files; both or none. With them the listener speaks HTTPS only.
  net::TlsFiles s3_tls, web_tls;
  // What people type: the console is at http(s)://<domain>, tools at http(s)://TOOL-USER.<domain>,
  // the S3 API at http(s)://<s3_host>. Ports as above.
  std::string domain = "localhost";
  std::string region = "us-east-1";
  std::string homes_bucket = "homes";
  std::uint32_t retention_days = 90;            // of what is no longer current in the homes bucket
  std::uint32_t lifecycle_day_seconds = 86400;  // how long a day of a lifecycle rule is
  std::string bucket_creators = "admins";       // or "everyone", who administer what they made
  bool v2_forms = false;                        // POST forms signed with SigV2
  // Of buckets without a public access block of their own: all four blocks, or none.
  bool block_public_access = true;
  // The OpenID Connect provider whose tokens AssumeRoleWithWebIdentity takes; issuer empty: none.
  std::string identity_issuer, identity_audience, identity_keys;
  std::string identity_claim = "sub";  // that names the user here
  bool fsync = true;
  std::string store_kind = "local";  // or "s3"
  // From one scrub's start to the next's; 0: only when it is asked for. 0 bytes: no limit.
  std::uint32_t scrub_days = 30;
  std::uint64_t scrub_bytes_per_second = 32u << 20;
  UpstreamConfig upstream;
  RootKeyConfig root_keys;
  std::vector<WebhookConfig> webhooks;
  std::uint32_t threads = 0;  // sockets; 0: one a core
  std::string log_level = "info";
  std::string log_format = "text";  // or "json"

  bool tools = true;                    // launch tools and mounts; false: storage only
  std::string podman_socket;            // empty: start our own podman service
  std::string podman_runtime = "auto";  // auto, runc, crun
  std::uint64_t tool_memory_bytes = 1ull << 30;
  std::uint32_t tool_pids = 512;
  std::uint32_t tools_s3_port = 0;  // 0: see tools_port()
};

// Reads `path` (empty: defaults). Unknown keys and wrong types are errors that name the key, the
// line and what is accepted.
Result<Config> load_config(const std::string& path);

std::string scheme_of(const net::TlsFiles& files);  // "https" or "http"
std::string port_of(const std::string& address);    // what follows the last colon
// Whether the address is that of all interfaces.
bool is_wildcard(const std::string& address);
// The port of the plain S3 listener on the tools' bridge: that of s3.listen, but the next one where
// s3.listen speaks TLS on all interfaces and so has taken it.
std::string tools_port(const Config& config);

// Checks what only the whole tells, and makes `data` absolute.
Result<void> finish_config(Config& config);

}  // namespace holdfast::cli
