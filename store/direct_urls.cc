#include "store/direct_urls.h"

#include <array>
#include <boost/asio/this_coro.hpp>

#include "base/log.h"
#include "net/http_client.h"
#include "net/http_parse.h"
#include "s3/headers.h"
#include "s3/sigv4.h"
#include "store/session_policy.h"

namespace holdfast::store {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds origin_seconds{60};
constexpr std::size_t remembered_origins = 4'096;
constexpr std::chrono::milliseconds preflight_timeout{3'000};

bool lists(std::string_view list, std::string_view word) {
  return net::list_has(list, "*") || net::list_has(list, word);
}

}  // namespace

Result<std::unique_ptr<DirectUrls>> DirectUrls::open(DirectOptions options,
                                                     CredentialsProvider& credentials,
                                                     const Clock& clock, StsClient* sts) {
  auto address = S3Address::parse(options.endpoint, options.path_style);
  if (!address) return std::unexpected(address.error());
  if (!address->unix_socket.empty()) {
    return fail(ErrorCode::invalid_argument,
                "nobody else reaches {}: direct URLs need an http:// or https:// address",
                log_field(options.endpoint));
  }
  if (options.lifetime < std::chrono::seconds(1) || options.lifetime > max_direct_lifetime) {
    return fail(ErrorCode::invalid_argument, "direct URLs live from 1 to {} seconds, not {}",
                max_direct_lifetime.count(), options.lifetime.count());
  }
  return std::unique_ptr<DirectUrls>(
      new DirectUrls(std::move(options), *std::move(address), credentials, clock, sts));
}

DirectUrls::DirectUrls(DirectOptions options, S3Address address, CredentialsProvider& credentials,
                       const Clock& clock, StsClient* sts)
    : options_(std::move(options)),
      address_(std::move(address)),
      credentials_(credentials),
      clock_(clock),
      sts_(sts) {}

Async<s3::Credentials> DirectUrls::to_send(BucketName bucket, ObjectKey key) {
  if (sts_ == nullptr) co_return co_await credentials_.credentials();
  auto policy = part_policy(options_.names.theirs(bucket), key);
  if (!policy || policy->size() > max_session_policy_bytes) {
    co_return fail(ErrorCode::not_supported, "no session policy names the key {}",
                   log_field(key.value));
  }
  auto lent = co_await sts_->lend({.session = "parts", .policy = std::move(*policy)});
  if (!lent) co_return std::unexpected(lent.error());
  co_return std::move(lent->pair);
}

std::string DirectUrls::url(const DirectCall& call, const s3::Credentials& credentials) const {
  const auto [host, path] = address_.place(options_.names.theirs(call.bucket), call.key.value);
  const std::string query = s3::encode_query(call.query);
  const std::array<s3::HeaderView, 1> headers{{{"host", host}}};
  const s3::SignOptions how{.now = clock_.now(), .region = options_.region};
  return address_.scheme + host + path + "?" +
         s3::presign_query({call.method, path, query, headers}, credentials, how,
                           options_.lifetime);
}

asio::awaitable<bool> DirectUrls::admits_origin(BucketName bucket, std::string origin) {
  const std::string slot = bucket.value + " " + origin;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = origins_.find(slot);
    if (found != origins_.end() && clock_.monotonic() < found->second.until) {
      co_return found->second.admitted;
    }
  }
  const auto [host, path] = address_.place(options_.names.theirs(bucket), "-");
  net::ClientRequest request;
  request.method = "OPTIONS";
  request.url = address_.scheme + host + path;
  request.headers.add("Origin", origin);
  request.headers.add("Access-Control-Request-Method", "PUT");
  // Browsers ask for it where a file has a type.
  request.headers.add("Access-Control-Request-Headers", "content-type");
  request.connect_timeout = request.head_timeout = request.stall_timeout = preflight_timeout;
  net::HttpClient http(
      co_await asio::this_coro::executor,
      {.max_connections = 1, .ca_file = options_.ca_file, .reach = net::Reach::not_link_local});
  const auto answer = co_await http.send(std::move(request));
  bool admitted = false;
  if (answer && answer->status < 300) {
    const auto allowed = answer->headers.get("Access-Control-Allow-Origin");
    admitted = (allowed == origin || allowed == "*") &&
               lists(answer->headers.get("Access-Control-Allow-Methods"), "PUT") &&
               lists(answer->headers.get("Access-Control-Expose-Headers"), "ETag");
  }
  if (!admitted) {
    spdlog::warn(
        "store: uploads of the console to {} go through this server: CORS rules there let {} not "
        "PUT and see the ETag",
        log_field(bucket.value), log_field(origin));
  }
  const std::scoped_lock lock(mutex_);
  if (origins_.size() >= remembered_origins) origins_.clear();
  origins_[slot] = {admitted, clock_.monotonic() + origin_seconds};
  co_return admitted;
}

}  // namespace holdfast::store
