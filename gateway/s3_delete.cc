#include <utility>

#include "gateway/s3_attributes.h"
#include "gateway/s3_authorization.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_payload.h"
#include "s3/results.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::size_t document_limit = 2u << 20;  // 1,000 keys of 1,024 bytes, escaped

bool bypasses_governance(const S3Call& call) {
  return s3::equal_ascii_case(call.header("x-amz-bypass-governance-retention"), "true");
}

// The body says what is deleted: without a digest a flipped bit deletes something else.
bool has_digest(const S3Call& call) {
  if (call.has_header("content-md5") || call.has_header("x-amz-trailer")) return true;
  for (const auto& header : call.request().headers.items()) {
    if (s3::from_checksum_header(s3::ascii_lower(header.name))) return true;
  }
  return false;
}

boost::asio::awaitable<s3::ApiResult<void>> judge_entry(const S3Call& call,
                                                        const s3::DeleteEntry& entry) {
  using s3::PolicyAction;
  const bool old = entry.version.has_value();
  std::vector<Need> needs;
  needs.push_back({old ? control::Action::delete_version : control::Action::delete_object,
                   call.bucket(), entry.key,
                   old ? PolicyAction::delete_object_version : PolicyAction::delete_object,
                   entry.version, false, nullptr});
  if (bypasses_governance(call)) {
    needs.push_back({control::Action::bypass_governance, call.bucket(), entry.key,
                     PolicyAction::bypass_governance_retention, entry.version, false, nullptr});
  }
  if (auto tags = co_await add_object_facts(call, needs); !tags) co_return tags;
  co_return judge(call, needs);
}

s3::DeletedEntry failed(const s3::DeleteEntry& entry, const s3::ApiFailure& failure) {
  const auto& info = s3::describe(failure.error);
  s3::DeletedEntry answer;
  answer.key = entry.key;
  answer.version = entry.version;
  answer.error_code = info.code;
  answer.error_message = failure.message.empty() ? std::string(info.message) : failure.message;
  return answer;
}

s3::DeletedEntry deleted(const s3::DeleteEntry& entry, const store::DeleteResult& result) {
  s3::DeletedEntry answer;
  answer.key = entry.key;
  answer.version = entry.version;
  answer.delete_marker = result.delete_marker;
  if (result.delete_marker) answer.marker_version = result.version.value;
  return answer;
}

// REQUIRES: the entry was judged.
s3::ApiResult<store::DeleteRequest> request_of(const S3Call& call, const s3::DeleteEntry& entry) {
  if (entry.key.size() > s3::max_key_bytes) return s3::refuse(ApiError::key_too_long);
  if (!s3::validate_key(entry.key)) return s3::refuse(ApiError::invalid_argument);
  store::DeleteRequest request;
  request.bucket = call.bucket();
  request.key = ObjectKey(entry.key);
  if (entry.version) request.version = VersionId(*entry.version);
  if (entry.etag) request.conditions.if_match = ETag(s3::unquote_etag(*entry.etag));
  request.conditions.if_modified_at = entry.modified;
  request.conditions.if_size = entry.size;
  request.bypass_governance = bypasses_governance(call);
  return request;
}

}  // namespace

S3Answer delete_object(S3Call& call) {
  store::DeleteRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  request.version = call.version();
  auto conditions = removal_conditions(call);
  if (!conditions) co_return std::unexpected(std::move(conditions.error()));
  request.conditions = std::move(*conditions);
  request.bypass_governance = bypasses_governance(call);
  auto result = co_await call.store().remove(std::move(request));
  if (!result) co_return refuse_with(result.error());
  S3Reply reply = empty_reply(204);
  if (result->delete_marker) reply.head.headers.add("x-amz-delete-marker", "true");
  if (!result->version.empty()) {
    reply.head.headers.add("x-amz-version-id", result->version.value);
  }
  co_return reply;
}

S3Answer delete_objects(S3Call& call) {
  if (!has_digest(call)) {
    co_return s3::refuse(ApiError::invalid_request,
                         "Missing required header for this request: Content-MD5 or "
                         "x-amz-checksum-*.");
  }
  auto text = co_await read_document(call, document_limit);
  if (!text) co_return std::unexpected(std::move(text.error()));
  auto document = s3::parse_delete_objects(*text);
  if (!document) co_return std::unexpected(std::move(document.error()));
  std::vector<store::DeleteRequest> requests;
  std::vector<s3::DeletedEntry> answers(document->entries.size());
  std::vector<std::size_t> places;  // of each request among the entries
  for (std::size_t i = 0; i < document->entries.size(); ++i) {
    auto good = co_await judge_entry(call, document->entries[i]);
    if (!good) {
      answers[i] = failed(document->entries[i], good.error());
      continue;
    }
    auto request = request_of(call, document->entries[i]);
    if (request) {
      requests.push_back(std::move(*request));
      places.push_back(i);
    } else {
      answers[i] = failed(document->entries[i], request.error());
    }
  }
  if (!requests.empty()) {
    const auto results = co_await call.store().remove_many(std::move(requests));
    for (std::size_t i = 0; i < results.size() && i < places.size(); ++i) {
      const s3::DeleteEntry& entry = document->entries[places[i]];
      if (!results[i] && results[i].error().code == ErrorCode::no_such_bucket) {
        co_return s3::refuse(ApiError::no_such_bucket);
      }
      answers[places[i]] =
          results[i] ? deleted(entry, *results[i]) : failed(entry, to_failure(results[i].error()));
    }
  }
  co_return xml_reply(s3::write_delete_result(answers, document->quiet));
}

}  // namespace holdfast::gateway
