#include <boost/json.hpp>

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "s3/headers.h"
#include "store/s3_client.h"
#include "store/s3_store.h"

namespace holdfast::store {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds longest_wait{60'000};

std::string seconds_of(std::chrono::milliseconds wait) {
  return std::to_string(
      std::chrono::ceil<std::chrono::seconds>(std::clamp(wait, wait.zero(), longest_wait)).count());
}

// An endpoint that does not know the extension takes offence at it in many ways; what is not about
// rights or the bucket means that it has no feed.
Error without_feed(const Error& error, std::string_view what) {
  switch (error.code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::malformed:
    case ErrorCode::method_not_allowed:
    case ErrorCode::not_found:
    case ErrorCode::not_supported:
    case ErrorCode::no_such_key:
      return {ErrorCode::not_supported, fmt::format("the endpoint has no {}", what)};
    default:
      return error;
  }
}

// Members of an object; absent or of another type is nullopt.
std::optional<std::string> text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}
std::optional<std::uint64_t> number_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return std::nullopt;
  boost::system::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  if (error) return std::nullopt;
  return number;
}

std::optional<ChangeKind> kind_from(std::string_view text) {
  if (text == "put") return ChangeKind::put;
  if (text == "delete_marker") return ChangeKind::delete_marker;
  if (text == "version_removed") return ChangeKind::version_removed;
  return std::nullopt;
}

std::optional<AccessLevel> level_from(std::string_view text) {
  if (text == "read") return AccessLevel::read;
  if (text == "write") return AccessLevel::write;
  if (text == "drop") return AccessLevel::drop;
  if (text == "admin") return AccessLevel::admin;
  return std::nullopt;
}

std::optional<Change> parse_change(std::string_view line) {
  boost::system::error_code error;
  const json::value parsed = json::parse(line, error);
  if (error || !parsed.is_object()) return std::nullopt;
  const auto& object = parsed.get_object();
  const auto sequence = number_of(object, "sequence");
  const auto kind = kind_from(text_of(object, "kind").value_or(""));
  const auto key = from_base64(text_of(object, "key").value_or("?"));
  if (!sequence || !kind || !key) return std::nullopt;
  Change change{*sequence, *kind, ObjectKey(*key)};
  change.version = VersionId(text_of(object, "version").value_or(""));
  change.etag = ETag(text_of(object, "etag").value_or(""));
  change.size = number_of(object, "size").value_or(0);
  change.time = from_rfc3339(text_of(object, "time").value_or("")).value_or(TimePoint());
  return change;
}

std::optional<VisibleEntry> parse_visible(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  const auto& object = value.get_object();
  const auto bucket = text_of(object, "bucket");
  const auto level = level_from(text_of(object, "level").value_or(""));
  if (!bucket || !level) return std::nullopt;
  VisibleEntry entry{BucketName(*bucket), text_of(object, "prefix").value_or(""), *level};
  if (const auto until = text_of(object, "not_after")) entry.not_after = from_rfc3339(*until);
  return entry;
}

Result<ChangesPage> read_page(const S3Answer& answer, const ChangesRequest& request) {
  const auto next = s3::parse_u64(answer.headers.get("x-holdfast-next"));
  // Other endpoints ignore the parameter and answer an ordinary listing.
  if (!next) return fail(ErrorCode::not_supported, "the endpoint has no change feed");
  ChangesPage page;
  page.next = *next;
  page.reset = answer.headers.get("x-holdfast-reset") == "true";
  std::string_view rest = answer.text;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.empty()) continue;
    auto change = parse_change(line);
    if (!change) return fail(ErrorCode::malformed, "a line of the change feed cannot be read");
    if (page.changes.size() == request.limit) {
      page.next = page.changes.empty() ? *request.after : page.changes.back().sequence;
      break;
    }
    page.changes.push_back(std::move(*change));
  }
  return page;
}

}  // namespace

Async<ChangesPage> S3Store::changes(ChangesRequest request) {
  S3Call call{.bucket = request.bucket, .wait = request.wait};
  call.query.emplace_back("events", "s3:*");
  if (!request.prefix.empty()) call.query.emplace_back("prefix", request.prefix);
  if (request.after) {
    call.query.emplace_back("since", std::to_string(*request.after));
    call.query.emplace_back("wait", seconds_of(request.wait));
  }
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(without_feed(answer.error(), "change feed"));
  co_return read_page(*answer, request);
}

Async<AccessPage> S3Store::access(std::uint64_t after_epoch, std::chrono::milliseconds wait) {
  S3Call call{.wait = wait};
  call.query.emplace_back("holdfast-access", "");
  call.query.emplace_back("epoch", std::to_string(after_epoch));
  call.query.emplace_back("wait", seconds_of(wait));
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(without_feed(answer.error(), "access feed"));
  boost::system::error_code error;
  const json::value parsed = json::parse(answer->text, error);
  const json::object* object = error ? nullptr : parsed.if_object();
  const auto epoch = object != nullptr ? number_of(*object, "epoch") : std::nullopt;
  const auto* visible = object != nullptr ? object->if_contains("visible") : nullptr;
  if (!epoch || visible == nullptr || !visible->is_array()) {
    co_return fail(ErrorCode::not_supported, "the endpoint has no access feed");
  }
  AccessPage page{*epoch, PrincipalName(text_of(*object, "principal").value_or("")), {}};
  for (const auto& value : visible->get_array()) {
    auto entry = parse_visible(value);
    if (!entry) co_return fail(ErrorCode::malformed, "an entry of the access feed cannot be read");
    page.visible.push_back(std::move(*entry));
  }
  co_return page;
}

}  // namespace holdfast::store
