// Versions, deletions and restores of the JSON API.
#include <charconv>

#include "base/encoding.h"
#include "gateway/deleted_groups.h"
#include "gateway/web_request.h"
#include "gateway/web_routes.h"
#include "store/history.h"
#include "store/restore.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;
using control::Action;

constexpr std::size_t shown_rows = 1000;

// "bucket" and `member`, or "place" as the command line writes it.
Result<Place> place_of(WebApi& api, std::string_view bucket, std::string_view path,
                       std::string_view place) {
  if (!place.empty()) return parse_place(place, api.parts().policy.current()->homes_bucket());
  if (bucket.empty()) {
    return fail(ErrorCode::invalid_argument, "name a \"bucket\" and a path, or a \"place\"");
  }
  return Place{BucketName(std::string(bucket)), std::string(path)};
}

// "2026-11-22T10:30:00Z", or "-10m", "-2h", "-3d" before now.
Result<TimePoint> moment_of(std::string_view text, TimePoint now) {
  if (const auto exact = from_rfc3339(text)) {
    if (*exact > now) return fail(ErrorCode::invalid_argument, "{} is in the future", text);
    return *exact;
  }
  std::int64_t amount = 0;
  if (text.size() >= 3 && text.front() == '-') {
    const char* end = text.data() + text.size() - 1;
    const auto parsed = std::from_chars(text.data() + 1, end, amount);
    if (parsed.ec == std::errc() && parsed.ptr == end && amount > 0 && amount < 100'000) {
      if (text.back() == 's') return now - std::chrono::seconds(amount);
      if (text.back() == 'm') return now - std::chrono::minutes(amount);
      if (text.back() == 'h') return now - std::chrono::hours(amount);
      if (text.back() == 'd') return now - std::chrono::days(amount);
    }
  }
  return fail(ErrorCode::invalid_argument,
              "\"{}\" is no moment; write 2026-11-22T10:30:00Z, or -30s, -10m, -2h, -3d before now",
              text);
}

std::string last_name(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

Result<void> authorise_restore(WebApi& api, const Caller& caller, const Place& place) {
  for (const auto action :
       {Action::list_versions, Action::read_version, Action::write_object, Action::delete_object}) {
    if (auto ok = authorise(api, caller, action, place.bucket, place.path); !ok) return ok;
  }
  return {};
}

// Where "--beside" puts the restored tree: "a/b/" becomes "a/b (restored …)/".
std::string beside_path(const std::string& path, TimePoint at) {
  const bool folder = path.ends_with('/');
  const std::string bare = folder ? path.substr(0, path.size() - 1) : path;
  return fmt::format("{} (as of {}){}", bare, to_rfc3339(at), folder ? "/" : "");
}

json::array rows_json(const store::RestorePlan& plan) {
  json::array rows;
  for (const auto& row : plan.rows) {
    if (row.action == store::RestoreAction::keep) continue;
    if (rows.size() == shown_rows) break;
    json::object entry{{"action", store::to_string(row.action)},
                       {"reason", store::explain(row)},
                       {"version", row.wanted.value},
                       {"size", row.size}};
    set_key(entry, "key", row.key.value);
    rows.push_back(std::move(entry));
  }
  return rows;
}

void audit_restore(WebApi& api, const Caller& caller, const Place& place,
                   const store::RestoreReport& report) {
  api.parts().registry.audit().record(
      {.actor = caller.actor.principal,
       .action = "restore",
       .target = fmt::format("{}/{}", place.bucket.value, place.path),
       .outcome = report.failed == 0 ? "ok" : "failed",
       .request_id = caller.actor.request_id,
       .source = caller.actor.source,
       .detail = fmt::format("{{\"copied\":{},\"removed\":{},\"failed\":{},\"root\":\"{}\"}}",
                             report.copied, report.removed, report.failed, report.actual_root)});
}

// The moment before the newest deletion at or below a path.
store::Async<TimePoint> before_deletion(WebApi& api, Place place) {
  auto groups = co_await deleted_groups(api.parts().store, place.bucket, place.path);
  if (!groups) co_return std::unexpected(groups.error());
  if (groups->empty()) {
    co_return fail(ErrorCode::not_found, "nothing was deleted at {}", place.path);
  }
  co_return groups->front().restore_at();
}

}  // namespace

JsonAnswer get_history(WebApi& api, ApiRequest request) {
  auto place = place_of(api, query_or(request, "bucket", ""), query_or(request, "key", ""),
                        query_or(request, "place", ""));
  if (!place) co_return std::unexpected(place.error());
  if (auto ok = authorise(api, request.caller, Action::list_versions, place->bucket, place->path);
      !ok) {
    co_return std::unexpected(ok.error());
  }
  auto versions = co_await store::history(api.parts().store, place->bucket, ObjectKey(place->path));
  if (!versions) co_return std::unexpected(versions.error());
  if (versions->empty()) {
    co_return fail(ErrorCode::no_such_key, "{} never was in {}", place->path, place->bucket.value);
  }
  json::array rows;
  for (const auto& version : *versions) {
    rows.push_back(json::object{{"version", version.version.value},
                                {"size", version.size},
                                {"modified", to_rfc3339_exact(version.modified)},
                                {"etag", version.etag.value},
                                {"latest", version.latest},
                                {"deleted", version.delete_marker}});
  }
  co_return json::object{{"versions", std::move(rows)}};
}

JsonAnswer get_deleted(WebApi& api, ApiRequest request) {
  const Place place{BucketName(query_or(request, "bucket", "")), query_or(request, "prefix", "")};
  if (auto ok = authorise(api, request.caller, Action::list_versions, place.bucket, place.path);
      !ok) {
    co_return std::unexpected(ok.error());
  }
  auto groups = co_await deleted_groups(api.parts().store, place.bucket, place.path);
  if (!groups) co_return std::unexpected(groups.error());
  json::array rows;
  for (const auto& group : *groups) {
    json::object row{{"directory", group.directory},
                     {"count", group.count},
                     {"bytes", group.bytes},
                     {"deleted_at", to_rfc3339_exact(group.last)},
                     {"restore_at", to_rfc3339_exact(group.restore_at())}};
    set_key(row, "path", group.path);
    set_key(row, "name", last_name(group.path));
    rows.push_back(std::move(row));
    if (rows.size() == shown_rows) break;
  }
  co_return json::object{{"deleted", std::move(rows)}};
}

JsonAnswer post_restore(WebApi& api, ApiRequest request) {
  const auto& body = request.body;
  auto place = place_of(api, text_field_or(body, "bucket", ""), text_field_or(body, "path", ""),
                        text_field_or(body, "place", ""));
  if (!place) co_return std::unexpected(place.error());
  if (auto ok = authorise_restore(api, request.caller, *place); !ok) {
    co_return std::unexpected(ok.error());
  }
  auto at = flag_field(body, "undelete", Otherwise::no)
                ? co_await before_deletion(api, *place)
                : moment_of(text_field_or(body, "at", ""), api.parts().clock.now());
  if (!at) co_return std::unexpected(at.error());
  auto plan = co_await store::plan_restore(api.parts().store, {place->bucket, place->path}, *at);
  if (!plan) co_return std::unexpected(plan.error());
  json::object answer{{"at", to_rfc3339_exact(*at)},
                      {"rows", rows_json(*plan)},
                      {"more", plan->copies + plan->removals > shown_rows},
                      {"restored", plan->copies},
                      {"removed", plan->removals},
                      {"unchanged", plan->kept},
                      {"failed", 0},
                      {"bytes", plan->bytes},
                      {"expected_root", plan->expected_root},
                      {"actual_root", nullptr}};
  if (flag_field(body, "dry_run", Otherwise::no)) co_return answer;

  store::RestoreOptions options;
  if (flag_field(body, "beside", Otherwise::no)) {
    options.beside = beside_path(place->path, *at);
    const Place target{place->bucket, options.beside};
    if (auto ok = authorise_restore(api, request.caller, target); !ok) {
      co_return std::unexpected(ok.error());
    }
    answer["beside"] = options.beside;
  }
  auto report = co_await store::apply_restore(api.parts().store, std::move(*plan), options);
  if (!report) co_return std::unexpected(report.error());
  audit_restore(api, request.caller, *place, *report);
  json::array failures;
  for (const auto& failure : report->failures) {
    json::object row{{"message", failure.error.context}};
    set_key(row, "key", failure.key.value);
    failures.push_back(std::move(row));
  }
  answer["restored"] = report->copied;
  answer["removed"] = report->removed;
  answer["unchanged"] = report->kept;
  answer["failed"] = report->failed;
  answer["failures"] = std::move(failures);
  answer["expected_root"] = report->expected_root;
  answer["actual_root"] = report->actual_root;
  co_return answer;
}

}  // namespace holdfast::gateway
