#include "gateway/webhooks.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <utility>

#include "base/event.h"
#include "base/log.h"
#include "base/task_group.h"
#include "gateway/webhook_book.h"
#include "gateway/webhook_delivery.h"
#include "gateway/webhook_line.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::chrono::seconds save_interval{1};
// A reload tells when it ends; the limit is only what an Event needs.
constexpr std::chrono::seconds look_again{10};

using RulesByTarget = std::map<std::string, std::vector<NotificationRule>>;

}  // namespace

struct Webhooks::State : std::enable_shared_from_this<Webhooks::State> {
  State(asio::any_io_executor e, Parts p, WebhookOptions o)
      : executor(std::move(e)),
        parts(p),
        options(std::move(o)),
        book(executor, parts.pool, options.position_file),
        tasks(executor),
        woken(executor),
        reloaded(executor) {
    for (const WebhookTarget& target : options.targets) {
      endpoints[target.id] = {
          target, std::make_unique<net::HttpClient>(executor, webhook_client_options())};
    }
  }

  asio::awaitable<void> start();
  asio::awaitable<void> stop();
  asio::awaitable<void> save_now_and_then();
  asio::awaitable<Result<void>> prepare(BucketName bucket, std::vector<NotificationRule> rules);
  asio::awaitable<void> reload(BucketName bucket);
  asio::awaitable<void> reload_alone(BucketName bucket);
  asio::awaitable<RulesByTarget> wanted_of(BucketName bucket);
  void drop_unwanted(const BucketName& bucket, const RulesByTarget& wanted);
  void begin(LineName name, std::vector<NotificationRule> rules);
  asio::awaitable<void> follow(std::shared_ptr<WebhookLine> line);

  asio::any_io_executor executor;
  Parts parts;
  WebhookOptions options;
  std::map<std::string, WebhookEndpoint> endpoints;
  WebhookBook book;
  TaskGroup tasks;
  Event woken, reloaded;
  bool stopping = false, reloading = false;
  std::map<LineName, std::shared_ptr<WebhookLine>> lines;
};

asio::awaitable<void> Webhooks::State::start() {
  if (endpoints.empty()) co_return;
  auto buckets = co_await parts.store.list_buckets();
  if (!buckets) {
    spdlog::error("gateway: webhooks cannot begin: {}", buckets.error().context);
    co_return;
  }
  for (const auto& bucket : *buckets) co_await reload(bucket.name);
  book.forget_unfollowed();
  tasks.spawn("webhook positions", save_now_and_then());
}

asio::awaitable<void> Webhooks::State::stop() {
  stopping = true;
  woken.notify();
  for (const auto& [name, line] : lines) line->stop();
  co_await tasks.stop(options.answer_timeout);
  if (book.dirty()) {
    if (auto saved = co_await book.save(); !saved) {
      spdlog::warn("gateway: {}; some events will come twice", saved.error().context);
    }
  }
}

asio::awaitable<void> Webhooks::State::save_now_and_then() {
  while (!stopping) {
    if (book.dirty()) {
      if (auto saved = co_await book.save(); !saved) {
        spdlog::warn("gateway: how far webhooks have come was not written: {}",
                     saved.error().context);
      }
    }
    if (!stopping) co_await woken.wait(save_interval);
  }
}

asio::awaitable<Result<void>> Webhooks::State::prepare(BucketName bucket,
                                                       std::vector<NotificationRule> rules) {
  bool fresh = false;
  for (const NotificationRule& rule : rules) {
    const LineName name{bucket.value, rule.target};
    if (book.knows(name)) continue;
    if (book.size() >= options.most_lines) {
      co_return fail(ErrorCode::throttled, "there are {} notifications already", book.size());
    }
    store::ChangesRequest end;
    end.bucket = bucket;
    auto now = co_await parts.store.changes(std::move(end));
    if (!now) co_return std::unexpected(now.error());
    fresh |= book.add(name, now->next);
  }
  if (!fresh) co_return Result<void>();
  co_return co_await book.save();
}

// One at a time, so that the newest configuration is the last that is read.
asio::awaitable<void> Webhooks::State::reload(BucketName bucket) {
  while (reloading) co_await reloaded.wait(look_again);
  reloading = true;
  co_await reload_alone(std::move(bucket));
  reloading = false;
  reloaded.notify();
}

asio::awaitable<RulesByTarget> Webhooks::State::wanted_of(BucketName bucket) {
  RulesByTarget wanted;
  auto text = co_await parts.store.bucket_document(bucket, store::BucketDocument::notification);
  if (!text || text->empty()) co_return wanted;
  auto rules = parse_notifications(*text, options.region);
  if (!rules) {
    spdlog::warn("gateway: the notification configuration of {} is not carried out: {}",
                 bucket.value, rules.error().message);
    co_return wanted;
  }
  for (auto& rule : *rules) wanted[rule.target].push_back(std::move(rule));
  co_return wanted;
}

void Webhooks::State::drop_unwanted(const BucketName& bucket, const RulesByTarget& wanted) {
  std::erase_if(lines, [&](const auto& entry) {
    const auto& [name, line] = entry;
    if (name.bucket != bucket.value || wanted.contains(name.target)) return false;
    line->drop();
    book.forget(name);
    return true;
  });
}

asio::awaitable<void> Webhooks::State::reload_alone(BucketName bucket) {
  auto wanted = co_await wanted_of(bucket);
  drop_unwanted(bucket, wanted);
  for (auto& [target, rules] : wanted) {
    const LineName name{bucket.value, target};
    if (!endpoints.contains(target)) {
      spdlog::warn("gateway: {} notifies the webhook {}, which is not configured", bucket.value,
                   log_field(target));
      continue;
    }
    if (const auto at = lines.find(name); at != lines.end()) {
      at->second->set_rules(std::move(rules));
      continue;
    }
    // A configuration that an earlier version stored: from now on.
    if (auto ready = co_await prepare(bucket, rules); !ready) {
      spdlog::warn("gateway: the webhook {} of {} cannot begin: {}", target, bucket.value,
                   ready.error().context);
      continue;
    }
    begin(name, std::move(rules));
  }
}

void Webhooks::State::begin(LineName name, std::vector<NotificationRule> rules) {
  if (stopping || lines.contains(name)) return;
  WebhookLine::Parts line_parts{parts.store, parts.clock, parts.random,
                                options,     book,        endpoints.at(name.target)};
  auto line = std::make_shared<WebhookLine>(executor, name, line_parts);
  line->set_rules(std::move(rules));
  lines[name] = line;
  book.open_report(name);
  tasks.spawn("webhook", follow(std::move(line)));
}

asio::awaitable<void> Webhooks::State::follow(std::shared_ptr<WebhookLine> line) {
  if (co_await line->follow() != WebhookLine::End::bucket_gone) co_return;
  const auto at = lines.find(line->name());
  if (at == lines.end() || at->second != line) co_return;  // another bucket of that name by now
  lines.erase(at);
  book.forget(line->name());
}

Webhooks::Webhooks(asio::any_io_executor executor, Parts parts, WebhookOptions options)
    : state_(std::make_shared<State>(std::move(executor), parts, std::move(options))) {}

Webhooks::~Webhooks() = default;

asio::awaitable<void> Webhooks::start() { co_await state_->start(); }

asio::awaitable<void> Webhooks::stop() { co_await state_->stop(); }

Result<std::vector<NotificationRule>> Webhooks::check(std::string_view xml) const {
  auto rules = parse_notifications(xml, state_->options.region);
  if (!rules) return std::unexpected(s3::to_error(rules.error()));
  for (const NotificationRule& rule : *rules) {
    if (state_->endpoints.contains(rule.target)) continue;
    return fail(ErrorCode::invalid_argument,
                "The destination ARN names the webhook {}, which this server does not have.",
                log_field(rule.target, 100));
  }
  return std::move(*rules);
}

asio::awaitable<Result<void>> Webhooks::prepare(BucketName bucket,
                                                std::vector<NotificationRule> rules) {
  co_return co_await asio::co_spawn(
      state_->executor, state_->prepare(std::move(bucket), std::move(rules)), asio::use_awaitable);
}

asio::awaitable<void> Webhooks::reload(BucketName bucket) {
  co_await asio::co_spawn(state_->executor, state_->reload(std::move(bucket)), asio::use_awaitable);
}

json::array Webhooks::status() const { return state_->book.rows(); }

}  // namespace holdfast::gateway
