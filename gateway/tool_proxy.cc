#include "gateway/tool_proxy.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "gateway/tool_identity.h"
#include "gateway/tool_relay.h"
#include "gateway/web_pages.h"
#include "s3/names.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using control::ToolId;
using control::ToolState;
using control::ToolStatus;

constexpr std::string_view own_paths = "/.holdfast/";

constexpr std::string_view start_script = R"(
const text = document.getElementById("state"), bar = document.getElementById("bar"),
      again = document.getElementById("again"), log = document.getElementById("log");
const main = document.querySelector("main");
async function start() {
  again.hidden = true; log.hidden = true;
  await fetch("/.holdfast/start", {method: "POST"}).catch(() => {});  // look() shows what became of it
}
again.addEventListener("click", start);
async function look() {
  try {
    const answer = await fetch("/.holdfast/state", {cache: "no-store"});
    const state = await answer.json();
    if (state.state === "ready") { location.reload(); return; }
    bar.value = state.progress;
    const idle = state.state === "stopped" || state.state === "failed";
    text.textContent = state.reason || ({stopped: "It is stopped.", queued: "It waits for its turn.",
      preparing: "Its home is being mounted.", starting: "It is starting.",
      draining: "It is being stopped."})[state.state] || state.state;
    again.hidden = !idle;
    bar.hidden = idle;
    if (state.log_tail) { log.textContent = state.log_tail; log.hidden = false; }
  } catch (error) { text.textContent = "The server does not answer; still trying."; }
  setTimeout(look, 250);
}
if (main.querySelector("[data-auto]")) start().then(look); else look();
)";

bool is_navigation(const net::RequestHead& request) {
  if (request.method != "GET") return false;
  const auto mode = request.headers.get("Sec-Fetch-Mode");
  if (!mode.empty()) return mode == "navigate";
  return request.headers.get("Accept").find("text/html") != std::string_view::npos;
}

// A page of another site must not start tools by linking to them: only a person's own step does.
bool may_start_by_visit(const net::RequestHead& request) {
  const auto site = request.headers.get("Sec-Fetch-Site");
  return site.empty() || site == "none" || site == "same-origin" || site == "same-site" ||
         request.headers.get("Sec-Fetch-User") == "?1";
}

net::ResponseHead json_head(unsigned status) {
  net::ResponseHead head{.status = status, .headers = {}};
  head.headers.add("Content-Type", "application/json");
  head.headers.add("Cache-Control", "no-store");
  return head;
}

asio::awaitable<void> answer_json(net::Exchange& exchange, unsigned status, json::object body) {
  co_await exchange.respond(json_head(status), json::serialize(body));
}

asio::awaitable<void> answer_page(net::Exchange& exchange, unsigned status, Page page) {
  net::ResponseHead head{.status = status, .headers = page_headers(page)};
  co_await exchange.respond(std::move(head), render_page(page));
}

asio::awaitable<void> redirect(net::Exchange& exchange, std::string location, std::string cookie) {
  net::ResponseHead head{.status = 303, .headers = {}};
  head.headers.add("Location", location);
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("Referrer-Policy", "no-referrer");
  if (!cookie.empty()) head.headers.add("Set-Cookie", cookie);
  co_await exchange.respond(std::move(head), "");
}

json::object state_json(const ToolStatus& status) {
  return {{"state", control::to_string(status.shown.state)},
          {"reason", status.shown.reason},
          {"log_tail", status.shown.log_tail},
          {"progress", status.shown.progress}};
}

// A path on this host: one leading slash only, so that no redirect leaves for another origin.
std::string local_path(std::string_view to) {
  if (!to.starts_with('/') || to.starts_with("//") || to.starts_with("/\\")) return "/";
  for (const char c : to) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return "/";
  }
  return std::string(to);
}

}  // namespace

struct ToolProxy::State {
  State(Parts p, ToolProxyOptions o)
      : parts(p),
        options(std::move(o)),
        identity(options.secret, parts.sessions, parts.policy, parts.clock, parts.random) {}

  asio::awaitable<void> enter(net::Exchange& exchange, std::string label);
  asio::awaitable<void> own(net::Exchange& exchange, ToolId id, ToolVisitor visitor);
  asio::awaitable<void> serve(net::Exchange& exchange, std::string label, ToolId id,
                              ToolVisitor visitor);
  asio::awaitable<void> start_page(net::Exchange& exchange, ToolStatus status);
  asio::awaitable<void> until_cut(ToolId id, ToolVisitor visitor, std::uint64_t generation);

  Parts parts;
  ToolProxyOptions options;
  ToolIdentity identity;
};

ToolProxy::ToolProxy(Parts parts, ToolProxyOptions options)
    : state_(std::make_unique<State>(parts, std::move(options))) {}

ToolProxy::~ToolProxy() = default;

std::optional<std::string> ToolProxy::tool_label(std::string_view host) const {
  const std::string lower = s3::ascii_lower(host);
  const std::string suffix = "." + state_->options.domain;
  if (lower.size() <= suffix.size() || !lower.ends_with(suffix)) return std::nullopt;
  std::string label = lower.substr(0, lower.size() - suffix.size());
  if (label.find('.') != std::string::npos) return std::nullopt;
  return label;
}

Result<std::string> ToolProxy::ticket_url(const control::Session& session, std::string_view label,
                                          std::string_view to) {
  const auto id = control::ToolLauncher::parse_host_label(label);
  if (!id || !state_->parts.launcher.status(*id)) {
    return fail(ErrorCode::not_found, "there is no tool at {}", label);
  }
  const auto snapshot = state_->parts.policy.current();
  const auto* record = snapshot->find_principal(session.principal);
  const bool admin = record != nullptr && record->admin;
  if (id->user != session.principal && !admin) {
    return fail(ErrorCode::access_denied, "{} belongs to {}, and you are signed in as {}", label,
                id->user.value, session.principal.value);
  }
  if (id->user != session.principal) {
    state_->parts.audit.record({.actor = session.principal,
                                .on_behalf_of = id->user,
                                .action = "tool.enter",
                                .target = std::string(label),
                                .detail = {}});
  }
  return fmt::format("{}://{}.{}{}enter?ticket={}&to={}", state_->options.scheme, label,
                     state_->options.domain, own_paths, state_->identity.issue(session, label),
                     s3::uri_encode(local_path(to)));
}

asio::awaitable<void> ToolProxy::handle(net::Exchange& exchange, std::string label) {
  const auto& request = exchange.request();
  const auto id = control::ToolLauncher::parse_host_label(label);
  if (!id || !state_->parts.launcher.status(*id)) {
    co_await answer_page(
        exchange, 404,
        {.title = "No such tool",
         .heading = "There is no such tool",
         .body_html = "<p>Tools are at TOOL-USER." + escape_html(state_->options.domain) + ".</p>",
         .script = {}});
    co_return;
  }
  if (request.path() == "/.holdfast/enter") {
    co_await state_->enter(exchange, std::move(label));
    co_return;
  }
  auto visitor = state_->identity.visitor(request.headers, label);
  if (!visitor && is_navigation(request)) {
    co_await redirect(exchange,
                      fmt::format("{}://{}/enter?host={}&to={}", state_->options.scheme,
                                  state_->options.domain, label, s3::uri_encode(request.target)),
                      {});
    co_return;
  }
  if (!visitor) {
    co_await answer_json(exchange, 401, {{"error", "sign in first: open this tool's page"}});
    co_return;
  }
  if (visitor->principal != id->user && !visitor->admin) {
    co_await answer_json(exchange, 403, {{"error", "this tool belongs to somebody else"}});
    co_return;
  }
  if (request.path().starts_with(own_paths)) {
    co_await state_->own(exchange, *id, std::move(*visitor));
    co_return;
  }
  co_await state_->serve(exchange, std::move(label), *id, std::move(*visitor));
}

asio::awaitable<void> ToolProxy::State::enter(net::Exchange& exchange, std::string label) {
  const auto query = s3::parse_query(exchange.request().query());
  const auto* ticket = query ? s3::find_query(*query, "ticket") : nullptr;
  const auto* to = query ? s3::find_query(*query, "to") : nullptr;
  const std::string path = local_path(to != nullptr ? *to : "/");
  auto cookie = ticket != nullptr ? identity.redeem(*ticket, label) : std::nullopt;
  if (!cookie) {
    // A reload of a used ticket: whoever is in already just goes on.
    if (identity.visitor(exchange.request().headers, label)) {
      co_await redirect(exchange, path, {});
      co_return;
    }
    co_await answer_page(exchange, 410,
                         {.title = "Link used up",
                          .heading = "This link has been used or has expired",
                          .body_html = "<p>Open the tool again from the console.</p>",
                          .script = {}});
    co_return;
  }
  co_await redirect(exchange, path, std::move(*cookie));
}

asio::awaitable<void> ToolProxy::State::own(net::Exchange& exchange, ToolId id,
                                            ToolVisitor visitor) {
  const auto& request = exchange.request();
  const auto status = parts.launcher.status(id);
  if (request.path() == "/.holdfast/state" && status) {
    co_await answer_json(exchange, 200, state_json(*status));
    co_return;
  }
  if (request.path() == "/.holdfast/start" && request.method == "POST") {
    const auto site = request.headers.get("Sec-Fetch-Site");
    if (!site.empty() && site != "same-origin") {
      co_await answer_json(exchange, 403, {{"error", "only this tool's own page starts it"}});
      co_return;
    }
    const control::Actor actor{
        .principal = visitor.principal,
        .on_behalf_of = visitor.principal == id.user ? PrincipalName() : id.user,
        .request_id = parts.random.hex(8),
        .source = exchange.peer().address().to_string()};
    auto started = co_await parts.launcher.start(actor, id);
    if (!started) {
      co_await answer_json(exchange, 500, {{"error", started.error().context}});
      co_return;
    }
    co_await answer_json(exchange, 200, state_json(*started));
    co_return;
  }
  co_await answer_json(exchange, 404, {{"error", "there is no such page"}});
}

asio::awaitable<void> ToolProxy::State::start_page(net::Exchange& exchange, ToolStatus status) {
  const bool start =
      status.shown.state == ToolState::stopped && may_start_by_visit(exchange.request());
  const std::string title = fmt::format("{} is starting", status.title);
  Page page{.title = title,
            .heading = status.title,
            .body_html = fmt::format(
                "<p id=\"state\" {}>One moment.</p><progress id=\"bar\" max=\"100\" value=\"{}\">"
                "</progress><p><button id=\"again\" hidden>Start</button></p>"
                "<pre id=\"log\" hidden></pre>",
                start ? "data-auto=\"1\"" : "", status.shown.progress),
            .script = start_script};
  co_await answer_page(exchange, 202, std::move(page));
}

asio::awaitable<void> ToolProxy::State::serve(net::Exchange& exchange, std::string label, ToolId id,
                                              ToolVisitor visitor) {
  const auto& request = exchange.request();
  const auto status = parts.launcher.status(id);
  const auto address = parts.launcher.address(id);
  if (!address) {
    if (is_navigation(request)) {
      co_await start_page(exchange, *status);
    } else {
      auto body = state_json(*status);
      body["error"] = "the tool does not run";
      co_await answer_json(exchange, 503, std::move(body));
    }
    co_return;
  }
  const RelayTarget target{
      .address = *address,
      .public_origin = fmt::format("{}://{}.{}", options.scheme, label, options.domain),
      .user = visitor.principal.value};
  Result<void> done;
  if (is_websocket_upgrade(request)) {
    // A socket is not bound by the same-origin policy: without this check any page could use it.
    const auto origin = request.headers.get("Origin");
    if (origin != target.public_origin) {
      co_await answer_json(exchange, 403, {{"error", "a WebSocket of another origin"}});
      co_return;
    }
    done = co_await relay_websocket(exchange, target,
                                    [this, id, visitor, generation = address->generation] {
                                      return until_cut(id, visitor, generation);
                                    });
  } else {
    done = co_await relay_http(exchange, target);
  }
  if (done || exchange.answered()) co_return;
  spdlog::debug("gateway: {}: {}", label, done.error().context);
  if (is_navigation(request)) {
    co_await start_page(exchange, *status);
  } else {
    co_await answer_json(exchange, 502, {{"error", "the tool does not answer"}});
  }
}

asio::awaitable<void> ToolProxy::State::until_cut(ToolId id, ToolVisitor visitor,
                                                  std::uint64_t generation) {
  for (;;) {
    const auto epoch = parts.policy.current()->epoch();
    co_await parts.policy.wait_for_epoch(epoch, std::chrono::seconds(1));
    const auto address = parts.launcher.address(id);
    // While the launcher cannot see the engine nothing is cut: unknown is not gone.
    const auto status = parts.launcher.status(id);
    const bool unknown = status && status->shown.state == ToolState::unknown;
    if (!unknown && (!address || address->generation != generation)) co_return;
    if (!identity.still_valid(visitor)) co_return;
  }
}

}  // namespace holdfast::gateway
