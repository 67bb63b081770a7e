// Places, listings, signed URLs, deletions and renames of the console.
#include <algorithm>

#include "base/encoding.h"
#include "gateway/web_direct.h"
#include "gateway/web_request.h"
#include "gateway/web_routes.h"
#include "s3/home_format.h"

namespace holdfast::gateway {
namespace {

namespace json = boost::json;
using control::Action;

constexpr std::uint32_t page_keys = 1000;
// A rename or deletion of a folder works through this many objects at most in one call; more is an
// error that says so, and nothing is half-hidden: what was done is counted in the answer.
constexpr std::size_t folder_limit = 100'000;

std::string last_component(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

json::object object_json(const store::ObjectInfo& info) {
  json::object out{
      {"size", info.size}, {"modified", to_rfc3339(info.modified)}, {"etag", info.etag.value}};
  set_key(out, "key", info.key.value);
  set_key(out, "name", last_component(info.key.value));
  const auto attributes = s3::decode_attributes(info.attributes.metadata);
  if (attributes.mode) {
    out["mode"] = fmt::format("{:04o}", *attributes.mode & 07777);
    out["symlink"] = (*attributes.mode & 0170000) == 0120000;
  }
  if (attributes.mtime) out["mtime"] = to_rfc3339(*attributes.mtime);
  return out;
}

// Every key at or below `prefix`, up to folder_limit.
store::Async<std::vector<ObjectKey>> keys_below(WebApi& api, BucketName bucket,
                                                std::string prefix) {
  std::vector<ObjectKey> keys;
  std::string after;
  for (;;) {
    auto page = co_await api.parts().store.list({.bucket = bucket,
                                                 .prefix = prefix,
                                                 .delimiter = {},
                                                 .start_after = after,
                                                 .max_keys = page_keys});
    if (!page) co_return std::unexpected(page.error());
    for (auto& object : page->objects) keys.push_back(std::move(object.key));
    if (keys.size() > folder_limit) {
      co_return fail(ErrorCode::entity_too_large,
                     "the folder holds more than {} objects; use the S3 API or a tool for it",
                     folder_limit);
    }
    if (!page->truncated) co_return keys;
    after = page->next;
  }
}

Result<void> authorise_delete(WebApi& api, const Caller& caller, const BucketName& bucket,
                              const std::vector<ObjectKey>& keys) {
  for (const auto& key : keys) {
    auto allowed = authorise(api, caller, Action::delete_object, bucket, key.value);
    if (!allowed) return allowed;
  }
  return {};
}

}  // namespace

JsonAnswer get_places(WebApi& api, ApiRequest request) {
  const auto snapshot = api.parts().policy.current();
  const auto& me = request.caller.actor.principal;
  json::array places;
  for (const auto& visible : snapshot->visible(me, api.parts().clock.now())) {
    const bool own_home =
        visible.bucket == snapshot->homes_bucket() && visible.prefix == me.value + "/";
    places.push_back(json::object{
        {"bucket", visible.bucket.value},
        {"prefix", visible.prefix},
        {"level", control::to_string(visible.level)},
        {"not_after", visible.not_after ? json::value(to_rfc3339(*visible.not_after)) : nullptr},
        {"home", own_home}});
  }
  if (request.caller.admin) {
    auto buckets = co_await api.parts().store.list_buckets();
    if (!buckets) co_return std::unexpected(buckets.error());
    for (const auto& bucket : *buckets) {
      const bool known = std::ranges::any_of(places, [&](const json::value& place) {
        return place.at("bucket").as_string() == bucket.name.value &&
               place.at("prefix").as_string().empty();
      });
      if (known) continue;
      places.push_back(json::object{{"bucket", bucket.name.value},
                                    {"prefix", ""},
                                    {"level", "admin"},
                                    {"not_after", nullptr},
                                    {"home", false}});
    }
  }
  co_return json::object{{"places", std::move(places)}};
}

JsonAnswer get_files(WebApi& api, ApiRequest request) {
  store::ListRequest list{.bucket = BucketName(query_or(request, "bucket", "")),
                          .prefix = query_or(request, "prefix", ""),
                          .delimiter = "/",
                          .start_after = query_or(request, "after", ""),
                          .max_keys = page_keys};
  if (auto ok = authorise(api, request.caller, Action::list_objects, list.bucket, list.prefix);
      !ok) {
    co_return std::unexpected(ok.error());
  }
  auto page = co_await api.parts().store.list(list);
  if (!page) co_return std::unexpected(page.error());
  json::array prefixes;
  for (const auto& prefix : page->common_prefixes) {
    json::object entry;
    set_key(entry, "prefix", prefix);
    set_key(entry, "name", last_component(prefix));
    prefixes.push_back(std::move(entry));
  }
  json::array objects;
  for (const auto& object : page->objects) {
    if (object.key.value != list.prefix) objects.push_back(object_json(object));
  }
  co_return json::object{{"prefixes", std::move(prefixes)},
                         {"objects", std::move(objects)},
                         {"next", page->truncated ? json::value(page->next) : nullptr}};
}

JsonAnswer post_files_sign(WebApi& api, ApiRequest request) {
  auto bucket = text_field(request.body, "bucket");
  auto key = key_field(request.body);
  const auto method = text_field_or(request.body, "method", "GET");
  if (!bucket) co_return std::unexpected(bucket.error());
  if (!key) co_return std::unexpected(key.error());
  if (method != "GET" && method != "PUT") {
    co_return fail(ErrorCode::invalid_argument, "\"method\" takes GET or PUT");
  }
  const auto version = text_field_or(request.body, "version", "");
  const auto action = method == "PUT"   ? Action::write_object
                      : version.empty() ? Action::read_object
                                        : Action::read_version;
  const BucketName name(*bucket);
  if (auto ok = authorise(api, request.caller, action, name, key->value); !ok) {
    co_return std::unexpected(ok.error());
  }
  const auto transfer = method == "GET" ? Transfer::read : Transfer::whole_put;
  const WayQuestion question{transfer, action, name, *key};
  auto way = co_await choose_way(api, request, question);
  if (!way) co_return std::unexpected(way.error());
  audit_way(api, request.caller, *way, question, {{"method", method}, {"version", version}});
  s3::QueryParameters query;
  if (!version.empty()) query.emplace_back("versionId", version);
  // Only this gateway sandboxes pages that users uploaded.
  const bool attached =
      way->direct != nullptr || flag_field(request.body, "attachment", Otherwise::yes);
  if (method == "GET" && attached) {
    const auto shown = text_field_or(request.body, "download_name", last_component(key->value));
    query.emplace_back("response-content-disposition", attachment_disposition(shown));
  }
  s3::QueryParameters headers;
  json::object shown_headers;
  if (const auto* metadata = request.body.if_contains("metadata");
      method == "PUT" && metadata != nullptr && metadata->is_object()) {
    for (const auto& [field, value] : metadata->get_object()) {
      if (!value.is_string()) continue;
      headers.emplace_back(fmt::format("x-amz-meta-{}", s3::ascii_lower(field)),
                           std::string(value.get_string()));
      shown_headers[headers.back().first] = headers.back().second;
    }
  }
  const UrlRequest wanted{method, name, *key, std::move(query), std::move(headers)};
  json::object answer{{"url", url_by(api, *way, wanted)},
                      {"method", method},
                      {"headers", std::move(shown_headers)}};
  add_way(answer, api, *way);
  co_return answer;
}

JsonAnswer post_delete(WebApi& api, ApiRequest request) {
  auto bucket = text_field(request.body, "bucket");
  if (!bucket) co_return std::unexpected(bucket.error());
  const BucketName name(*bucket);
  std::vector<ObjectKey> keys;
  if (const auto* list = request.body.if_contains("keys"); list != nullptr && list->is_array()) {
    for (const auto& key : list->get_array()) {
      if (!key.is_string()) co_return fail(ErrorCode::invalid_argument, "\"keys\" takes strings");
      keys.emplace_back(std::string(key.get_string()));
    }
  } else {
    auto prefix = text_field(request.body, "prefix");
    if (!prefix || !prefix->ends_with('/')) {
      co_return fail(ErrorCode::invalid_argument,
                     "the body needs \"keys\", or a \"prefix\" that ends in '/'");
    }
    if (auto ok = authorise(api, request.caller, Action::list_objects, name, *prefix); !ok) {
      co_return std::unexpected(ok.error());
    }
    auto below = co_await keys_below(api, name, *prefix);
    if (!below) co_return std::unexpected(below.error());
    keys = std::move(*below);
  }
  if (auto ok = authorise_delete(api, request.caller, name, keys); !ok) {
    co_return std::unexpected(ok.error());
  }
  std::uint64_t deleted = 0;
  json::array failed;
  for (std::size_t at = 0; at < keys.size(); at += page_keys) {
    std::vector<store::DeleteRequest> group;
    const auto end = std::min<std::size_t>(keys.size(), at + page_keys);
    for (std::size_t i = at; i < end; ++i) group.push_back({.bucket = name, .key = keys[i]});
    const auto answers = co_await api.parts().store.remove_many(std::move(group));
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (answers[i]) {
        ++deleted;
      } else {
        json::object row{{"message", answers[i].error().context}};
        set_key(row, "key", keys[at + i].value);
        failed.push_back(std::move(row));
      }
    }
  }
  co_return json::object{{"deleted", deleted}, {"failed", std::move(failed)}};
}

JsonAnswer post_rename(WebApi& api, ApiRequest request) {
  auto bucket = text_field(request.body, "bucket");
  auto from = text_field(request.body, "from");
  auto to = text_field(request.body, "to");
  if (!bucket || !from || !to || from->empty() || to->empty() ||
      from->ends_with('/') != to->ends_with('/') || to->starts_with(*from + "/")) {
    co_return fail(ErrorCode::invalid_argument,
                   "the body needs \"bucket\", \"from\" and \"to\": two keys, or two prefixes that "
                   "end in '/', the second not inside the first");
  }
  const BucketName name(*bucket);
  std::vector<ObjectKey> keys{ObjectKey(*from)};
  if (from->ends_with('/')) {
    auto below = co_await keys_below(api, name, *from);
    if (!below) co_return std::unexpected(below.error());
    keys = std::move(*below);
  }
  for (const auto& key : keys) {
    const std::string target = *to + key.value.substr(from->size());
    for (const auto& [action, path] :
         {std::pair(Action::read_object, key.value), std::pair(Action::delete_object, key.value),
          std::pair(Action::write_object, target)}) {
      if (auto ok = authorise(api, request.caller, action, name, path); !ok) {
        co_return std::unexpected(ok.error());
      }
    }
  }
  // Every copy is made before anything is removed: an error half-way leaves both, never neither.
  for (const auto& key : keys) {
    auto copied = co_await api.parts().store.copy(
        {.source_bucket = name,
         .source_key = key,
         .bucket = name,
         .key = ObjectKey(*to + key.value.substr(from->size())),
         .conditions = {.if_match = std::nullopt, .if_none_match_any = true}});
    if (!copied) co_return fail_within("rename to " + *to, copied.error());
  }
  for (const auto& key : keys) {
    auto removed = co_await api.parts().store.remove({.bucket = name, .key = key});
    if (!removed) co_return fail_within("rename from " + *from, removed.error());
  }
  co_return json::object{{"renamed", keys.size()}};
}

JsonAnswer post_folders(WebApi& api, ApiRequest request) {
  auto bucket = text_field(request.body, "bucket");
  auto prefix = text_field(request.body, "prefix");
  if (!bucket || !prefix || !prefix->ends_with('/')) {
    co_return fail(ErrorCode::invalid_argument,
                   "the body needs \"bucket\" and a \"prefix\" that ends in '/'");
  }
  const BucketName name(*bucket);
  if (auto ok = authorise(api, request.caller, Action::write_object, name, *prefix); !ok) {
    co_return std::unexpected(ok.error());
  }
  auto empty = make_string_reader({});
  auto made = co_await api.parts().store.put(
      {.bucket = name,
       .key = ObjectKey(*prefix),
       .conditions = {.if_match = std::nullopt, .if_none_match_any = true},
       .size = 0},
      *empty);
  if (!made) co_return std::unexpected(made.error());
  co_return json::object{{"prefix", *prefix}};
}

}  // namespace holdfast::gateway
