#include "gateway/webhooks.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <mutex>
#include <utility>

#include "base/encoding.h"
#include "base/event.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/task_group.h"
#include "gateway/webhook_delivery.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::uint32_t page_entries = 200;
constexpr std::chrono::seconds feed_wait{1};  // so that a stop is seen
constexpr std::chrono::seconds save_interval{1};

// One bucket's way to one webhook.
struct Line {
  Line(LineName n, const asio::any_io_executor& executor) : name(std::move(n)), woken(executor) {}

  LineName name;
  std::vector<NotificationRule> rules;
  std::uint64_t position = 0;  // delivered up to here
  bool ends = false;
  Event woken;
};

struct LineReport {
  std::uint64_t delivered = 0, failed = 0, lost = 0;
  TimePoint waiting_since{};  // of the event that nobody takes; epoch: none
  std::string error;
};

}  // namespace

struct Webhooks::State : std::enable_shared_from_this<Webhooks::State> {
  struct Endpoint {
    WebhookTarget target;
    std::unique_ptr<net::HttpClient> client;
  };

  State(asio::any_io_executor e, Parts p, WebhookOptions o)
      : executor(std::move(e)), parts(p), options(std::move(o)), tasks(executor), woken(executor) {
    for (const WebhookTarget& target : options.targets) {
      endpoints[target.id] = {
          target, std::make_unique<net::HttpClient>(executor, webhook_client_options())};
    }
    positions = read_positions(options.position_file);
  }

  asio::awaitable<void> start();
  asio::awaitable<void> stop();
  asio::awaitable<void> save_now_and_then();
  asio::awaitable<Result<void>> save();
  asio::awaitable<Result<void>> prepare(BucketName bucket, std::vector<NotificationRule> rules);
  asio::awaitable<void> reload(BucketName bucket);
  asio::awaitable<void> reload_alone(BucketName bucket);
  void begin(LineName name, std::vector<NotificationRule> rules, std::uint64_t position);
  asio::awaitable<void> follow(std::shared_ptr<Line> line);
  asio::awaitable<Result<void>> follow_page(Line& line);
  asio::awaitable<bool> deliver(Line& line, const store::Change& change, std::string rule_id);
  void advance(Line& line, std::uint64_t position);
  bool over(const Line& line) const { return stopping || line.ends; }

  template <class Change>
  void note(const LineName& name, Change change) {
    const std::scoped_lock lock(mutex);
    if (const auto at = reports.find(name); at != reports.end()) change(at->second);
  }

  asio::any_io_executor executor;
  Parts parts;
  WebhookOptions options;
  std::map<std::string, Endpoint> endpoints;
  TaskGroup tasks;
  Event woken;
  bool stopping = false, dirty = false, saving = false, reloading = false;
  LinePositions positions;
  std::map<LineName, std::shared_ptr<Line>> lines;
  mutable std::mutex mutex;
  std::map<LineName, LineReport> reports;  // guarded by mutex
};

asio::awaitable<void> Webhooks::State::start() {
  if (endpoints.empty()) co_return;
  auto buckets = co_await parts.store.list_buckets();
  if (!buckets) {
    spdlog::error("gateway: webhooks cannot begin: {}", buckets.error().context);
    co_return;
  }
  for (const auto& bucket : *buckets) co_await reload(bucket.name);
  std::erase_if(positions, [this](const auto& entry) { return !lines.contains(entry.first); });
  dirty = true;
  tasks.spawn("webhook positions", save_now_and_then());
}

asio::awaitable<void> Webhooks::State::stop() {
  stopping = true;
  woken.notify();
  for (const auto& [name, line] : lines) line->woken.notify();
  co_await tasks.stop(options.answer_timeout);
  if (dirty) {
    if (auto saved = co_await save(); !saved) {
      spdlog::warn("gateway: {}; some events will come twice", saved.error().context);
    }
  }
}

asio::awaitable<void> Webhooks::State::save_now_and_then() {
  while (!stopping) {
    if (dirty) {
      if (auto saved = co_await save(); !saved) {
        spdlog::warn("gateway: how far webhooks have come was not written: {}",
                     saved.error().context);
      }
    }
    if (!stopping) co_await woken.wait(save_interval);
  }
}

// One at a time: the temporary file has one name.
asio::awaitable<Result<void>> Webhooks::State::save() {
  while (saving) co_await sleep_for(std::chrono::milliseconds(10));
  saving = true;
  dirty = false;
  auto saved =
      co_await parts.pool.run([path = options.position_file, text = write_positions(positions)] {
        return replace_file(path, text);
      });
  saving = false;
  if (!saved) dirty = true;
  co_return saved;
}

asio::awaitable<Result<void>> Webhooks::State::prepare(BucketName bucket,
                                                       std::vector<NotificationRule> rules) {
  bool fresh = false;
  for (const NotificationRule& rule : rules) {
    const LineName name{bucket.value, rule.target};
    if (positions.contains(name)) continue;
    if (positions.size() >= options.most_lines) {
      co_return fail(ErrorCode::throttled, "there are {} notifications already", positions.size());
    }
    store::ChangesRequest end;
    end.bucket = bucket;
    auto now = co_await parts.store.changes(std::move(end));
    if (!now) co_return std::unexpected(now.error());
    fresh |= positions.emplace(name, now->next).second;
  }
  if (!fresh) co_return Result<void>();
  co_return co_await save();
}

// One at a time, so that the newest configuration is the last that is read.
asio::awaitable<void> Webhooks::State::reload(BucketName bucket) {
  while (reloading) co_await sleep_for(std::chrono::milliseconds(10));
  reloading = true;
  co_await reload_alone(std::move(bucket));
  reloading = false;
}

asio::awaitable<void> Webhooks::State::reload_alone(BucketName bucket) {
  auto text = co_await parts.store.bucket_document(bucket, store::BucketDocument::notification);
  std::map<std::string, std::vector<NotificationRule>> wanted;
  if (text && !text->empty()) {
    auto rules = parse_notifications(*text, options.region);
    if (!rules) {
      spdlog::warn("gateway: the notification configuration of {} is not carried out: {}",
                   bucket.value, rules.error().message);
    } else {
      for (auto& rule : *rules) wanted[rule.target].push_back(std::move(rule));
    }
  }
  std::vector<LineName> gone;
  for (const auto& [name, line] : lines) {
    if (name.bucket == bucket.value && !wanted.contains(name.target)) gone.push_back(name);
  }
  for (const LineName& name : gone) {
    lines[name]->ends = true;
    lines[name]->woken.notify();
    lines.erase(name);
    positions.erase(name);
    dirty = true;
    const std::scoped_lock lock(mutex);
    reports.erase(name);
  }
  for (auto& [target, rules] : wanted) {
    const LineName name{bucket.value, target};
    if (!endpoints.contains(target)) {
      spdlog::warn("gateway: {} notifies the webhook {}, which is not configured", bucket.value,
                   log_field(target));
      continue;
    }
    if (const auto at = lines.find(name); at != lines.end()) {
      at->second->rules = std::move(rules);
      continue;
    }
    // A configuration that an earlier version stored: from now on.
    if (auto ready = co_await prepare(bucket, rules); !ready) {
      spdlog::warn("gateway: the webhook {} of {} cannot begin: {}", target, bucket.value,
                   ready.error().context);
      continue;
    }
    begin(name, std::move(rules), positions[name]);
  }
}

void Webhooks::State::begin(LineName name, std::vector<NotificationRule> rules,
                            std::uint64_t position) {
  if (stopping || lines.contains(name)) return;
  auto line = std::make_shared<Line>(name, executor);
  line->rules = std::move(rules);
  line->position = position;
  lines[name] = line;
  {
    const std::scoped_lock lock(mutex);
    reports[name] = {};
  }
  tasks.spawn("webhook", follow(std::move(line)));
}

void Webhooks::State::advance(Line& line, std::uint64_t position) {
  if (line.ends || line.position == position) return;
  line.position = position;
  positions[line.name] = position;
  dirty = true;
}

asio::awaitable<void> Webhooks::State::follow(std::shared_ptr<Line> line) {
  while (!over(*line)) {
    auto done = co_await follow_page(*line);
    if (done || over(*line)) continue;
    if (done.error().code == ErrorCode::no_such_bucket) {
      line->ends = true;
      const auto at = lines.find(line->name);
      if (at != lines.end() && at->second == line) {
        lines.erase(at);
        positions.erase(line->name);
        dirty = true;
      }
      const std::scoped_lock lock(mutex);
      reports.erase(line->name);
      co_return;
    }
    note(line->name, [&](LineReport& report) { report.error = done.error().context; });
    spdlog::warn("gateway: the changes of {} for the webhook {} cannot be read: {}",
                 line->name.bucket, line->name.target, done.error().context);
    co_await line->woken.wait(options.longest_retry);
  }
}

asio::awaitable<Result<void>> Webhooks::State::follow_page(Line& line) {
  store::ChangesRequest request;
  request.bucket = BucketName(line.name.bucket);
  request.after = line.position;
  request.limit = page_entries;
  request.wait = feed_wait;
  auto page = co_await parts.store.changes(std::move(request));
  if (!page) co_return std::unexpected(page.error());
  if (page->reset) {
    spdlog::error(
        "gateway: the feed of {} no longer tells what came after {}: the webhook {} misses events",
        line.name.bucket, line.position, line.name.target);
    note(line.name, [](LineReport& report) { ++report.lost; });
    advance(line, page->next);
    co_return Result<void>();
  }
  for (const store::Change& change : page->changes) {
    // One event comes once, whatever number of rules wants it.
    const auto rule = std::ranges::find_if(
        line.rules, [&](const NotificationRule& one) { return one.filter.wants(change); });
    if (rule != line.rules.end() && !co_await deliver(line, change, rule->id)) {
      co_return Result<void>();  // not delivered: it comes again
    }
    advance(line, change.sequence);
  }
  advance(line, page->next);
  co_return Result<void>();
}

// Tries until it is taken or given up; false: told to end before.
asio::awaitable<bool> Webhooks::State::deliver(Line& line, const store::Change& change,
                                               std::string rule_id) {
  const EventSource source{options.region, BucketName(line.name.bucket), std::move(rule_id), "s3:"};
  const std::string body = event_body(change, source);
  Endpoint& endpoint = endpoints.at(line.name.target);
  for (unsigned attempt = 0;; ++attempt) {
    if (over(line)) co_return false;
    Delivery delivery{endpoint.target.url, endpoint.target.authorization, body,
                      options.answer_timeout};
    auto sent = co_await deliver_event(*endpoint.client, std::move(delivery));
    if (sent) {
      note(line.name, [](LineReport& report) {
        ++report.delivered;
        report.waiting_since = {};
        report.error.clear();
      });
      co_return true;
    }
    note(line.name, [&](LineReport& report) {
      ++report.failed;
      report.waiting_since = change.time;
      report.error = sent.error().context;
    });
    if (attempt == 0) {
      spdlog::warn("gateway: the webhook {} does not take an event of {}: {}; it is tried again",
                   line.name.target, line.name.bucket, sent.error().context);
    }
    if (parts.clock.now() - change.time > options.give_up_after) {
      spdlog::error("gateway: the event {} of {}/{} is given up: the webhook {} would not take it",
                    change.sequence, line.name.bucket, log_field(change.key.value),
                    line.name.target);
      note(line.name, [](LineReport& report) {
        ++report.lost;
        report.waiting_since = {};
      });
      co_return true;
    }
    const auto most =
        std::min(options.longest_retry, options.first_retry * (1u << std::min(attempt, 10u)));
    const auto wait = parts.random.below(static_cast<std::uint64_t>(most.count())) + 1;
    if (!over(line)) co_await line.woken.wait(std::chrono::milliseconds(wait));
  }
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

json::array Webhooks::status() const {
  const std::scoped_lock lock(state_->mutex);
  json::array rows;
  for (const auto& [name, report] : state_->reports) {
    rows.push_back(json::object{
        {"bucket", name.bucket},
        {"webhook", name.target},
        {"delivered", report.delivered},
        {"failed", report.failed},
        {"lost", report.lost},
        {"waiting_since", report.waiting_since == TimePoint()
                              ? json::value(nullptr)
                              : json::value(to_rfc3339(report.waiting_since))},
        {"error", report.error.empty() ? json::value(nullptr) : json::value(report.error)}});
  }
  return rows;
}

}  // namespace holdfast::gateway
