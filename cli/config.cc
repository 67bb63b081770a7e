#include "cli/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "cli/config_store.h"
#include "store/direct_urls.h"

namespace holdfast::cli {
namespace {

using Setter = std::function<bool(const toml::node&)>;

Setter text(std::string& out) {
  return [&out](const toml::node& node) {
    const auto value = node.value_exact<std::string>();
    if (value) out = *value;
    return value.has_value();
  };
}

template <class Integer>
Setter number(Integer& out, std::int64_t least, std::int64_t most) {
  return [&out, least, most](const toml::node& node) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < least || *value > most) return false;
    out = static_cast<Integer>(*value);
    return true;
  };
}

Setter one_of(std::string& out, std::vector<std::string_view> words) {
  return [&out, words = std::move(words)](const toml::node& node) {
    const auto value = node.value_exact<std::string>();
    if (!value || std::ranges::find(words, *value) == words.end()) return false;
    out = *value;
    return true;
  };
}

Setter flag(bool& out) {
  return [&out](const toml::node& node) {
    const auto value = node.value_exact<bool>();
    if (value) out = *value;
    return value.has_value();
  };
}

Setter names(std::map<std::string, std::string>& out) {
  return [&out](const toml::node& node) {
    const auto* table = node.as_table();
    if (table == nullptr) return false;
    for (const auto& [name, value] : *table) {
      const auto given = value.value_exact<std::string>();
      if (!given) return false;
      out[std::string(name.str())] = *given;
    }
    return true;
  };
}

Setter texts(std::vector<std::string>& out) {
  return [&out](const toml::node& node) {
    const auto* list = node.as_array();
    if (list == nullptr) return false;
    for (const auto& value : *list) {
      const auto given = value.value_exact<std::string>();
      if (!given) return false;
      out.push_back(*given);
    }
    return true;
  };
}

Setter webhooks(std::vector<WebhookConfig>& out) {
  return [&out](const toml::node& node) {
    const auto* tables = node.as_array();
    if (tables == nullptr) return false;
    for (const auto& entry : *tables) {
      const auto* table = entry.as_table();
      if (table == nullptr) return false;
      WebhookConfig webhook;
      const std::map<std::string_view, std::string*> members = {
          {"id", &webhook.id},
          {"url", &webhook.url},
          {"auth_token_file", &webhook.auth_token_file}};
      for (const auto& [name, value] : *table) {
        const auto member = members.find(name.str());
        const auto given = value.value_exact<std::string>();
        if (member == members.end() || !given) return false;
        *member->second = *given;
      }
      out.push_back(std::move(webhook));
    }
    return true;
  };
}

struct Key {
  Setter set;
  const char* accepts;
};

std::map<std::string, Key> known_keys(Config& c) {
  return {
      {"data", {text(c.data), "a directory"}},
      {"domain", {text(c.domain), "a host name"}},
      {"region", {text(c.region), "a region name"}},
      {"threads", {number(c.threads, 0, 256), "a number from 0 to 256"}},
      {"s3.listen", {text(c.s3_listen), "\"ADDRESS:PORT\""}},
      {"s3.block_public_access", {flag(c.block_public_access), "true or false"}},
      {"identity.issuer", {text(c.identity_issuer), "a URL, as the tokens' \"iss\""}},
      {"identity.audience", {text(c.identity_audience), "a word, as in the tokens' \"aud\""}},
      {"identity.keys", {text(c.identity_keys), "the URL of the provider's key set"}},
      {"identity.claim", {text(c.identity_claim), "the claim that names the user"}},
      {"web.listen", {text(c.web_listen), "\"ADDRESS:PORT\""}},
      {"s3.bucket_creators",
       {one_of(c.bucket_creators, {"admins", "everyone"}), "admins or everyone"}},
      {"s3.v2_forms", {flag(c.v2_forms), "true or false"}},
      {"s3.tls_certificate", {text(c.s3_tls.certificate), "a PEM file"}},
      {"s3.tls_key", {text(c.s3_tls.key), "a PEM file"}},
      {"web.tls_certificate", {text(c.web_tls.certificate), "a PEM file"}},
      {"web.tls_key", {text(c.web_tls.key), "a PEM file"}},
      {"store.fsync", {flag(c.fsync), "true or false"}},
      {"store.root_key_file", {text(c.root_keys.current), "a file"}},
      {"store.old_root_key_files", {texts(c.root_keys.old), "a list of files"}},
      {"store.lost_root_keys", {texts(c.root_keys.lost), "a list of ids of root keys"}},
      {"store.kind", {text(c.store_kind), "local or s3"}},
      {"store.scrub_days", {number(c.scrub_days, 0, 3650), "days, 0: only when asked for"}},
      {"store.scrub_bytes_per_second",
       {number(c.scrub_bytes_per_second, 0, std::int64_t(1) << 40), "bytes, 0: no limit"}},
      {"store.endpoint", {text(c.upstream.endpoint), "a URL"}},
      {"store.region", {text(c.upstream.region), "a region name"}},
      {"store.path_style", {flag(c.upstream.path_style), "true or false"}},
      {"store.credentials", {text(c.upstream.credentials), "a file"}},
      {"store.profile", {text(c.upstream.profile), "a profile of that file"}},
      {"store.ca_file", {text(c.upstream.ca_file), "a file"}},
      {"store.bucket_prefix", {text(c.upstream.bucket_prefix), "a text"}},
      {"store.buckets", {names(c.upstream.buckets), "a table of bucket = \"upstream bucket\""}},
      {"store.relist_seconds", {number(c.upstream.relist_seconds, 0, 86'400), "seconds, 0: never"}},
      {"store.verify_reads", {flag(c.upstream.verify_reads), "true or false"}},
      {"store.direct", {flag(c.upstream.direct), "true or false"}},
      {"store.direct_endpoint", {text(c.upstream.direct_endpoint), "a URL"}},
      {"store.direct_seconds",
       {number(c.upstream.direct_seconds, 1, store::max_direct_lifetime.count()),
        "seconds from 1 to 900"}},
      {"store.sts.role", {text(c.upstream.sts_role), "the ARN of a role"}},
      {"store.sts.endpoint", {text(c.upstream.sts_endpoint), "a URL"}},
      {"store.sts.writes", {flag(c.upstream.sts_writes), "true or false"}},
      {"homes.bucket", {text(c.homes_bucket), "a bucket name"}},
      {"homes.retention_days", {number(c.retention_days, 1, 36500), "a number of days from 1"}},
      {"lifecycle.day_seconds",
       {number(c.lifecycle_day_seconds, 1, 86400), "seconds, at most 86400"}},
      {"notify.webhook",
       {webhooks(c.webhooks), "tables [[notify.webhook]] of id, url and auth_token_file"}},
      {"log.level", {text(c.log_level), "debug, info, warning or error"}},
      {"log.format", {text(c.log_format), "text or json"}},
      {"tools.enabled", {flag(c.tools), "true or false"}},
      {"tools.podman_socket", {text(c.podman_socket), "a path"}},
      {"tools.runtime", {text(c.podman_runtime), "auto, runc or crun"}},
      {"tools.memory_bytes",
       {number(c.tool_memory_bytes, 64 << 20, std::int64_t(1) << 50), "bytes, at least 67108864"}},
      {"tools.pids", {number(c.tool_pids, 16, 1 << 20), "a number from 16"}},
      {"tools.s3_port", {number(c.tools_s3_port, 1, 65535), "a port"}},
  };
}

Result<void> apply(const toml::table& table, const std::string& prefix,
                   const std::map<std::string, Key>& keys, const std::string& path) {
  for (const auto& [name, node] : table) {
    const std::string full = prefix + std::string(name.str());
    const auto found = keys.find(full);
    if (const auto* inner = node.as_table(); inner != nullptr && found == keys.end()) {
      if (auto done = apply(*inner, full + ".", keys, path); !done) return done;
      continue;
    }
    const auto line = node.source().begin.line;
    if (found == keys.end()) {
      return fail(ErrorCode::invalid_argument, "{} line {}: there is no setting \"{}\"", path, line,
                  full);
    }
    if (!found->second.set(node)) {
      return fail(ErrorCode::invalid_argument, "{} line {}: {} takes {}", path, line, full,
                  found->second.accepts);
    }
  }
  return {};
}

Result<void> check_webhooks(const Config& config) {
  if (config.webhooks.empty()) return {};
  if (config.store_kind == "s3") {
    return fail(ErrorCode::invalid_argument,
                "notify.webhook needs the built-in store: the changes of another endpoint are not "
                "told surely enough to promise their delivery");
  }
  std::set<std::string_view> ids;
  for (const WebhookConfig& webhook : config.webhooks) {
    const bool word = !webhook.id.empty() && webhook.id.size() <= 64 &&
                      std::ranges::all_of(webhook.id, [](unsigned char c) {
                        return std::isalnum(c) != 0 || c == '-' || c == '_';
                      });
    if (!word) {
      return fail(ErrorCode::invalid_argument,
                  "notify.webhook.id takes up to 64 letters, digits, - and _, not \"{}\"",
                  webhook.id);
    }
    if (!ids.insert(webhook.id).second) {
      return fail(ErrorCode::invalid_argument, "two notify.webhook have the id {}", webhook.id);
    }
    if (!webhook.url.starts_with("http://") && !webhook.url.starts_with("https://")) {
      return fail(ErrorCode::invalid_argument,
                  "the url of notify.webhook {} takes http://… or https://…, not \"{}\"",
                  webhook.id, webhook.url);
    }
  }
  return {};
}

// Keys that anyone on the way could exchange are no keys.
Result<void> check_identity(const Config& config) {
  if (config.identity_issuer.empty()) return {};
  const std::string& keys = config.identity_keys;
  const bool here = keys.starts_with("http://127.0.0.1") || keys.starts_with("http://localhost") ||
                    keys.starts_with("http://[::1]");
  if (!keys.starts_with("https://") && !here) {
    return fail(ErrorCode::invalid_argument,
                "identity.keys takes an https URL (http on this host only), not {}", keys);
  }
  if (config.identity_audience.empty() || config.identity_claim.empty()) {
    return fail(ErrorCode::invalid_argument,
                "identity.issuer needs identity.audience and identity.claim beside it");
  }
  return {};
}

}  // namespace

Result<Config> load_config(const std::string& path) {
  Config config;
  if (path.empty()) return config;
  auto content = read_file(path, 1u << 20);
  if (!content) return fail_within("configuration", content.error());
  try {
    const toml::table table = toml::parse(*content, path);
    if (auto done = apply(table, "", known_keys(config), path); !done) {
      return std::unexpected(done.error());
    }
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::malformed, "{} line {}: {}", path, error.source().begin.line,
                error.description());
  }
  return config;
}

namespace {

Result<void> check_tls(const Config& config) {
  for (const auto& [name, files] : {std::pair{"s3", config.s3_tls}, {"web", config.web_tls}}) {
    if (files.certificate.empty() == files.key.empty()) continue;
    return fail(ErrorCode::invalid_argument, "set {0}.tls_certificate and {0}.tls_key, or neither",
                name);
  }
  if (!config.web_tls.key.empty() && config.s3_tls.key.empty() && !is_local_domain(config.domain)) {
    return fail(
        ErrorCode::invalid_argument,
        "web.tls_key without s3.tls_key: from an HTTPS console browsers move no file over "
        "plain HTTP; set s3.tls_certificate and s3.tls_key, too (the files may be the same)");
  }
  return {};
}

}  // namespace

std::string scheme_of(const net::TlsFiles& files) { return files.key.empty() ? "http" : "https"; }

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

bool is_wildcard(const std::string& address) {
  const auto host = address.substr(0, address.rfind(':'));
  return host.empty() || host == "0.0.0.0" || host == "[::]" || host == "::";
}

std::string tools_port(const Config& config) {
  if (config.tools_s3_port != 0) return std::to_string(config.tools_s3_port);
  const auto port = port_of(config.s3_listen);
  if (!is_wildcard(config.s3_listen) || config.s3_tls.key.empty()) return port;
  return std::to_string(std::atoi(port.c_str()) + 1);
}

Result<void> finish_config(Config& config) {
  if (auto fine = check_tls(config); !fine) return fine;
  std::error_code error;
  auto absolute = std::filesystem::absolute(config.data, error);
  if (error || config.data.empty()) {
    return fail(ErrorCode::invalid_argument, "--data {}: not a directory name", config.data);
  }
  config.data = absolute.lexically_normal().string();
  if (config.data.size() > 1 && config.data.ends_with('/')) config.data.pop_back();
  // A unix socket's path ends at 107 bytes (unix(7)); ours are at most 40 longer than the data
  // directory's.
  if (config.data.size() > 64) {
    return fail(ErrorCode::invalid_argument,
                "--data {}: the path is {} bytes long; 64 is the most, since sockets live in it",
                config.data, config.data.size());
  }
  if (auto fine = check_store(config); !fine) return fine;
  if (auto fine = check_webhooks(config); !fine) return fine;
  if (config.log_format != "text" && config.log_format != "json") {
    return fail(ErrorCode::invalid_argument, "log.format takes text or json, not {}",
                config.log_format);
  }
  return check_identity(config);
}

}  // namespace holdfast::cli
