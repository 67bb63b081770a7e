#include <fmt/format.h>

#include "base/encoding.h"
#include "gateway/s3_acl_request.h"
#include "gateway/s3_attributes.h"
#include "gateway/s3_authorization.h"
#include "gateway/s3_encryption.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_payload.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

s3::ApiResult<store::GetRequest> get_request_of(const S3Call& call) {
  store::GetRequest request{call.bucket(), call.key(), call.version(), {}, {}, {}};
  if (call.has_header("range")) {
    if (const auto range = s3::parse_range(call.header("range"))) {
      request.range = store::ByteRange{range->first, range->last, range->suffix};
    }
  }
  if (call.target.query.has("partNumber")) {
    if (request.range) {
      return s3::refuse(ApiError::invalid_request,
                        "Cannot specify both Range header and partNumber query parameter.");
    }
    auto number = number_of(call, "partNumber", {1, 10'000, 1});
    if (!number) return std::unexpected(std::move(number.error()));
    request.part_number = static_cast<std::uint32_t>(*number);
  }
  auto conditions = read_conditions(call, "");
  if (!conditions) return std::unexpected(std::move(conditions.error()));
  request.conditions = std::move(*conditions);
  return request;
}

// RFC 9110 section 13.1.5: a range counts only while the object is the one that the client knows.
bool range_holds(std::string_view if_range, const store::ObjectInfo& info) {
  if (if_range.starts_with("W/")) return false;
  if (if_range.starts_with('"')) return s3::unquote_etag(if_range) == info.etag.value;
  const auto date = from_http_date(if_range);
  return date && std::chrono::floor<std::chrono::seconds>(info.modified) ==
                     std::chrono::floor<std::chrono::seconds>(*date);
}

// A key that is hidden by a delete marker says so, and says which.
boost::asio::awaitable<void> tell_of_marker(S3Call& call, ErrorCode code) {
  if (code == ErrorCode::method_not_allowed) {
    call.failure_headers.add("x-amz-delete-marker", "true");
    if (const auto version = call.version()) {
      call.failure_headers.add("x-amz-version-id", version->value);
    }
    co_return;
  }
  auto newest = co_await call.store().list_versions(
      {call.bucket(), call.key().value, {}, {}, std::nullopt, 1});
  if (!newest || newest->versions.empty()) co_return;
  const store::ObjectInfo& info = newest->versions.front();
  if (info.key != call.key() || !info.latest || !info.delete_marker) co_return;
  call.failure_headers.add("x-amz-delete-marker", "true");
  call.failure_headers.add("x-amz-version-id", info.version.value);
}

// The answers that carry headers of the object although it is not sent.
S3Answer explain_get(S3Call& call, store::GetRequest request, Error error) {
  if (error.code == ErrorCode::not_modified) {
    request.conditions = {};
    request.range.reset();
    auto found = co_await call.store().head(std::move(request));
    if (!found) co_return refuse_with(found.error());
    if (auto open = judge_found(call, found->info); !open) {
      co_return std::unexpected(std::move(open.error()));
    }
    S3Reply reply = empty_reply(304);
    reply.head.headers.add("ETag", s3::quote_etag(found->info.etag.value));
    reply.head.headers.add("Last-Modified", to_http_date(found->info.modified));
    if (!found->info.attributes.cache_control.empty()) {
      reply.head.headers.add("Cache-Control", found->info.attributes.cache_control);
    }
    co_return reply;
  }
  if (error.code == ErrorCode::no_such_key || error.code == ErrorCode::method_not_allowed) {
    co_await tell_of_marker(call, error.code);
  }
  co_return refuse_with(error);
}

// The object's checksum belongs to the whole; a part that is asked for by number has its own.
void add_checksums_of_answer(net::Headers& headers, const store::GetResult& result,
                             const store::GetRequest& request) {
  const store::ObjectInfo& info = result.info;
  if (!result.partial) return add_checksum_headers(headers, info.checksums, info.part_sizes.size());
  if (!request.part_number || *request.part_number > info.part_checksums.size()) return;
  add_checksum_headers(headers, {info.part_checksums[*request.part_number - 1]}, 0);
  if (info.checksums.empty()) return;
  headers.set("x-amz-checksum-type", to_string(info.checksums.front().type));
}

void add_range_headers(net::ResponseHead& head, const store::GetResult& result,
                       const store::GetRequest& request) {
  if (!result.partial) return;
  head.status = 206;
  const std::uint64_t last = result.length == 0 ? result.first : result.first + result.length - 1;
  head.headers.add("Content-Range",
                   fmt::format("bytes {}-{}/{}", result.first, last, result.info.size));
  if (request.part_number && !result.info.part_sizes.empty()) {
    head.headers.add("x-amz-mp-parts-count", std::to_string(result.info.part_sizes.size()));
  }
}

boost::asio::awaitable<void> add_expiration(S3Call& call, net::Headers& headers,
                                            const store::ObjectInfo& info) {
  auto value = co_await call.backend.expirations.header(call.bucket(), info);
  if (!value.empty()) headers.add("x-amz-expiration", std::move(value));
}

}  // namespace

S3Answer get_object(S3Call& call) {
  auto request = get_request_of(call);
  if (!request) co_return std::unexpected(std::move(request.error()));
  if (request->range && call.has_header("if-range")) {
    store::GetRequest known = *request;
    known.range.reset();
    auto present = co_await call.store().head(std::move(known));
    if (present && !range_holds(call.header("if-range"), present->info)) request->range.reset();
  }
  const bool head_only = call.operation == Operation::head_object;
  auto result =
      head_only ? co_await call.store().head(*request) : co_await call.store().get(*request);
  if (!result) co_return co_await explain_get(call, std::move(*request), result.error());
  if (auto open = judge_found(call, result->info); !open) {
    co_return std::unexpected(std::move(open.error()));
  }
  S3Reply reply;
  add_object_headers(reply.head.headers, result->info);
  tell_encryption_of_kept(reply.head.headers, call);
  if (auto good = apply_overrides(reply.head.headers, call.target.query); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  if (request->version) {
    reply.head.headers.set("x-amz-version-id", result->info.version.value);
  } else if (!call.backend.expirations.known_to_end_nothing(call.bucket())) {
    co_await add_expiration(call, reply.head.headers, result->info);
  }
  if (s3::equal_ascii_case(call.header("x-amz-checksum-mode"), "ENABLED")) {
    add_checksums_of_answer(reply.head.headers, *result, *request);
  }
  add_range_headers(reply.head, *result, *request);
  // Objects are users' bytes: a browser may neither guess a type nor run anything in our origin.
  reply.head.headers.add("X-Content-Type-Options", "nosniff");
  reply.head.headers.add("Content-Security-Policy", "sandbox");
  reply.length = result->length;
  reply.body = std::move(result->body);
  co_return reply;
}

S3Answer put_object(S3Call& call) {
  if (auto good = check_write_headers(call); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  auto attributes = attributes_of(call);
  if (!attributes) co_return std::unexpected(std::move(attributes.error()));
  auto conditions = write_conditions(call);
  if (!conditions) co_return std::unexpected(std::move(conditions.error()));
  auto retention = retention_of(call);
  if (!retention) co_return std::unexpected(std::move(retention.error()));
  auto acl = co_await acl_to_keep(call);
  if (!acl) co_return std::unexpected(std::move(acl.error()));
  auto upload = open_upload(call, call.backend.options.max_put_bytes);
  if (!upload) co_return std::unexpected(std::move(upload.error()));
  store::PutRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  std::map<std::string, std::string> tags = attributes->tags;
  request.attributes = std::move(*attributes);
  request.conditions = std::move(*conditions);
  request.size = upload->size;
  request.md5 = upload->md5;
  request.expected = upload->expected;
  request.compute = upload->compute;
  request.retention = *retention;
  request.uploader = call.identity.principal.value;
  request.acl = std::move(*acl);
  auto result = co_await call.store().put(std::move(request), *upload->body);
  if (!result) co_return std::unexpected(upload->explain(result.error()));
  S3Reply reply = empty_reply(200);
  reply.head.headers.add("ETag", s3::quote_etag(result->etag.value));
  add_written_version(reply.head.headers, result->version);
  tell_encryption_of_new(reply.head.headers, call);
  add_checksum_headers(reply.head.headers, result->checksums, 0);
  if (!call.backend.expirations.known_to_end_nothing(call.bucket())) {
    store::ObjectInfo written;
    written.key = call.key();
    written.size = result->size;
    written.modified = result->modified;
    written.attributes.tags = std::move(tags);
    co_await add_expiration(call, reply.head.headers, written);
  }
  co_return reply;
}

}  // namespace holdfast::gateway
