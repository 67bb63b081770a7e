#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "gateway/s3_attributes.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_own_uploads.h"
#include "gateway/s3_owner.h"
#include "s3/results.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

// What all listings share.
struct Page {
  std::string prefix, delimiter;
  std::uint32_t limit = 1000;
  bool url_encoded = false;
};

s3::ApiResult<Page> page_of(const S3Call& call, std::string_view limit_name) {
  Page page;
  page.prefix = call.query("prefix");
  page.delimiter = call.query("delimiter");
  const std::string_view encoding = call.query("encoding-type");
  if (!encoding.empty() && encoding != "url") {
    return s3::refuse(ApiError::invalid_argument, "Invalid Encoding Method specified in Request.");
  }
  page.url_encoded = encoding == "url";
  if (call.query(limit_name).empty()) return page;  // "max-keys=" means the default
  auto limit = number_of(call, limit_name, {0, 2'147'483'647, 1000});
  if (!limit) return std::unexpected(std::move(limit.error()));
  page.limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(*limit, 1000));
  return page;
}

// A page of none still needs its bucket.
boost::asio::awaitable<s3::ApiResult<void>> require_bucket(S3Call& call) {
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  co_return s3::ApiResult<void>();
}

s3::ListEntry entry_of(const store::ObjectInfo& info) {
  s3::ListEntry entry;
  entry.key = info.key.value;
  entry.version = info.version.value;
  entry.etag = info.etag.value;
  entry.size = info.size;
  entry.modified = info.modified;
  entry.latest = info.latest;
  entry.delete_marker = info.delete_marker;
  for (const auto& checksum : info.checksums) {
    entry.checksum_algorithms.push_back(to_api(checksum.algorithm));
    entry.checksum_type = to_string(checksum.type);
  }
  return entry;
}

// Tokens are the position itself, opaque to clients. They move within the prefix that was judged.
s3::ApiResult<std::string> position_of(const S3Call& call) {
  if (call.operation == Operation::list_objects) return std::string(call.query("marker"));
  // An empty token is none, as clients send it that always name one.
  if (call.query("continuation-token").empty()) return std::string(call.query("start-after"));
  const std::string_view token = call.query("continuation-token");
  auto position = from_base64url(token);
  if (!position || position->empty()) {
    return s3::refuse(ApiError::invalid_argument, "The continuation token provided is incorrect.");
  }
  return std::move(*position);
}

s3::ListResult echo_of(const S3Call& call, const Page& page) {
  s3::ListResult answer;
  answer.bucket = call.bucket().value;
  answer.prefix = page.prefix;
  answer.delimiter = page.delimiter;
  answer.max_keys = page.limit;
  answer.url_encoded = page.url_encoded;
  answer.marker = call.query("marker");
  if (call.target.query.has("continuation-token")) {
    answer.continuation_token = call.query("continuation-token");
  }
  answer.start_after = call.query("start-after");
  const bool first = call.operation == Operation::list_objects;
  if (first || call.query("fetch-owner") == "true") answer.owner = store_owner();
  return answer;
}

}  // namespace

S3Answer list_objects(S3Call& call) {
  auto page = page_of(call, "max-keys");
  if (!page) co_return std::unexpected(std::move(page.error()));
  auto position = position_of(call);
  if (!position) co_return std::unexpected(std::move(position.error()));
  s3::ListResult answer = echo_of(call, *page);
  if (page->limit == 0) {
    if (auto bucket = co_await require_bucket(call); !bucket) {
      co_return std::unexpected(std::move(bucket.error()));
    }
  } else {
    store::ListRequest request{call.bucket(), page->prefix, page->delimiter, *position,
                               page->limit};
    auto listed = sees_own_only(call) ? co_await list_own(call, request)
                                      : co_await call.store().list(request);
    if (!listed) co_return refuse_with(listed.error());
    answer.truncated = listed->truncated;
    answer.common_prefixes = std::move(listed->common_prefixes);
    answer.entries.reserve(listed->objects.size());
    for (const auto& object : listed->objects) answer.entries.push_back(entry_of(object));
    if (listed->truncated) {
      answer.next_marker = listed->next;
      answer.next_token = to_base64url(as_bytes(listed->next));
    }
  }
  const bool second = call.operation == Operation::list_objects_v2;
  S3Reply reply = xml_reply(second ? s3::write_list_v2(answer) : s3::write_list_v1(answer));
  reply.head.headers.add("x-amz-bucket-region", call.backend.options.hosts.region);
  co_return reply;
}

S3Answer list_versions(S3Call& call) {
  auto page = page_of(call, "max-keys");
  if (!page) co_return std::unexpected(std::move(page.error()));
  store::ListVersionsRequest request{
      call.bucket(), page->prefix, page->delimiter, std::string(call.query("key-marker")), {},
      page->limit};
  if (!call.query("version-id-marker").empty()) {
    if (request.key_marker.empty()) {
      co_return s3::refuse(ApiError::invalid_argument,
                           "A version-id marker cannot be specified without a key marker.");
    }
    request.version_marker = VersionId(std::string(call.query("version-id-marker")));
  }
  s3::ListVersionsResult answer;
  answer.bucket = call.bucket().value;
  answer.prefix = page->prefix;
  answer.delimiter = page->delimiter;
  answer.key_marker = request.key_marker;
  answer.version_marker = call.query("version-id-marker");
  answer.max_keys = page->limit;
  answer.url_encoded = page->url_encoded;
  answer.owner = store_owner();
  if (page->limit == 0) {
    if (auto bucket = co_await require_bucket(call); !bucket) {
      co_return std::unexpected(std::move(bucket.error()));
    }
    co_return xml_reply(s3::write_list_versions(answer));
  }
  auto listed = co_await call.store().list_versions(std::move(request));
  if (!listed) co_return refuse_with(listed.error());
  answer.truncated = listed->truncated;
  answer.common_prefixes = std::move(listed->common_prefixes);
  for (const auto& version : listed->versions) answer.entries.push_back(entry_of(version));
  if (listed->truncated) {
    answer.next_key_marker = listed->next_key;
    answer.next_version_marker = listed->next_version.value;
  }
  co_return xml_reply(s3::write_list_versions(answer));
}

S3Answer list_uploads(S3Call& call) {
  auto page = page_of(call, "max-uploads");
  if (!page) co_return std::unexpected(std::move(page.error()));
  store::ListUploadsRequest request;
  request.bucket = call.bucket();
  request.prefix = page->prefix;
  request.delimiter = page->delimiter;
  request.key_marker = call.query("key-marker");
  if (!request.key_marker.empty()) request.upload_marker = call.query("upload-id-marker");
  request.max_uploads = page->limit;
  s3::ListUploadsResult answer;
  answer.bucket = call.bucket().value;
  answer.prefix = page->prefix;
  answer.delimiter = page->delimiter;
  answer.key_marker = request.key_marker;
  answer.upload_marker = request.upload_marker;
  answer.max_uploads = page->limit;
  answer.url_encoded = page->url_encoded;
  answer.owner = store_owner();
  if (page->limit == 0) {
    if (auto bucket = co_await require_bucket(call); !bucket) {
      co_return std::unexpected(std::move(bucket.error()));
    }
    co_return xml_reply(s3::write_list_uploads(answer));
  }
  auto listed = sees_own_only(call) ? co_await list_own_uploads(call, request)
                                    : co_await call.store().list_uploads(request);
  if (!listed) co_return refuse_with(listed.error());
  answer.truncated = listed->truncated;
  answer.common_prefixes = std::move(listed->common_prefixes);
  for (const auto& upload : listed->uploads) {
    s3::UploadEntry entry{upload.key.value, upload.upload.value, upload.started, {}, {}};
    if (upload.checksum) {
      entry.checksum_algorithm = to_api(*upload.checksum);
      entry.checksum_type = to_string(upload.checksum_type);
    }
    entry.initiator = initiator_of(upload.uploader);
    answer.uploads.push_back(std::move(entry));
  }
  if (listed->truncated) {
    answer.next_key_marker = listed->next_key;
    answer.next_upload_marker = listed->next_upload;
  }
  co_return xml_reply(s3::write_list_uploads(answer));
}

}  // namespace holdfast::gateway
