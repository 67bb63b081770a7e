#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "base/encoding.h"
#include "base/event.h"
#include "gateway/access.h"
#include "gateway/s3_authorization.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_listen.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::uint64_t max_wait_seconds = 60;
constexpr std::uint64_t max_number = 9'223'372'036'854'775'807ull;

std::string_view to_string(store::ChangeKind kind) {
  switch (kind) {
    case store::ChangeKind::put:
      return "put";
    case store::ChangeKind::delete_marker:
      return "delete_marker";
    case store::ChangeKind::version_removed:
      return "version_removed";
  }
  return "put";
}

// "s3:*", "s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"… separated by commas.
bool wanted(std::string_view events, store::ChangeKind kind) {
  const std::string_view family =
      kind == store::ChangeKind::put ? "s3:ObjectCreated" : "s3:ObjectRemoved";
  while (!events.empty()) {
    const std::size_t comma = std::min(events.find(','), events.size());
    const std::string_view event = events.substr(0, comma);
    events.remove_prefix(std::min(comma + 1, events.size()));
    if (event == "s3:*" || event == "*" || event.starts_with(family)) return true;
  }
  return false;
}

// One line of the feed. Keys are bytes, so they travel as base64.
std::string line_of(const store::Change& change) {
  boost::json::object line;
  line["sequence"] = change.sequence;
  line["kind"] = to_string(change.kind);
  line["key"] = to_base64(as_bytes(change.key.value));
  line["version"] = change.version.value;
  line["etag"] = change.etag.value;
  line["size"] = change.size;
  line["time"] = to_rfc3339(change.time);
  return boost::json::serialize(line) + "\n";
}

// Waits until the policy's epoch is above `epoch` or `limit` has passed.
boost::asio::awaitable<std::shared_ptr<const control::PolicySnapshot>> wait_for_epoch(
    const S3Call& call, std::uint64_t epoch, std::chrono::seconds limit) {
  const auto deadline = call.backend.clock.monotonic() + limit;
  for (;;) {
    auto policy = call.backend.policies.current();
    if (policy->epoch() > epoch || call.backend.clock.monotonic() >= deadline) co_return policy;
    co_await sleep_for(call.backend.options.epoch_poll);
  }
}

// What proves a right of this level somewhere inside the entry, for keys of narrower scope.
control::Action sample_action(control::Level level) {
  switch (level) {
    case control::Level::read:
      return control::Action::read_object;
    case control::Level::write:
    case control::Level::drop:
    case control::Level::admin:
      return control::Action::write_object;
  }
  return control::Action::write_object;
}

}  // namespace

S3Answer watch_changes(S3Call& call) {
  if (asks_to_listen(call)) co_return co_await listen_to_events(call);
  auto wait = number_of(call, "wait", {0, 1'000'000, 0});
  if (!wait) co_return std::unexpected(std::move(wait.error()));
  auto since = number_of(call, "since", {0, max_number, 0});
  if (!since) co_return std::unexpected(std::move(since.error()));
  auto limit = number_of(call, "limit", {1, 1'000, 1'000});
  if (!limit) co_return std::unexpected(std::move(limit.error()));
  store::ChangesRequest request;
  request.bucket = call.bucket();
  request.prefix = call.query("prefix");
  if (call.target.query.has("since")) request.after = *since;
  request.limit = static_cast<std::uint32_t>(*limit);
  request.wait = std::chrono::seconds(std::min(*wait, max_wait_seconds));
  Rejudge rejudge(call, call.needs);
  auto page = co_await call.store().changes(std::move(request));
  if (!page) co_return refuse_with(page.error());
  if (!rejudge.still_allowed()) co_return s3::refuse(ApiError::access_denied);
  const std::string_view events = call.query("events");
  std::string lines;
  for (const store::Change& change : page->changes) {
    if (events.empty() || wanted(events, change.kind)) lines += line_of(change);
  }
  S3Reply reply = empty_reply(200);
  reply.head.headers.add("Content-Type", "application/x-ndjson");
  reply.head.headers.add("Cache-Control", "no-store");
  reply.head.headers.add("x-holdfast-next", std::to_string(page->next));
  if (page->reset) reply.head.headers.add("x-holdfast-reset", "true");
  reply.body = std::move(lines);
  co_return reply;
}

S3Answer access_feed(S3Call& call) {
  auto wait = number_of(call, "wait", {0, 1'000'000, 0});
  if (!wait) co_return std::unexpected(std::move(wait.error()));
  auto epoch = number_of(call, "epoch", {0, max_number, 0});
  if (!epoch) co_return std::unexpected(std::move(epoch.error()));
  const std::chrono::seconds limit(std::min(*wait, max_wait_seconds));
  Rejudge rejudge(call, {});
  const auto policy = co_await wait_for_epoch(call, *epoch, limit);
  if (!rejudge.still_allowed()) co_return s3::refuse(ApiError::access_denied);
  Identity present = call.identity;
  present.policy = policy;
  present.key = call.identity.session != nullptr ? &call.identity.session->key
                                                 : policy->find_key(call.identity.key_id);
  call.identity = std::move(present);
  boost::json::array visible;
  const TimePoint now = call.backend.clock.now();
  for (const auto& entry : policy->visible(call.identity.principal, now)) {
    const control::Action action = sample_action(entry.level);
    Need need{action, entry.bucket, entry.prefix, policy_action_of(action), {}, false, nullptr};
    if (!may(call, need)) continue;
    boost::json::object item;
    item["bucket"] = entry.bucket.value;
    item["prefix"] = entry.prefix;
    item["level"] = control::to_string(entry.level);
    item["not_after"] = entry.not_after ? boost::json::value(to_rfc3339(*entry.not_after))
                                        : boost::json::value(nullptr);
    visible.push_back(std::move(item));
  }
  boost::json::object answer;
  answer["epoch"] = policy->epoch();
  answer["principal"] = call.identity.principal.value;
  answer["visible"] = std::move(visible);
  S3Reply reply = empty_reply(200);
  reply.head.headers.add("Content-Type", "application/json");
  reply.head.headers.add("Cache-Control", "no-store");
  reply.body = boost::json::serialize(answer);
  co_return reply;
}

}  // namespace holdfast::gateway
