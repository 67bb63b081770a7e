#include "cli/scrubbing.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/encoding.h"
#include "base/fd.h"
#include "base/log.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds save_interval{5};
constexpr std::chrono::hours retry_interval{1};
constexpr std::size_t state_limit = 64u << 20;
constexpr std::size_t audited_objects = 20, audited_bytes = 3500;

json::object damage_json(const store::ScrubReport::Damage& damage, std::size_t most_objects) {
  json::array objects;
  for (const auto& object : damage.objects) {
    if (objects.size() < most_objects) objects.emplace_back(object);
  }
  return {{"where", damage.where},
          {"objects", std::move(objects)},
          {"object_count", damage.object_count}};
}

std::uint64_t number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

std::string text_of_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

Scrubbing::Scrubbing(boost::asio::any_io_executor executor, store::LocalStore& store,
                     control::AuditLog& audit, const Clock& clock, ScrubbingOptions options)
    : executor_(std::move(executor)),
      store_(store),
      audit_(audit),
      clock_(clock),
      options_(std::move(options)),
      woken_(executor_) {
  load();
}

void Scrubbing::wake() { woken_.notify(); }

json::object Scrubbing::to_json(const Pass& pass) {
  const store::ScrubReport& report = pass.report;
  json::array damage;
  for (const auto& one : report.damage) {
    damage.push_back(damage_json(one, store::ScrubReport::most_objects));
  }
  const store::ScrubPosition& at = report.position;
  json::object position{{"segment", at.segment}, {"offset", at.offset}};
  if (at.phase == store::ScrubPosition::Phase::blobs) position["blob"] = at.blob;
  return {{"pass", pass.number},
          {"started", to_rfc3339(pass.started)},
          {"ended", report.complete ? json::value(to_rfc3339(pass.ended)) : json::value(nullptr)},
          {"log_bytes", report.log_bytes},
          {"blobs", report.blobs},
          {"blob_bytes", report.blob_bytes},
          {"damaged", report.damaged},
          {"damage", std::move(damage)},
          {"position", std::move(position)}};
}

Scrubbing::Pass Scrubbing::from_json(const json::object& object) {
  Pass pass;
  pass.number = number_of(object, "pass");
  pass.started = from_rfc3339(text_of_member(object, "started")).value_or(TimePoint());
  const auto ended = from_rfc3339(text_of_member(object, "ended"));
  pass.ended = ended.value_or(TimePoint());
  store::ScrubReport& report = pass.report;
  report.complete = ended.has_value();
  report.log_bytes = number_of(object, "log_bytes");
  report.blobs = number_of(object, "blobs");
  report.blob_bytes = number_of(object, "blob_bytes");
  report.damaged = number_of(object, "damaged");
  if (const json::value* damage = object.if_contains("damage"); damage && damage->is_array()) {
    for (const json::value& one : damage->get_array()) {
      if (!one.is_object()) continue;
      store::ScrubReport::Damage entry{text_of_member(one.get_object(), "where"),
                                       {},
                                       number_of(one.get_object(), "object_count")};
      const json::value* objects = one.get_object().if_contains("objects");
      if (objects != nullptr && objects->is_array()) {
        for (const json::value& name : objects->get_array()) {
          if (name.is_string()) entry.objects.emplace_back(name.get_string());
        }
      }
      report.damage.push_back(std::move(entry));
    }
  }
  const json::value* position = object.if_contains("position");
  if (position != nullptr && position->is_object()) {
    const json::object& at = position->get_object();
    report.position.segment = number_of(at, "segment");
    report.position.offset = number_of(at, "offset");
    report.position.blob = text_of_member(at, "blob");
    if (at.contains("blob")) report.position.phase = store::ScrubPosition::Phase::blobs;
  }
  return pass;
}

// What cannot be read is begun anew: a pass more is all it costs.
void Scrubbing::load() {
  const auto text = read_file(options_.state_file, state_limit);
  if (!text) return;
  boost::system::error_code error;
  const json::value state = json::parse(*text, error);
  if (error || !state.is_object()) return;
  const json::object& object = state.get_object();
  const json::value* present = object.if_contains("present");
  const json::value* last = object.if_contains("last");
  if (present != nullptr && present->is_object()) present_ = from_json(present->get_object());
  if (last != nullptr && last->is_object()) last_ = from_json(last->get_object());
}

void Scrubbing::save() {
  json::object state;
  {
    const std::scoped_lock lock(mutex_);
    if (present_.number != 0) state["present"] = to_json(present_);
    if (last_.number != 0) state["last"] = to_json(last_);
  }
  saved_ = clock_.monotonic();
  if (auto saved = replace_file(options_.state_file, json::serialize(state)); !saved) {
    spdlog::debug("cli: where the scrub stands was not written: {}", saved.error().context);
  }
}

std::uint64_t Scrubbing::start(std::optional<std::uint64_t> bytes_per_second) {
  std::uint64_t number = 0;
  {
    const std::scoped_lock lock(mutex_);
    number = std::max(present_.number, last_.number);
    if (asked_) return running_ ? number : number + 1;
    ++number;
    asked_ = bytes_per_second.value_or(options_.bytes_per_second);
    given_up_.request_stop();
  }
  boost::asio::post(executor_, [this] { wake(); });
  return number;
}

json::object Scrubbing::report() const {
  const std::scoped_lock lock(mutex_);
  json::object out{{"running", running_},
                   {"present", nullptr},
                   {"last", nullptr},
                   {"error", error_.empty() ? json::value(nullptr) : json::value(error_)}};
  if (present_.number != 0) out["present"] = to_json(present_);
  if (last_.number != 0) out["last"] = to_json(last_);
  return out;
}

bool Scrubbing::due() const {
  const std::scoped_lock lock(mutex_);
  if (asked_) return true;
  if (options_.between.count() == 0) return false;
  return present_.number != 0 || clock_.now() - last_.started >= options_.between;
}

boost::asio::awaitable<void> Scrubbing::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (due()) {
      co_await run_pass(stop);
      const bool failed = [this] {
        const std::scoped_lock lock(mutex_);
        return !error_.empty() && !asked_;
      }();
      if (failed && !stop.stop_requested()) co_await woken_.wait(retry_interval);
      continue;
    }
    co_await woken_.wait(std::chrono::minutes(1));
  }
}

boost::asio::awaitable<void> Scrubbing::run_pass(std::stop_token stop) {
  store::ScrubReport from;
  store::ScrubRules rules;
  std::stop_token given_up;
  bool asked = false;
  {
    const std::scoped_lock lock(mutex_);
    asked = asked_.has_value();
    if (asked || present_.number == 0) {
      present_ = {.number = std::max(present_.number, last_.number) + 1, .started = clock_.now()};
    }
    from = present_.report;
    rules.bytes_per_second = asked_.value_or(options_.bytes_per_second);
    given_up_ = std::stop_source();
    given_up = given_up_.get_token();
    running_ = true;
    error_.clear();
  }
  // The pass ends for either reason, and stops pausing at once.
  std::stop_source ends;
  const std::stop_callback by_server(stop, [&ends] { ends.request_stop(); });
  const std::stop_callback by_request(given_up, [&ends] { ends.request_stop(); });
  rules.pause = [this, token = ends.get_token()](
                    std::chrono::milliseconds time) -> boost::asio::awaitable<void> {
    if (!token.stop_requested()) co_await woken_.wait(time);
  };
  rules.found = [this](const store::ScrubReport::Damage& damage) { note_damage(damage); };
  rules.passed = [this](const store::ScrubReport& report) { note_progress(report); };
  auto report = co_await store_.scrub(std::move(rules), ends.get_token(), std::move(from));
  {
    const std::scoped_lock lock(mutex_);
    running_ = false;
    // Asked for while a usual pass ran: that one goes, and the next round begins the new one.
    if (asked) asked_.reset();
    if (!report) {
      error_ = report.error().context;
      last_ = std::exchange(present_, {});
      last_.ended = clock_.now();
    } else {
      present_.report = std::move(*report);
    }
  }
  if (!report) {
    spdlog::error("cli: the scrub failed: {}", report.error().context);
  } else {
    note_end();
  }
  save();
}

void Scrubbing::note_damage(const store::ScrubReport::Damage& damage) {
  json::object detail = damage_json(damage, audited_objects);
  // An event's detail ends at 4 KiB; the whole list is in the report.
  json::array& objects = detail.at("objects").as_array();
  while (!objects.empty() && json::serialize(detail).size() > audited_bytes) objects.pop_back();
  spdlog::error("cli: the scrub found damage: {}; it hits {} objects: {}", damage.where,
                damage.object_count, json::serialize(detail.at("objects")));
  audit_.record({.time = clock_.now(),
                 .actor = PrincipalName("holdfast"),
                 .action = "scrub.damage",
                 .target = damage.where,
                 .source = "scrub",
                 .detail = json::serialize(detail)});
}

void Scrubbing::note_progress(const store::ScrubReport& report) {
  {
    const std::scoped_lock lock(mutex_);
    if (report.damaged != present_.report.damaged) {
      present_.report = report;
    } else {
      present_.report.log_bytes = report.log_bytes;
      present_.report.blobs = report.blobs;
      present_.report.blob_bytes = report.blob_bytes;
      present_.report.position = report.position;
    }
  }
  if (clock_.monotonic() - saved_ >= save_interval) save();
}

void Scrubbing::note_end() {
  json::object detail;
  {
    const std::scoped_lock lock(mutex_);
    if (!present_.report.complete) return;
    last_ = std::exchange(present_, {});
    last_.ended = clock_.now();
    const store::ScrubReport& report = last_.report;
    detail = {{"pass", last_.number},
              {"log_bytes", report.log_bytes},
              {"blobs", report.blobs},
              {"blob_bytes", report.blob_bytes},
              {"damaged", report.damaged}};
  }
  spdlog::info("cli: a scrub ended: {}", json::serialize(detail));
  audit_.record({.time = clock_.now(),
                 .actor = PrincipalName("holdfast"),
                 .action = "scrub.end",
                 .target = "store",
                 .source = "scrub",
                 .detail = json::serialize(detail)});
}

}  // namespace holdfast::cli
