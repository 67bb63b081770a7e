#include "gateway/web_direct.h"

#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "gateway/web_request.h"
#include "store/direct_urls.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

bool endpoint_can(const store::DirectUrls& urls, Transfer transfer) {
  switch (transfer) {
    case Transfer::read:
      return urls.abilities().reads;
    case Transfer::part:
      return urls.abilities().parts;
    case Transfer::whole_put:
      return false;
  }
  return false;
}

// A policy judges requests, and this gateway will not see the one to come.
bool has_policy(WebApi& api, const BucketName& bucket) {
  const auto rules = api.parts().rules != nullptr ? api.parts().rules->find(bucket) : nullptr;
  return rules != nullptr && (!rules->readable || rules->policy);
}

// The grant that allows it until the URL has ended; nullopt: none, or one with limits of its own.
std::optional<std::int64_t> lasting_grant(WebApi& api, const Caller& caller,
                                          const WayQuestion& question) {
  if (caller.actor.kind != control::Actor::Kind::principal) return 0;
  control::AccessRequest request;
  request.principal = caller.actor.principal;
  request.action = question.action;
  request.bucket = question.bucket;
  request.path = question.key.value;
  request.now = api.parts().clock.now() + api.parts().direct->lifetime();
  const auto decision = api.parts().policy.current()->decide(request);
  if (!decision.allowed || decision.level == control::Level::drop) return std::nullopt;
  return decision.grant;
}

// Browsers ask the endpoint whether a page of ours may send there.
asio::awaitable<bool> browser_may(WebApi& api, const Caller& caller, WayQuestion question) {
  if (question.transfer == Transfer::read || caller.session_id.empty()) co_return true;
  const auto& options = api.options();
  co_return co_await api.parts().direct->admits_origin(question.bucket,
                                                       options.scheme + "://" + options.domain);
}

}  // namespace

asio::awaitable<Result<Way>> choose_way(WebApi& api, const ApiRequest& request,
                                        WayQuestion question) {
  store::DirectUrls* urls = api.parts().direct;
  if (urls != nullptr && flag_field(request.body, "direct", Otherwise::yes) &&
      endpoint_can(*urls, question.transfer) && !has_policy(api, question.bucket)) {
    const auto grant = lasting_grant(api, request.caller, question);
    if (grant && co_await browser_may(api, request.caller, question)) {
      auto pair = question.transfer == Transfer::read
                      ? co_await urls->to_read()
                      : co_await urls->to_send(question.bucket, question.key);
      if (pair) co_return Way{urls, std::move(*pair), {}, *grant};
      spdlog::debug("gateway: no direct URL: {}", pair.error().context);
    }
  }
  auto key = co_await api.signing_key(request.caller);
  if (!key) co_return std::unexpected(key.error());
  co_return Way{nullptr, {}, std::move(*key), 0};
}

std::string url_by(WebApi& api, const Way& way, const UrlRequest& request) {
  if (way.direct == nullptr) {
    return signed_url(api.options(), way.key, request, api.parts().clock.now());
  }
  HOLDFAST_CHECK(request.headers.empty());
  return way.direct->url({request.method, request.bucket, request.key, request.query},
                         way.upstream);
}

void add_way(json::object& answer, WebApi& api, const Way& way) {
  const bool direct = way.direct != nullptr;
  answer["direct"] = direct;
  answer["seconds"] = (direct ? way.direct->lifetime() : api.options().url_lifetime).count();
}

void audit_way(WebApi& api, const Caller& caller, const Way& way, const WayQuestion& question,
               json::object detail) {
  if (way.direct == nullptr) return;
  detail["seconds"] = way.direct->lifetime().count();
  api.parts().registry.audit().record(
      {.actor = caller.actor.principal,
       .action = "direct.url",
       .target = fmt::format("{}/{}", question.bucket.value, log_field(question.key.value, 1024)),
       .grant = way.grant,
       .request_id = caller.actor.request_id,
       .source = caller.actor.source,
       .detail = json::serialize(detail)});
}

}  // namespace holdfast::gateway
