#include "gateway/web_api.h"

#include <array>
#include <span>
#include <string_view>

#include "gateway/web_request.h"
#include "gateway/web_routes.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct RouteEntry {
  std::string_view method;
  std::string_view pattern;  // segments joined by '/'; "*" matches any one
  Route route;
};

constexpr std::array routes = {
    RouteEntry{"GET", "session", get_session},
    RouteEntry{"GET", "tools", get_tools},
    RouteEntry{"GET", "tools/*/logs", get_tool_logs},
    RouteEntry{"POST", "tools/*/*", post_tool},
    RouteEntry{"GET", "places", get_places},
    RouteEntry{"GET", "files", get_files},
    RouteEntry{"POST", "files/sign", post_files_sign},
    RouteEntry{"POST", "delete", post_delete},
    RouteEntry{"POST", "rename", post_rename},
    RouteEntry{"POST", "folders", post_folders},
    RouteEntry{"POST", "uploads", post_uploads},
    RouteEntry{"POST", "uploads/sign", post_uploads_sign},
    RouteEntry{"POST", "uploads/parts", post_uploads_parts},
    RouteEntry{"POST", "uploads/complete", post_uploads_complete},
    RouteEntry{"POST", "uploads/abort", post_uploads_abort},
    RouteEntry{"POST", "credentials", post_credentials},
    RouteEntry{"GET", "history", get_history},
    RouteEntry{"GET", "deleted", get_deleted},
    RouteEntry{"POST", "restore", post_restore},
    RouteEntry{"GET", "parked", get_parked},
    RouteEntry{"POST", "parked", post_parked},
    RouteEntry{"GET", "users", get_users},
    RouteEntry{"POST", "users", post_users},
    RouteEntry{"DELETE", "users/*", delete_user},
    RouteEntry{"POST", "users/*/*", post_user},
    RouteEntry{"GET", "keys", get_keys},
    RouteEntry{"POST", "keys", post_keys},
    RouteEntry{"DELETE", "keys/*", delete_key},
    RouteEntry{"GET", "buckets", get_buckets},
    RouteEntry{"POST", "buckets", post_buckets},
    RouteEntry{"DELETE", "buckets/*", delete_bucket},
    RouteEntry{"GET", "buckets/*/quota", get_quota},
    RouteEntry{"POST", "buckets/*/quota", post_quota},
    RouteEntry{"GET", "grants", get_grants},
    RouteEntry{"POST", "grants", post_grants},
    RouteEntry{"DELETE", "grants/*", delete_grant},
    RouteEntry{"GET", "templates", get_templates},
    RouteEntry{"POST", "templates", post_templates},
    RouteEntry{"GET", "audit", get_audit},
    RouteEntry{"GET", "audit/verify", get_audit_verify},
    RouteEntry{"GET", "status", get_status},
    RouteEntry{"GET", "scrub", get_scrub},
    RouteEntry{"POST", "scrub", post_scrub},
};

bool matches(std::string_view pattern, std::span<const std::string> path) {
  for (const auto& segment : path) {
    const auto slash = pattern.find('/');
    const auto want = pattern.substr(0, slash);
    if (want.empty() || (want != "*" && want != segment)) return false;
    pattern = slash == std::string_view::npos ? std::string_view() : pattern.substr(slash + 1);
  }
  return pattern.empty();
}

}  // namespace

WebApi::WebApi(WebApiParts parts, WebApiOptions options)
    : parts_(std::move(parts)), options_(std::move(options)) {}

asio::awaitable<Result<ApiAnswer>> WebApi::call(ApiRequest request) {
  bool path_known = false;
  for (const auto& entry : routes) {
    if (!matches(entry.pattern, request.path)) continue;
    path_known = true;
    if (entry.method != request.method) continue;
    if (parts_.rules != nullptr && !parts_.rules->loaded()) {
      if (auto read = co_await parts_.rules->load(); !read) co_return std::unexpected(read.error());
    }
    auto answer = co_await entry.route(*this, std::move(request));
    if (!answer) co_return std::unexpected(answer.error());
    co_return ApiAnswer{200, std::move(*answer)};
  }
  if (path_known) {
    co_return fail(ErrorCode::method_not_allowed, "this resource does not take {}", request.method);
  }
  co_return fail(ErrorCode::not_found, "there is no such resource; docs/API.md lists them");
}

asio::awaitable<Result<control::KeyRecord>> WebApi::signing_key(Caller caller) {
  const std::string slot = caller.session_id.empty() ? "admin-socket" : caller.session_id;
  const auto fresh = parts_.clock.now() + options_.url_lifetime;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = keys_.find(slot);
    if (found != keys_.end() && (!found->second.not_after || *found->second.not_after > fresh)) {
      co_return found->second;
    }
  }
  // URLs of the admin socket are signed for an hour at a time, as the administrator who is asked
  // for; a session's key ends with the session's own lifetime.
  const auto lifetime = caller.session_id.empty()
                            ? std::chrono::seconds(3600)
                            : std::chrono::seconds(control::Sessions::session_lifetime);
  control::NewKey wanted{.principal = caller.actor.principal,
                         .purpose = "session",
                         .not_after = parts_.clock.now() + lifetime,
                         .scope = std::nullopt};
  auto key = co_await parts_.pool.run(
      [this, actor = caller.actor, wanted] { return parts_.registry.create_key(actor, wanted); });
  if (!key) co_return std::unexpected(key.error());
  const std::scoped_lock lock(mutex_);
  keys_.insert_or_assign(slot, *key);
  co_return *key;
}

asio::awaitable<void> WebApi::forget_session(std::string session_id) {
  std::optional<control::KeyRecord> key;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = keys_.find(session_id);
    if (found == keys_.end()) co_return;
    key = std::move(found->second);
    keys_.erase(found);
  }
  const control::Actor system{.kind = control::Actor::Kind::system, .source = "web"};
  auto revoked = co_await parts_.pool.run(
      [this, system, id = key->id] { return parts_.registry.revoke_key(system, id); });
  if (!revoked) co_return;  // it expires with the session's lifetime
}

unsigned http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
    case ErrorCode::no_such_bucket:
    case ErrorCode::no_such_key:
    case ErrorCode::no_such_version:
    case ErrorCode::no_such_upload:
      return 404;
    case ErrorCode::already_exists:
    case ErrorCode::bucket_exists:
    case ErrorCode::bucket_not_empty:
    case ErrorCode::conflict:
    case ErrorCode::locked:
      return 409;
    case ErrorCode::method_not_allowed:
      return 405;
    case ErrorCode::not_supported:
      return 501;
    case ErrorCode::precondition_failed:
      return 412;
    case ErrorCode::not_modified:
      return 304;
    case ErrorCode::invalid_range:
      return 416;
    case ErrorCode::entity_too_large:
      return 413;
    case ErrorCode::unauthenticated:
      return 401;
    case ErrorCode::access_denied:
      return 403;
    case ErrorCode::expired:
      return 410;
    case ErrorCode::quota_exceeded:
    case ErrorCode::no_space:
      return 507;
    case ErrorCode::unavailable:
    case ErrorCode::throttled:
      return 503;
    case ErrorCode::timed_out:
      return 504;
    case ErrorCode::read_only:
    case ErrorCode::io:
    case ErrorCode::corrupted:
    case ErrorCode::cancelled:
    case ErrorCode::internal:
      return 500;
    default:
      return 400;
  }
}

json::object error_json(const Error& error) {
  std::string code(to_string(error.code));
  for (auto& c : code) {
    if (c == ' ' || c == '-' || c == '/') c = '_';
  }
  return {{"error", {{"code", code}, {"message", error.context}}}};
}

}  // namespace holdfast::gateway
