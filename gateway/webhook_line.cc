#include "gateway/webhook_line.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gateway/webhook_delivery.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;

constexpr std::uint32_t page_entries = 200;
constexpr std::chrono::seconds feed_wait{1};  // so that a stop is seen

}  // namespace

WebhookLine::WebhookLine(asio::any_io_executor executor, LineName name, Parts parts)
    : name_(std::move(name)),
      parts_(parts),
      position_(parts_.book.position(name_)),
      woken_(std::move(executor)) {}

void WebhookLine::stop() {
  over_ = true;
  woken_.notify();
}

void WebhookLine::drop() {
  dropped_ = true;
  stop();
}

asio::awaitable<WebhookLine::End> WebhookLine::follow() {
  while (!over_) {
    auto done = co_await follow_page();
    if (done || over_) continue;
    if (done.error().code == ErrorCode::no_such_bucket) co_return End::bucket_gone;
    parts_.book.note(name_, [&](LineReport& report) { report.error = done.error().context; });
    spdlog::warn("gateway: the changes of {} for the webhook {} cannot be read: {}", name_.bucket,
                 name_.target, done.error().context);
    co_await woken_.wait(parts_.options.longest_retry);
  }
  co_return End::told;
}

asio::awaitable<Result<void>> WebhookLine::follow_page() {
  store::ChangesRequest request;
  request.bucket = BucketName(name_.bucket);
  request.after = position_;
  request.limit = page_entries;
  request.wait = feed_wait;
  auto page = co_await parts_.store.changes(std::move(request));
  if (!page) co_return std::unexpected(page.error());
  if (page->reset) {
    spdlog::error(
        "gateway: the feed of {} no longer tells what came after {}: the webhook {} misses events",
        name_.bucket, position_, name_.target);
    parts_.book.note(name_, [](LineReport& report) { ++report.lost; });
    advance(page->next);
    co_return Result<void>();
  }
  for (const store::Change& change : page->changes) {
    // One event comes once, whatever number of rules wants it.
    const auto rule = std::ranges::find_if(
        rules_, [&](const NotificationRule& one) { return one.filter.wants(change); });
    if (rule != rules_.end() && !co_await deliver(change, rule->id)) {
      co_return Result<void>();  // not delivered: it comes again
    }
    advance(change.sequence);
  }
  advance(page->next);
  co_return Result<void>();
}

// Tries until it is taken or given up; false: told to end before.
asio::awaitable<bool> WebhookLine::deliver(const store::Change& change, std::string rule_id) {
  const WebhookOptions& options = parts_.options;
  const EventSource source{options.region, BucketName(name_.bucket), std::move(rule_id), "s3:"};
  const WebhookTarget& target = parts_.endpoint.target;
  const Delivery delivery{target.url, target.authorization, event_body(change, source),
                          options.answer_timeout};
  for (unsigned attempt = 0; !over_; ++attempt) {
    auto sent = co_await deliver_event(*parts_.endpoint.client, delivery);
    if (sent) {
      parts_.book.note(name_, [](LineReport& report) {
        ++report.delivered;
        report.waiting_since = {};
        report.error.clear();
      });
      co_return true;
    }
    parts_.book.note(name_, [&](LineReport& report) {
      ++report.failed;
      report.waiting_since = change.time;
      report.error = sent.error().context;
    });
    if (attempt == 0) {
      spdlog::warn("gateway: the webhook {} does not take an event of {}: {}; it is tried again",
                   name_.target, name_.bucket, sent.error().context);
    }
    if (give_up(change)) co_return true;
    const auto most =
        std::min(options.longest_retry, options.first_retry * (1u << std::min(attempt, 10u)));
    const auto wait = parts_.random.below(static_cast<std::uint64_t>(most.count())) + 1;
    if (!over_) co_await woken_.wait(std::chrono::milliseconds(wait));
  }
  co_return false;
}

bool WebhookLine::give_up(const store::Change& change) {
  if (parts_.clock.now() - change.time <= parts_.options.give_up_after) return false;
  spdlog::error("gateway: the event {} of {}/{} is given up: the webhook {} would not take it",
                change.sequence, name_.bucket, log_field(change.key.value), name_.target);
  parts_.book.note(name_, [](LineReport& report) {
    ++report.lost;
    report.waiting_since = {};
  });
  return true;
}

void WebhookLine::advance(std::uint64_t position) {
  if (dropped_ || position_ == position) return;
  position_ = position;
  parts_.book.advance(name_, position);
}

}  // namespace holdfast::gateway
