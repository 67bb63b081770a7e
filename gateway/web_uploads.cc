// Parallel multipart uploads of the console: made and completed here, the bytes go to signed URLs.
#include <algorithm>

#include "base/log.h"
#include "gateway/web_direct.h"
#include "gateway/web_request.h"
#include "gateway/web_routes.h"

namespace holdfast::gateway {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using control::Action;

constexpr std::uint64_t mebibyte = 1024 * 1024;
constexpr std::uint64_t largest_object = 5ull << 40;  // AWS: 5 TiB

// At most 10,000 parts of at least 8 MiB, in whole MiB.
std::uint64_t part_bytes(std::uint64_t size) {
  const std::uint64_t least = (size + 9'999) / 10'000;
  return std::max<std::uint64_t>(8 * mebibyte, (least + mebibyte - 1) / mebibyte * mebibyte);
}

struct UploadTarget {
  BucketName bucket;
  ObjectKey key;
  UploadId upload;
};

// Whether a grant lets the caller write there, so that uploads of others are theirs to handle too.
// A drop grant, a policy or an ACL does not (gateway/s3_own_uploads.h).
control::Decision grant_of(WebApi& api, const Caller& caller, const UploadTarget& target) {
  control::AccessRequest request;
  request.principal = caller.actor.principal;
  request.action = Action::write_object;
  request.bucket = target.bucket;
  request.path = target.key.value;
  request.now = api.parts().clock.now();
  return api.parts().policy.current()->decide(request);
}

asio::awaitable<Result<void>> require_own_upload(WebApi& api, Caller caller, UploadTarget target) {
  if (caller.actor.kind != control::Actor::Kind::principal) co_return Result<void>();
  const auto grant = grant_of(api, caller, target);
  const bool dropped = grant.allowed && grant.level == control::Level::drop;
  if (grant.allowed && !dropped) co_return Result<void>();
  store::ListPartsRequest request{
      .bucket = target.bucket, .key = target.key, .upload = target.upload, .max_parts = 0};
  auto found = co_await api.parts().store.list_parts(std::move(request));
  if (!found) co_return std::unexpected(found.error());
  const std::string& uploader = found->upload.uploader;
  if (uploader == caller.actor.principal.value) co_return Result<void>();
  if (uploader.empty() && !dropped) co_return Result<void>();  // stores of others do not tell
  co_return fail(ErrorCode::no_such_upload, "{} began no such upload in {}",
                 caller.actor.principal.value, target.bucket.value);
}

// The target of a running upload that the caller may write to and handle.
asio::awaitable<Result<UploadTarget>> upload_target(WebApi& api, const ApiRequest& request) {
  auto bucket = text_field(request.body, "bucket");
  auto key = key_field(request.body);
  auto upload = text_field(request.body, "upload_id");
  if (!bucket) co_return std::unexpected(bucket.error());
  if (!key) co_return std::unexpected(key.error());
  if (!upload) co_return std::unexpected(upload.error());
  UploadTarget target{BucketName(*bucket), *key, UploadId(*upload)};
  auto allowed =
      authorise(api, request.caller, Action::write_object, target.bucket, target.key.value);
  if (!allowed) co_return std::unexpected(allowed.error());
  auto own = co_await require_own_upload(api, request.caller, target);
  if (!own) co_return std::unexpected(own.error());
  co_return target;
}

}  // namespace

JsonAnswer post_uploads(WebApi& api, ApiRequest request) {
  auto bucket = text_field(request.body, "bucket");
  auto key = key_field(request.body);
  auto size = number_field(request.body, "size");
  if (!bucket) co_return std::unexpected(bucket.error());
  if (!key) co_return std::unexpected(key.error());
  if (!size) co_return std::unexpected(size.error());
  if (*size > largest_object) {
    co_return fail(ErrorCode::entity_too_large, "an object holds at most 5 TiB");
  }
  store::CreateUploadRequest create{.bucket = BucketName(*bucket), .key = *key};
  if (auto ok = authorise(api, request.caller, Action::write_object, create.bucket, key->value);
      !ok) {
    co_return std::unexpected(ok.error());
  }
  create.uploader = request.caller.actor.principal.value;
  create.attributes.content_type = text_field_or(request.body, "content_type", "");
  if (const auto* metadata = request.body.if_contains("metadata");
      metadata != nullptr && metadata->is_object()) {
    for (const auto& [name, value] : metadata->get_object()) {
      if (value.is_string()) create.attributes.metadata[name] = value.get_string();
    }
  }
  auto upload = co_await api.parts().store.create_upload(create);
  if (!upload) co_return std::unexpected(upload.error());
  const auto bytes = part_bytes(*size);
  co_return json::object{{"upload_id", upload->value},
                         {"part_bytes", bytes},
                         {"parts", std::max<std::uint64_t>(1, (*size + bytes - 1) / bytes)}};
}

JsonAnswer post_uploads_sign(WebApi& api, ApiRequest request) {
  auto target = co_await upload_target(api, request);
  if (!target) co_return std::unexpected(target.error());
  const auto* numbers = request.body.if_contains("numbers");
  if (numbers == nullptr || !numbers->is_array() || numbers->get_array().size() > 100) {
    co_return fail(ErrorCode::invalid_argument, "\"numbers\" takes up to 100 part numbers");
  }
  const WayQuestion question{Transfer::part, Action::write_object, target->bucket, target->key};
  auto way = co_await choose_way(api, request, question);
  if (!way) co_return std::unexpected(way.error());
  json::object urls;
  for (const auto& value : numbers->get_array()) {
    boost::system::error_code error;
    const auto number = value.to_number<std::uint32_t>(error);
    if (error || number < 1 || number > 10'000) {
      co_return fail(ErrorCode::invalid_argument, "part numbers go from 1 to 10,000");
    }
    const UrlRequest part{
        "PUT",
        target->bucket,
        target->key,
        {{"partNumber", std::to_string(number)}, {"uploadId", target->upload.value}},
        {}};
    urls[std::to_string(number)] = url_by(api, *way, part);
  }
  audit_way(api, request.caller, *way, question,
            {{"method", "PUT"}, {"upload", log_field(target->upload.value)}, {"parts", *numbers}});
  json::object answer{{"urls", std::move(urls)}};
  add_way(answer, api, *way);
  co_return answer;
}

JsonAnswer post_uploads_parts(WebApi& api, ApiRequest request) {
  auto target = co_await upload_target(api, request);
  if (!target) co_return std::unexpected(target.error());
  json::array parts;
  std::uint32_t marker = 0;
  for (;;) {
    auto page = co_await api.parts().store.list_parts({.bucket = target->bucket,
                                                       .key = target->key,
                                                       .upload = target->upload,
                                                       .part_marker = marker});
    if (!page) co_return std::unexpected(page.error());
    for (const auto& part : page->parts) {
      parts.push_back(
          json::object{{"number", part.number}, {"etag", part.etag.value}, {"size", part.size}});
      marker = part.number;
    }
    if (!page->truncated) break;
  }
  co_return json::object{{"parts", std::move(parts)}};
}

JsonAnswer post_uploads_complete(WebApi& api, ApiRequest request) {
  auto target = co_await upload_target(api, request);
  if (!target) co_return std::unexpected(target.error());
  store::CompleteRequest complete{
      .bucket = target->bucket, .key = target->key, .upload = target->upload};
  complete.conditions.if_none_match_any = flag_field(request.body, "if_none_match", Otherwise::no);
  const auto* parts = request.body.if_contains("parts");
  if (parts == nullptr || !parts->is_array() || parts->get_array().size() > 10'000) {
    co_return fail(ErrorCode::invalid_argument,
                   "\"parts\" takes up to 10,000 of {{\"number\", \"etag\"}}");
  }
  for (const auto& part : parts->get_array()) {
    if (!part.is_object()) {
      co_return fail(ErrorCode::invalid_argument, "a part is {{\"number\", \"etag\"}}");
    }
    auto number = number_field(part.get_object(), "number");
    auto etag = text_field(part.get_object(), "etag");
    if (!number) co_return std::unexpected(number.error());
    if (!etag) co_return std::unexpected(etag.error());
    std::string bare = *etag;
    std::erase(bare, '"');
    complete.parts.push_back({static_cast<std::uint32_t>(*number), ETag(bare), {}});
  }
  auto done = co_await api.parts().store.complete_upload(complete);
  if (!done) co_return std::unexpected(done.error());
  co_return json::object{{"etag", done->etag.value}, {"version", done->version.value}};
}

JsonAnswer post_uploads_abort(WebApi& api, ApiRequest request) {
  auto target = co_await upload_target(api, request);
  if (!target) co_return std::unexpected(target.error());
  auto done = co_await api.parts().store.abort_upload(target->bucket, target->key, target->upload);
  if (!done) co_return std::unexpected(done.error());
  co_return json::object{};
}

}  // namespace holdfast::gateway
