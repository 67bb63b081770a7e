#include "gateway/webhook_book.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <utility>

#include "base/encoding.h"
#include "base/fd.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::size_t file_limit = 16u << 20;
// A save tells when it ends; the limit is only what an Event needs.
constexpr std::chrono::seconds look_again{10};

std::map<LineName, std::uint64_t> read_positions(const std::string& path) {
  std::map<LineName, std::uint64_t> positions;
  const auto text = read_file(path, file_limit);
  if (!text) return positions;
  boost::system::error_code error;
  const json::value rows = json::parse(*text, error);
  if (error || !rows.is_array()) return positions;
  for (const json::value& row : rows.get_array()) {
    if (!row.is_object()) continue;
    const json::value* bucket = row.get_object().if_contains("bucket");
    const json::value* target = row.get_object().if_contains("webhook");
    const json::value* after = row.get_object().if_contains("after");
    if (!bucket || !target || !after || !bucket->is_string() || !target->is_string()) continue;
    const auto number = after->to_number<std::uint64_t>(error);
    if (error) continue;
    positions[{std::string(bucket->get_string()), std::string(target->get_string())}] = number;
  }
  return positions;
}

std::string write_positions(const std::map<LineName, std::uint64_t>& positions) {
  json::array rows;
  for (const auto& [name, after] : positions) {
    rows.push_back(
        json::object{{"bucket", name.bucket}, {"webhook", name.target}, {"after", after}});
  }
  return json::serialize(rows);
}

}  // namespace

WebhookBook::WebhookBook(asio::any_io_executor executor, BlockingPool& pool, std::string file)
    : pool_(pool),
      file_(std::move(file)),
      positions_(read_positions(file_)),
      saved_(std::move(executor)) {}

bool WebhookBook::add(LineName name, std::uint64_t position) {
  const bool added = positions_.emplace(std::move(name), position).second;
  dirty_ |= added;
  return added;
}

void WebhookBook::advance(const LineName& name, std::uint64_t position) {
  positions_[name] = position;
  dirty_ = true;
}

void WebhookBook::forget(const LineName& name) {
  dirty_ |= positions_.erase(name) > 0;
  const std::scoped_lock lock(mutex_);
  reports_.erase(name);
}

void WebhookBook::forget_unfollowed() {
  const std::scoped_lock lock(mutex_);
  dirty_ |= std::erase_if(positions_, [this](const auto& entry) {
              return !reports_.contains(entry.first);
            }) > 0;
}

// One at a time: the temporary file has one name.
asio::awaitable<Result<void>> WebhookBook::save() {
  while (saving_) co_await saved_.wait(look_again);
  saving_ = true;
  dirty_ = false;
  auto saved = co_await pool_.run(
      [path = file_, text = write_positions(positions_)] { return replace_file(path, text); });
  saving_ = false;
  dirty_ |= !saved;
  saved_.notify();
  co_return saved;
}

void WebhookBook::open_report(const LineName& name) {
  const std::scoped_lock lock(mutex_);
  reports_[name] = {};
}

json::array WebhookBook::rows() const {
  const std::scoped_lock lock(mutex_);
  json::array rows;
  for (const auto& [name, report] : reports_) {
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
