// WebApi: the console's JSON API without HTTP around it: method, path, query and body in, status
// and JSON out. The web listener and the admin socket are its two fronts. Every call that touches
// data is judged by the same policy snapshot as the S3 API. Thread-safe; coroutines resume on the
// caller's executor. docs/API.md describes the routes.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/blocking_pool.h"
#include "base/clock.h"
#include "base/error.h"
#include "control/launcher.h"
#include "control/publisher.h"
#include "control/registry.h"
#include "control/sessions.h"
#include "gateway/bucket_rules.h"
#include "store/object_store.h"

namespace holdfast::store {
class DirectUrls;
}  // namespace holdfast::store

namespace holdfast::gateway {

// Who calls: a signed-in person, or the administrator at the admin socket.
struct Caller {
  control::Actor actor;
  bool admin = false;
  std::string session_id;  // of the browser; empty at the admin socket
  std::string csrf;        // what unsafe calls must send
};

struct ApiRequest {
  std::string method;
  std::vector<std::string> path;             // decoded segments behind /api/v1
  std::map<std::string, std::string> query;  // decoded; the last of a name counts
  boost::json::object body;
  Caller caller;
};

struct ApiAnswer {
  unsigned status = 200;
  boost::json::value body;
};

struct WebApiOptions {
  std::string version;
  std::string data_directory;
  std::string s3_endpoint = "http://localhost:7070";  // as browsers reach it
  std::string region = "us-east-1";
  std::string scheme = "http";  // of the console and the tools
  std::string domain = "localhost:7080";
  std::chrono::seconds url_lifetime{15 * 60};
};

// An answer to what a home's sync engine parked; an empty path answers all of it.
struct ParkedAnswer {
  PrincipalName user;
  std::string path;
  bool bring_back = true;  // or let the deletion go through
};

// Homes and their mounts. Both block and run on the pool; empty where this server mounts none.
struct HomesAccess {
  std::function<boost::json::value()> status;  // rows for GET /status
  std::function<Result<void>(const ParkedAnswer&)> decide_parked;
};

// The scrub of the store; empty where another endpoint keeps the objects. Any thread; do not block.
struct ScrubAccess {
  std::function<boost::json::object()> report;  // the answer of GET scrub
  // Begins a pass, at a rate of its own if one is given (0: no limit); answers its number.
  std::function<std::uint64_t(std::optional<std::uint64_t>)> start;
};

struct WebApiParts {  // all must outlive the API
  store::ObjectStore& store;
  control::Registry& registry;
  control::Sessions& sessions;
  control::PolicyPublisher& policy;
  control::ToolLauncher* tools;  // null: this server launches none
  BlockingPool& pool;
  const Clock& clock;
  HomesAccess homes;
  BucketRulesBook* rules = nullptr;  // of the store's buckets; null: they can have none
  ScrubAccess scrub = {};
  std::function<boost::json::array()> webhooks;  // rows for GET /status; any thread; may be empty
  store::DirectUrls* direct = nullptr;           // null: every signed URL names this gateway
};

class WebApi {
 public:
  WebApi(WebApiParts parts, WebApiOptions options);

  boost::asio::awaitable<Result<ApiAnswer>> call(ApiRequest request);

  const WebApiOptions& options() const { return options_; }
  WebApiParts& parts() { return parts_; }

  // The key pair that signs URLs for this caller: made at first use, ends with the session.
  boost::asio::awaitable<Result<control::KeyRecord>> signing_key(Caller caller);
  boost::asio::awaitable<void> forget_session(std::string session_id);

 private:
  WebApiParts parts_;
  WebApiOptions options_;
  std::mutex mutex_;
  std::unordered_map<std::string, control::KeyRecord> keys_;  // by session id
};

// The status that a failed call answers with.
unsigned http_status(ErrorCode code);
boost::json::object error_json(const Error& error);

}  // namespace holdfast::gateway
