#include "gateway/web_service.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/encoding.h"
#include "base/log.h"
#include "gateway/console_assets.h"
#include "gateway/tool_proxy.h"
#include "gateway/web_cookies.h"
#include "gateway/web_pages.h"
#include "gateway/web_request.h"
#include "s3/names.h"
#include "store/direct_urls.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::string_view session_cookie = "__Host-holdfast";
constexpr std::uint64_t body_limit = 4u << 20;
constexpr std::string_view api_prefix = "/api/v1/";

net::ResponseHead json_head(unsigned status) {
  net::ResponseHead head{.status = status, .headers = {}};
  head.headers.add("Content-Type", "application/json");
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Content-Type-Options", "nosniff");
  return head;
}

asio::awaitable<void> answer_error(net::Exchange& exchange, Error error) {
  co_await exchange.respond(json_head(http_status(error.code)), json::serialize(error_json(error)));
}

asio::awaitable<void> redirect(net::Exchange& exchange, std::string location, std::string cookie) {
  net::ResponseHead head{.status = 303, .headers = {}};
  head.headers.add("Location", location);
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("Referrer-Policy", "no-referrer");
  if (!cookie.empty()) head.headers.add("Set-Cookie", cookie);
  co_await exchange.respond(std::move(head), "");
}

// Sign-in page for whoever is not signed in, and for links that are used up.
asio::awaitable<void> answer_sign_in_page(net::Exchange& exchange, unsigned status,
                                          std::string sentence) {
  const Page page{.title = "Holdfast",
                  .heading = "Sign in to Holdfast",
                  .body_html = fmt::format(
                      "<p>{}</p><p>An administrator makes a sign-in link for you in the console "
                      "under People, or on the server with</p><pre>holdfast user link NAME</pre>",
                      escape_html(sentence)),
                  .script = {}};
  net::ResponseHead head{.status = status, .headers = page_headers(page)};
  co_await exchange.respond(std::move(head), render_page(page));
}

// `endpoints`: where signed URLs lead.
asio::awaitable<void> answer_asset(net::Exchange& exchange, const ConsoleAsset& asset,
                                   std::string endpoints) {
  net::ResponseHead head{.status = 200, .headers = {}};
  head.headers.add("Content-Type", asset.content_type);
  head.headers.add("Cache-Control",
                   asset.hashed_name ? "public, max-age=31536000, immutable" : "no-cache");
  head.headers.add("X-Content-Type-Options", "nosniff");
  head.headers.add("Referrer-Policy", "no-referrer");
  head.headers.add("Content-Security-Policy",
                   fmt::format("default-src 'self'; connect-src 'self' {}; img-src 'self' data: "
                               "blob: {}; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
                               "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
                               endpoints, endpoints));
  co_await exchange.respond(std::move(head), std::string(asset.bytes));
}

std::string endpoints_of(WebApi& api) {
  const store::DirectUrls* direct = api.parts().direct;
  return api.options().s3_endpoint + (direct != nullptr ? " " + direct->hosts() : "");
}

// Splits "/api/v1/users/al%2Fice" into decoded segments; nullopt for a malformed escape.
std::optional<std::vector<std::string>> segments_of(std::string_view raw) {
  std::vector<std::string> out;
  while (!raw.empty()) {
    const auto end = std::min(raw.find('/'), raw.size());
    auto decoded = s3::percent_decode(raw.substr(0, end));
    if (!decoded) return std::nullopt;
    out.push_back(std::move(*decoded));
    raw.remove_prefix(std::min(end + 1, raw.size()));
  }
  return out;
}

}  // namespace

WebService::WebService(WebApi& api, ToolProxy* tools, Random& random, WebServiceOptions options)
    : api_(api),
      tools_(tools),
      random_(random),
      options_(std::move(options)),
      csrf_secret_(api.parts().registry.instance_secret()) {}

control::Actor WebService::actor_of(const net::Exchange& exchange) {
  return {.kind = control::Actor::Kind::principal,
          .request_id = random_.hex(8),
          .source = exchange.peer().address().to_string()};
}

std::optional<Caller> WebService::session_caller(const net::Exchange& exchange) {
  const auto token = cookie_value(exchange.request().headers, session_cookie);
  if (token.empty()) return std::nullopt;
  const auto session = api_.parts().sessions.find(token);
  if (!session) return std::nullopt;
  const auto snapshot = api_.parts().policy.current();
  const auto* record = snapshot->find_principal(session->principal);
  if (record == nullptr || record->disabled) return std::nullopt;
  Caller caller{.actor = actor_of(exchange),
                .admin = record->admin,
                .session_id = session->id,
                .csrf = hmac_hex(csrf_secret_, "csrf " + session->id)};
  caller.actor.principal = session->principal;
  return caller;
}

asio::awaitable<void> WebService::handle(net::Exchange& exchange) {
  if (tools_ != nullptr) {
    if (auto label = tools_->tool_label(exchange.request().host())) {
      co_await tools_->handle(exchange, std::move(*label));
      co_return;
    }
  }
  // Another name would let a page of another origin talk to us by rebinding its own.
  if (!s3::equal_ascii_case(exchange.request().host(), options_.domain)) {
    co_await answer_error(
        exchange,
        {ErrorCode::not_found, fmt::format("this server is {}://{}",
                                           exchange.secure() ? "https" : "http", options_.domain)});
    co_return;
  }
  co_await handle_console(exchange);
}

asio::awaitable<void> WebService::handle_console(net::Exchange& exchange) {
  const auto& request = exchange.request();
  const auto path = request.path();
  auto caller = session_caller(exchange);
  if (path.starts_with(api_prefix)) {
    if (!caller) {
      co_await answer_error(exchange, {ErrorCode::unauthenticated, "sign in first"});
      co_return;
    }
    if (request.method != "GET") {
      const auto site = request.headers.get("Sec-Fetch-Site");
      const auto token = request.headers.get("X-Holdfast-Csrf");
      if ((!site.empty() && site != "same-origin") || !constant_time_equal(token, caller->csrf)) {
        co_await answer_error(exchange, {ErrorCode::access_denied,
                                         "this call did not come from the console; reload it"});
        co_return;
      }
    }
    if (request.method == "DELETE" && path == "/api/v1/session") {
      co_await sign_out(exchange, std::move(*caller));
      co_return;
    }
    co_await handle_api(exchange, std::move(*caller));
    co_return;
  }
  if (request.method != "GET" && request.method != "HEAD") {
    co_await answer_error(exchange, {ErrorCode::method_not_allowed, "pages are read by GET"});
    co_return;
  }
  if (path.starts_with("/signin/")) {
    co_await sign_in(exchange, std::string(path.substr(8)));
    co_return;
  }
  if (path == "/enter") {
    co_await enter_tool(exchange);
    co_return;
  }
  if (const auto* asset = find_console_asset(path.substr(1)); asset != nullptr && path != "/") {
    co_await answer_asset(exchange, *asset, endpoints_of(api_));
    co_return;
  }
  if (!caller) {
    co_await answer_sign_in_page(exchange, 401, "You are not signed in.");
    co_return;
  }
  // Every other path is the console's own routing.
  const auto* index = find_console_asset("index.html");
  if (index == nullptr || path.starts_with("/assets/")) {
    co_await answer_error(exchange, {ErrorCode::not_found, "there is no such file"});
    co_return;
  }
  co_await answer_asset(exchange, *index, endpoints_of(api_));
}

asio::awaitable<void> WebService::handle_admin(net::Exchange& exchange) {
  Caller caller{.actor = actor_of(exchange), .admin = true, .session_id = {}, .csrf = {}};
  caller.actor.kind = control::Actor::Kind::administrator;
  caller.actor.principal = PrincipalName("admin");
  caller.actor.source = "admin-socket";
  if (!exchange.request().path().starts_with(api_prefix)) {
    co_await answer_error(exchange, {ErrorCode::not_found, "the admin socket serves /api/v1/"});
    co_return;
  }
  co_await handle_api(exchange, std::move(caller));
}

asio::awaitable<void> WebService::handle_api(net::Exchange& exchange, Caller caller) {
  const auto& request = exchange.request();
  auto segments = segments_of(request.path().substr(api_prefix.size()));
  auto query = s3::parse_query(request.query());
  if (!segments || !query) {
    co_await answer_error(exchange, {ErrorCode::malformed, "the URL has a broken %-escape"});
    co_return;
  }
  ApiRequest call{.method = request.method,
                  .path = std::move(*segments),
                  .query = {},
                  .body = {},
                  .caller = std::move(caller)};
  for (auto& [name, value] : *query) call.query.insert_or_assign(name, value);
  if (request.method != "GET") {
    auto text = co_await read_all(exchange.body(), body_limit);
    if (!text) {
      co_await answer_error(exchange, text.error());
      co_return;
    }
    boost::system::error_code error;
    json::value body = text->empty() ? json::value(json::object()) : json::parse(*text, error);
    if (error || !body.is_object()) {
      co_await answer_error(exchange, {ErrorCode::malformed, "the body must be a JSON object"});
      co_return;
    }
    call.body = std::move(body.get_object());
  }
  const std::string what = fmt::format("{} {}", request.method, log_field(request.path()));
  auto answer = co_await api_.call(std::move(call));
  if (!answer) {
    spdlog::debug("gateway: {} failed: {}", what, answer.error().context);
    co_await answer_error(exchange, answer.error());
    co_return;
  }
  co_await exchange.respond(json_head(answer->status), json::serialize(answer->body));
}

asio::awaitable<void> WebService::sign_in(net::Exchange& exchange, std::string token) {
  // A link preview or prefetch must not use up the link (fetch metadata, W3C).
  if (exchange.request().method == "HEAD" ||
      exchange.request().headers.get("Sec-Purpose").starts_with("prefetch")) {
    co_await answer_sign_in_page(exchange, 200, "Open this link in your browser to sign in.");
    co_return;
  }
  auto session = co_await api_.parts().pool.run([this, actor = actor_of(exchange), token] {
    return api_.parts().sessions.sign_in(actor, token);
  });
  if (!session) {
    co_await answer_sign_in_page(exchange, 410, "This sign-in link has been used or has expired.");
    co_return;
  }
  const std::chrono::seconds age = control::Sessions::session_lifetime;
  co_await redirect(exchange, "/", set_cookie({session_cookie, session->token, age.count()}));
}

asio::awaitable<void> WebService::sign_out(net::Exchange& exchange, Caller caller) {
  const std::string token(cookie_value(exchange.request().headers, session_cookie));
  co_await api_.forget_session(caller.session_id);
  auto ended = co_await api_.parts().pool.run(
      [this, actor = caller.actor, token] { return api_.parts().sessions.end(actor, token); });
  if (!ended) {
    co_await answer_error(exchange, ended.error());
    co_return;
  }
  auto head = json_head(200);
  head.headers.add("Set-Cookie", set_cookie({session_cookie, "", 0}));
  head.headers.add("Clear-Site-Data", "\"cache\", \"storage\"");
  co_await exchange.respond(std::move(head), "{}");
}

asio::awaitable<void> WebService::enter_tool(net::Exchange& exchange) {
  const auto token = cookie_value(exchange.request().headers, session_cookie);
  const auto session = api_.parts().sessions.find(token);
  if (!session || !session_caller(exchange)) {
    co_await answer_sign_in_page(exchange, 401, "Sign in to open this tool.");
    co_return;
  }
  const auto query = s3::parse_query(exchange.request().query());
  const auto* label = query ? s3::find_query(*query, "host") : nullptr;
  const auto* to = query ? s3::find_query(*query, "to") : nullptr;
  if (tools_ == nullptr || label == nullptr) {
    co_await answer_error(exchange, {ErrorCode::not_found, "there is no such tool"});
    co_return;
  }
  auto url = tools_->ticket_url(*session, *label, to != nullptr ? *to : "/");
  if (!url) {
    const Page page{.title = "Holdfast",
                    .heading = "This tool is not yours to open",
                    .body_html = fmt::format("<p>{}</p><p><a class=\"button\" href=\"/\">To the "
                                             "console</a></p>",
                                             escape_html(url.error().context)),
                    .script = {}};
    net::ResponseHead head{.status = http_status(url.error().code), .headers = page_headers(page)};
    co_await exchange.respond(std::move(head), render_page(page));
    co_return;
  }
  co_await redirect(exchange, std::move(*url), {});
}

}  // namespace holdfast::gateway
