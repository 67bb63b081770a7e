#include "cli/housekeeping.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json.hpp>
#include <utility>

#include "base/encoding.h"
#include "base/fd.h"
#include "base/log.h"

namespace holdfast::cli {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

// A pass each hour of a real day; often enough where days are shortened.
constexpr int passes_a_day = 24;
constexpr std::chrono::seconds cursor_interval{10};
constexpr std::chrono::minutes compaction_interval{1};
constexpr std::chrono::hours futile_interval{1};

std::string_view name_of(store::LifecycleAction action) {
  switch (action) {
    case store::LifecycleAction::expire:
      return "lifecycle.expire";
    case store::LifecycleAction::remove_noncurrent:
      return "lifecycle.remove_version";
    case store::LifecycleAction::remove_marker:
      return "lifecycle.remove_marker";
    case store::LifecycleAction::abort_upload:
      return "lifecycle.abort_upload";
  }
  return "lifecycle";
}

}  // namespace

Housekeeping::Housekeeping(net::IoPool& io, store::LocalStore& store, control::AuditLog& audit,
                           const Clock& clock, HousekeepingOptions options)
    : io_(io),
      store_(store),
      audit_(audit),
      clock_(clock),
      options_(std::move(options)),
      stopped_(io.at(0).get_executor()),
      tasks_(io.at(0).get_executor()) {}

Housekeeping::~Housekeeping() { stop(); }

asio::awaitable<bool> Housekeeping::spawn_all() {
  const bool lifecycle = tasks_.spawn("lifecycle", carry_out_lifecycle());
  const bool scrub = options_.scrubbing == nullptr ||
                     tasks_.spawn("scrub", options_.scrubbing->run(stop_.get_token()));
  co_return tasks_.spawn("compaction", compact_log()) && lifecycle&& scrub;
}

asio::awaitable<bool> Housekeeping::end_all() {
  stop_.request_stop();
  stopped_.notify();
  if (options_.scrubbing != nullptr) options_.scrubbing->wake();
  // Every task looks at the token after a fraction of a second.
  co_await tasks_.stop(std::chrono::seconds(10));
  co_return true;
}

void Housekeeping::start() {
  running_ = asio::co_spawn(io_.at(0), spawn_all(), asio::use_future).get();
}

void Housekeeping::stop() {
  if (!std::exchange(running_, false)) return;
  asio::co_spawn(io_.at(0), end_all(), asio::use_future).get();
}

void Housekeeping::note_removal(const store::LifecycleEvent& event) {
  const json::object detail{{"version", log_field(event.version, 64)},
                            {"rule", log_field(event.rule, 255)}};
  audit_.record(
      {.time = event.time,
       .actor = PrincipalName("holdfast"),
       .action = std::string(name_of(event.action)),
       .target = fmt::format("{}/{}", event.bucket.value, log_field(event.key.value, 1024)),
       .source = "lifecycle",
       .detail = json::serialize(detail)});
}

// A cursor that is lost only makes the next pass longer, so it is written now and then.
void Housekeeping::save_cursor(const store::LifecycleCursor& cursor) {
  const MonotonicTime now = clock_.monotonic();
  const bool at_end = cursor.bucket.empty();
  if (!at_end && now - cursor_saved_ < cursor_interval) return;
  cursor_saved_ = now;
  const std::string text = cursor.bucket + "\n" + to_hex(as_bytes(cursor.key)) + "\n";
  if (auto saved = replace_file(options_.cursor_file, text); !saved) {
    spdlog::debug("cli: the lifecycle cursor was not written: {}", saved.error().context);
  }
}

store::LifecycleCursor Housekeeping::load_cursor() const {
  const auto text = read_file(options_.cursor_file, 8192);
  if (!text) return {};
  const auto bucket_end = text->find('\n');
  const auto key_end =
      bucket_end == std::string::npos ? bucket_end : text->find('\n', bucket_end + 1);
  if (key_end == std::string::npos) return {};
  const auto key =
      from_hex(std::string_view(*text).substr(bucket_end + 1, key_end - bucket_end - 1));
  if (!key) return {};
  return {text->substr(0, bucket_end), *key};
}

asio::awaitable<void> Housekeeping::compact_log() {
  const auto stop = stop_.get_token();
  while (!stop.stop_requested()) {
    const auto report = co_await store_.compact({}, stop);
    std::chrono::milliseconds wait = compaction_interval;
    if (!report) {
      spdlog::error("cli: {}", report.error().context);
      wait = futile_interval;
    } else if (report->segments > 0) {
      spdlog::info("cli: compaction freed {} bytes of log, {} were moved", report->freed_bytes,
                   report->moved_bytes);
      // What cannot be freed is not to be written round and round.
      if (report->freed_bytes - report->freed_bytes / 8 < report->moved_bytes)
        wait = futile_interval;
    }
    if (!stop.stop_requested()) co_await stopped_.wait(wait);
  }
}

asio::awaitable<void> Housekeeping::carry_out_lifecycle() {
  const auto stop = stop_.get_token();
  store::LifecycleRunner runner(
      store_, clock_, {.day = options_.lifecycle_day},
      {.removed = [this](const store::LifecycleEvent& event) { note_removal(event); },
       .passed = [this](const store::LifecycleCursor& cursor) { save_cursor(cursor); }});
  const std::chrono::milliseconds between = std::max<std::chrono::milliseconds>(
      std::chrono::seconds(1), options_.lifecycle_day / passes_a_day);
  store::LifecycleCursor from = load_cursor();
  while (!stop.stop_requested()) {
    const auto counts = co_await runner.run_pass(std::exchange(from, {}), stop);
    if (!counts) {
      spdlog::warn("cli: a lifecycle pass failed: {}", counts.error().context);
    } else if (counts->expired + counts->noncurrent + counts->markers + counts->uploads > 0) {
      spdlog::info(
          "cli: lifecycle looked at {} versions: {} expired, {} noncurrent and {} markers removed, "
          "{} uploads aborted, {} locked, {} failed",
          counts->looked_at, counts->expired, counts->noncurrent, counts->markers, counts->uploads,
          counts->locked, counts->failed);
    }
    if (!stop.stop_requested()) co_await stopped_.wait(between);
  }
}

}  // namespace holdfast::cli
