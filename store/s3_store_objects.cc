#include <map>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "s3/checksum.h"
#include "s3/headers.h"
#include "s3/messages.h"
#include "s3/results.h"
#include "store/body_intake.h"
#include "store/checksum_names.h"
#include "store/conditions.h"
#include "store/s3_bodies.h"
#include "store/s3_client.h"
#include "store/s3_headers.h"
#include "store/s3_store.h"

namespace holdfast::store {
namespace {

VersionId version_of(const net::Headers& headers) {
  return VersionId(std::string(headers.get("x-amz-version-id")));
}

PutResult put_result(const net::Headers& headers, std::uint64_t size, const Clock& clock) {
  PutResult result{.etag = etag_of(headers), .version = version_of(headers)};
  result.modified = from_http_date(headers.get("Date")).value_or(clock.now());
  result.size = size;
  result.checksums = checksums_of(headers);
  return result;
}

// What one PUT can carry: S3 takes one checksum beside the MD5.
IntakeRules intake_rules(const PutRequest& request, bool checksums) {
  IntakeRules rules{request.size, request.md5, request.expected, request.compute};
  if (checksums && rules.expected.empty() && rules.compute.empty()) {
    rules.compute = {ChecksumAlgorithm::crc64nvme};
  }
  return rules;
}

S3Call object_call(std::string method, const BucketName& bucket, const ObjectKey& key,
                   const std::optional<VersionId>& version) {
  S3Call call{.method = std::move(method), .bucket = bucket, .key = key.value};
  add_version(call.query, version);
  return call;
}

Result<void> check_stored(const PutResult& result, const std::string& md5_hex) {
  if (!is_md5_etag(result.etag.value) || result.etag.value == md5_hex) return {};
  return fail(ErrorCode::checksum_mismatch,
              "the store holds other bytes than were sent: ETag {}, MD5 {}", result.etag.value,
              md5_hex);
}

bool whole_read(const GetRequest& request) { return !request.range && !request.part_number; }

S3Call read_call(std::string method, const GetRequest& request) {
  S3Call call = object_call(std::move(method), request.bucket, request.key, request.version);
  if (request.part_number) {
    call.query.emplace_back("partNumber", std::to_string(*request.part_number));
  }
  if (request.range) call.headers.emplace_back("range", range_value(*request.range));
  if (whole_read(request)) call.headers.emplace_back("x-amz-checksum-mode", "ENABLED");
  add_conditions(call.headers, request.conditions, "");
  return call;
}

Result<GetResult> read_result(const net::ClientResponse& response, const GetRequest& request) {
  auto info = info_of(response.headers, request.key);
  if (!info) {
    return fail(ErrorCode::malformed, "the store's answer for {} lacks a length",
                log_field(request.key.value));
  }
  GetResult result{std::move(*info), 0, 0, response.status == 206, std::string()};
  result.length = result.info.size;
  const auto range = parse_content_range(response.headers.get("Content-Range"));
  if (result.partial && range) {
    result.first = range->first;
    result.length = range->last - range->first + 1;
  }
  return result;
}

// What some endpoints do with it is to ignore it, so it is not sent.
Result<void> check_range(const GetRequest& request) {
  if (!request.range || request.range->suffix != 0) return {};
  return fail(ErrorCode::invalid_range, "the last 0 bytes of {} are no range",
              log_field(request.key.value));
}

// An endpoint that does not know part numbers answers with the whole object.
Result<void> check_part(const net::ClientResponse& response, const GetRequest& request,
                        const ObjectInfo& info) {
  if (!request.part_number || response.status == 206) return {};
  if (*request.part_number == 1 && is_md5_etag(info.etag.value)) return {};
  return fail(ErrorCode::not_supported, "the store gives no single parts of {}",
              log_field(request.key.value));
}

bool has_tags(const net::Headers& headers) {
  return s3::parse_u64(headers.get("x-amz-tagging-count")).value_or(0) > 0;
}

}  // namespace

Async<PutResult> S3Store::put(PutRequest request, BodyReader& body) {
  if (auto plain = refuse_acl(request.acl); !plain) co_return std::unexpected(plain.error());
  if (auto valid = s3::validate_key(request.key.value); !valid) {
    co_return std::unexpected(valid.error());
  }
  if (!request.size) request.size = body.size();
  if (!request.size) co_return co_await put_unsized(std::move(request), body);

  S3Call call = object_call("PUT", request.bucket, request.key, std::nullopt);
  add_attributes(call.headers, request.attributes);
  add_conditions(call.headers, request.conditions);
  add_retention(call.headers, request.retention);
  const std::uint64_t size = *request.size;
  if (size <= client_->options().buffered_bytes) {
    auto taken = co_await take_body(body, intake_rules(request, client_->options().checksums));
    if (!taken) co_return std::unexpected(taken.error());
    add_checksums(call.headers, taken->checksums);
    call.body = std::move(taken->bytes);
    const std::string md5 = to_hex(as_bytes(taken->md5));
    auto answer = co_await client_->ask(std::move(call));
    if (!answer) co_return std::unexpected(answer.error());
    auto result = put_result(answer->headers, size, client_->clock());
    if (auto same = check_stored(result, md5); !same) co_return std::unexpected(same.error());
    co_return result;
  }
  add_checksums(call.headers, request.expected);
  if (request.md5) {
    call.headers.emplace_back("content-md5", to_base64(as_bytes(*request.md5)));
  }
  UploadReader reader(body, UploadRules{size, request.md5, request.expected});
  call.stream = &reader;
  call.stream_bytes = size;
  auto answer = co_await client_->ask(std::move(call));
  if (reader.failure()) co_return std::unexpected(*reader.failure());
  if (!answer) co_return std::unexpected(answer.error());
  auto result = put_result(answer->headers, size, client_->clock());
  auto same = check_stored(result, reader.md5_hex());
  if (!same) co_return std::unexpected(same.error());
  co_return result;
}

// S3 takes one tag a condition; of several the one that is there is found first, and then named.
Async<void> S3Store::settle_conditions(GetRequest& request) {
  ReadConditions& conditions = request.conditions;
  if (conditions.if_match.size() < 2 && conditions.if_none_match.size() < 2) {
    co_return Result<void>();
  }
  GetRequest named{.bucket = request.bucket, .key = request.key, .version = request.version};
  auto present = co_await head(std::move(named));
  if (!present) co_return std::unexpected(present.error());
  if (auto good = check_read(conditions, present->info); !good) co_return good;
  conditions = {.if_match = {present->info.etag}};
  co_return Result<void>();
}

Async<GetResult> S3Store::get(GetRequest request) {
  if (auto good = check_range(request); !good) co_return std::unexpected(good.error());
  if (auto good = co_await settle_conditions(request); !good) {
    co_return std::unexpected(good.error());
  }
  const bool whole = whole_read(request);
  auto response = co_await client_->send(read_call("GET", request));
  if (!response) co_return std::unexpected(response.error());
  auto result = read_result(*response, request);
  if (!result) co_return result;
  if (auto good = check_part(*response, request, result->info); !good) {
    co_return std::unexpected(good.error());
  }
  const bool verify = whole && client_->options().verify_reads;
  result->body =
      make_verifying_reader(std::move(response->body), result->info, result->length, verify);
  if (has_tags(response->headers)) {
    auto tags = co_await tags_of(request.bucket, request.key, request.version);
    if (!tags) co_return std::unexpected(tags.error());
    result->info.attributes.tags = std::move(*tags);
  }
  co_return result;
}

Async<GetResult> S3Store::head(GetRequest request) {
  if (auto good = check_range(request); !good) co_return std::unexpected(good.error());
  if (auto good = co_await settle_conditions(request); !good) {
    co_return std::unexpected(good.error());
  }
  auto response = co_await client_->send(read_call("HEAD", request));
  if (!response) co_return std::unexpected(response.error());
  auto result = read_result(*response, request);
  if (result) {
    auto good = check_part(*response, request, result->info);
    if (!good) co_return std::unexpected(good.error());
  }
  if (!result || !has_tags(response->headers)) co_return result;
  auto tags = co_await tags_of(request.bucket, request.key, request.version);
  if (!tags) co_return std::unexpected(tags.error());
  result->info.attributes.tags = std::move(*tags);
  co_return result;
}

Async<DeleteResult> S3Store::remove(DeleteRequest request) {
  if (request.if_latest) co_return fail(ErrorCode::not_supported, "S3 has no such condition");
  if (auto valid = s3::validate_key(request.key.value); !valid) {
    co_return std::unexpected(valid.error());
  }
  S3Call call = object_call("DELETE", request.bucket, request.key, request.version);
  add_conditions(call.headers, request.conditions);
  if (request.bypass_governance) {
    call.headers.emplace_back("x-amz-bypass-governance-retention", "true");
  }
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) {
    // A version that is already gone was removed, whatever an endpoint makes of it.
    if (answer.error().code == ErrorCode::no_such_version && !request.conditions.if_match) {
      co_return DeleteResult{.version = *request.version};
    }
    co_return std::unexpected(answer.error());
  }
  DeleteResult result{.version = version_of(answer->headers)};
  result.delete_marker = s3::equal_ascii_case(answer->headers.get("x-amz-delete-marker"), "true");
  co_return result;
}

Async<std::map<std::string, std::string>> S3Store::tags_of(BucketName bucket, ObjectKey key,
                                                           std::optional<VersionId> version) {
  S3Call call = object_call("GET", bucket, key, version);
  call.query.emplace_back("tagging", "");
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  auto tags = s3::parse_tagging(answer->text);
  if (!tags) co_return std::unexpected(s3::to_error(tags.error()));
  co_return std::move(*tags);
}

Async<void> S3Store::set_tags(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                              std::map<std::string, std::string> tags) {
  // None as an empty set: Ceph's gateway answers DELETE with success and keeps the tags.
  S3Call call = object_call("PUT", bucket, key, version);
  call.query.emplace_back("tagging", "");
  call.body = s3::write_tagging(tags);
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

// Who else may read is the other side's own business: what it would make of our words is not ours
// to promise. That there is nobody else is what it does by itself.
Async<void> S3Store::set_acl(BucketName bucket, ObjectKey key, std::optional<VersionId> version,
                             std::string acl) {
  if (auto plain = refuse_acl(acl); !plain) co_return std::unexpected(plain.error());
  auto found = co_await head({std::move(bucket), std::move(key), std::move(version), {}, {}, {}});
  if (!found) co_return std::unexpected(found.error());
  co_return Result<void>();
}

Async<void> S3Store::set_lock(LockRequest request) {
  if (request.period) {
    S3Call call = object_call("PUT", request.bucket, request.key, request.version);
    call.query.emplace_back("retention", "");
    call.body = s3::write_retention(
        {std::string(retention_name(request.period->mode)), request.period->until});
    if (request.bypass_governance) {
      call.headers.emplace_back("x-amz-bypass-governance-retention", "true");
    }
    auto answer = co_await client_->ask(std::move(call));
    if (!answer) co_return std::unexpected(answer.error());
  }
  if (request.legal_hold) {
    S3Call call = object_call("PUT", request.bucket, request.key, request.version);
    call.query.emplace_back("legal-hold", "");
    call.body = s3::write_legal_hold(*request.legal_hold);
    auto answer = co_await client_->ask(std::move(call));
    if (!answer) co_return std::unexpected(answer.error());
  }
  co_return Result<void>();
}

}  // namespace holdfast::store
