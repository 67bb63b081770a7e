#include "cli/config_store.h"

namespace holdfast::cli {

bool is_local_domain(const std::string& domain) {
  return domain == "localhost" || domain.ends_with(".localhost");
}

namespace {

Result<void> check_sts(const UpstreamConfig& upstream) {
  if (upstream.sts_role.empty()) {
    if (upstream.sts_endpoint.empty() && !upstream.sts_writes) return {};
    return fail(ErrorCode::invalid_argument,
                "store.sts needs a role, such as arn:aws:iam:::role/holdfast-direct");
  }
  if (!upstream.direct) {
    return fail(ErrorCode::invalid_argument,
                "store.sts.role is given but store.direct is not true");
  }
  if (upstream.sts_writes && upstream.relist_seconds == 0) {
    return fail(ErrorCode::invalid_argument,
                "with store.sts.writes people write past this server: homes and mounts would "
                "never see it with store.relist_seconds = 0");
  }
  return {};
}

Result<void> check_direct(const Config& config) {
  const UpstreamConfig& upstream = config.upstream;
  if (auto fine = check_sts(upstream); !fine) return fine;
  if (!upstream.direct) {
    if (upstream.direct_endpoint.empty()) return {};
    return fail(ErrorCode::invalid_argument,
                "store.direct_endpoint is given but store.direct is not true");
  }
  if (config.store_kind != "s3") {
    return fail(
        ErrorCode::invalid_argument,
        "store.direct needs store.kind = \"s3\": signed URLs of the built-in store name this "
        "server already");
  }
  const std::string& address =
      upstream.direct_endpoint.empty() ? upstream.endpoint : upstream.direct_endpoint;
  if (!address.starts_with("http://") && !address.starts_with("https://")) {
    return fail(ErrorCode::invalid_argument,
                "store.direct needs an address that browsers reach: set store.direct_endpoint to "
                "an http:// or https:// URL, not {}",
                address);
  }
  if (!config.web_tls.key.empty() && address.starts_with("http://") &&
      !is_local_domain(config.domain)) {
    return fail(ErrorCode::invalid_argument,
                "store.direct at {} with web.tls_key: from an HTTPS console browsers move no file "
                "over plain HTTP; set store.direct_endpoint to an https:// URL",
                address);
  }
  return {};
}

}  // namespace

Result<void> check_store(const Config& config) {
  if (config.store_kind != "local" && config.store_kind != "s3") {
    return fail(ErrorCode::invalid_argument, "store.kind takes local or s3, not {}",
                config.store_kind);
  }
  const bool upstream = config.store_kind == "s3";
  if (upstream && config.upstream.endpoint.empty()) {
    return fail(ErrorCode::invalid_argument,
                "store.kind = \"s3\" needs store.endpoint, a URL such as http://127.0.0.1:7480");
  }
  if (!upstream && !config.upstream.endpoint.empty()) {
    return fail(ErrorCode::invalid_argument,
                "store.endpoint is given but store.kind is local: write kind = \"s3\" to use it");
  }
  const RootKeyConfig& keys = config.root_keys;
  if (upstream && !(keys.current.empty() && keys.old.empty() && keys.lost.empty())) {
    return fail(ErrorCode::invalid_argument,
                "store.root_key_file and its like encrypt the built-in store; with store.kind = "
                "\"s3\" encryption is the endpoint's");
  }
  return check_direct(config);
}

}  // namespace holdfast::cli
