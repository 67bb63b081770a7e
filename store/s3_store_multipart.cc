#include <span>
#include <utility>

#include "base/encoding.h"
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

S3Call upload_call(std::string method, const BucketName& bucket, const ObjectKey& key,
                   const UploadId& upload) {
  S3Call call{.method = std::move(method), .bucket = bucket, .key = key.value};
  call.query.emplace_back("uploadId", upload.value);
  return call;
}

S3Call part_call(const BucketName& bucket, const ObjectKey& key, const UploadId& upload,
                 std::uint32_t number) {
  S3Call call{.method = "PUT", .bucket = bucket, .key = key.value};
  call.query.emplace_back("partNumber", std::to_string(number));
  call.query.emplace_back("uploadId", upload.value);
  return call;
}

Result<void> check_number(std::uint32_t number) {
  if (number >= 1 && number <= max_part_number) return {};
  return fail(ErrorCode::invalid_argument, "part numbers go from 1 to {}, not {}", max_part_number,
              number);
}

std::vector<s3::ChecksumValue> to_values(const std::vector<Checksum>& checksums) {
  std::vector<s3::ChecksumValue> values;
  for (const auto& checksum : checksums) {
    values.push_back({to_s3(checksum.algorithm), checksum.value});
  }
  return values;
}

// Up to `limit` bytes; fewer only at the body's end.
Async<std::string> read_up_to(BodyReader& body, std::size_t limit) {
  std::string bytes(limit, '\0');
  std::size_t have = 0;
  while (have < limit) {
    auto got = co_await body.read(std::as_writable_bytes(std::span(bytes)).subspan(have));
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) break;
    have += *got;
  }
  bytes.resize(have);
  co_return bytes;
}

}  // namespace

Async<UploadId> S3Store::create_upload(CreateUploadRequest request) {
  if (auto plain = refuse_acl(request.acl); !plain) co_return std::unexpected(plain.error());
  if (auto valid = s3::validate_key(request.key.value); !valid) {
    co_return std::unexpected(valid.error());
  }
  S3Call call{.method = "POST", .bucket = request.bucket, .key = request.key.value};
  call.query.emplace_back("uploads", "");
  add_attributes(call.headers, request.attributes);
  add_retention(call.headers, request.retention);
  if (request.checksum) {
    call.headers.emplace_back("x-amz-checksum-algorithm", s3::api_name(to_s3(*request.checksum)));
    call.headers.emplace_back("x-amz-checksum-type", checksum_type_name(request.checksum_type));
  }
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  auto started = s3::parse_initiate_upload(answer->text);
  if (!started) co_return std::unexpected(started.error());
  co_return UploadId(std::move(started->upload));
}

Async<PartInfo> S3Store::put_part(PartRequest request, BodyReader& body) {
  if (auto valid = check_number(request.number); !valid) co_return std::unexpected(valid.error());
  if (!request.size) request.size = body.size();
  S3Call call = part_call(request.bucket, request.key, request.upload, request.number);
  const std::uint64_t buffered = client_->options().buffered_bytes;
  PartInfo info{.number = request.number};
  Result<S3Answer> answer;
  std::string md5;
  if (!request.size || *request.size <= buffered) {
    const IntakeRules rules{.size = request.size, .md5 = request.md5, .expected = request.expected};
    auto taken = co_await take_body(body, rules);
    if (!taken) co_return std::unexpected(taken.error());
    info.size = taken->bytes.size();
    add_checksums(call.headers, taken->checksums);
    call.body = std::move(taken->bytes);
    md5 = to_hex(as_bytes(taken->md5));
    answer = co_await client_->ask(std::move(call));
  } else {
    info.size = *request.size;
    add_checksums(call.headers, request.expected);
    UploadReader reader(body, UploadRules{info.size, request.md5, request.expected});
    call.stream = &reader;
    call.stream_bytes = info.size;
    answer = co_await client_->ask(std::move(call));
    if (reader.failure()) co_return std::unexpected(*reader.failure());
    md5 = reader.md5_hex();
  }
  if (!answer) co_return std::unexpected(answer.error());
  info.etag = etag_of(answer->headers);
  info.modified = from_http_date(answer->headers.get("Date")).value_or(client_->clock().now());
  info.checksums = checksums_of(answer->headers);
  if (is_md5_etag(info.etag.value) && info.etag.value != md5) {
    co_return fail(ErrorCode::checksum_mismatch, "part {} arrived with other bytes than were sent",
                   info.number);
  }
  co_return info;
}

Async<PartInfo> S3Store::copy_part(CopyPartRequest request) {
  if (auto valid = check_number(request.number); !valid) co_return std::unexpected(valid.error());
  const bool plain = request.source_key.value.find_first_of("%?") == std::string::npos;
  if (!plain && !client_->options().exact_part_sources) {
    co_return co_await send_copied_part(std::move(request));
  }
  S3Call call = part_call(request.bucket, request.key, request.upload, request.number);
  s3::CopySource source{request.source_bucket.value, request.source_key.value, std::nullopt};
  if (request.source_version) source.version = request.source_version->value;
  call.headers.emplace_back("x-amz-copy-source", s3::encode_copy_source(source));
  add_conditions(call.headers, request.source_conditions, "x-amz-copy-source-");
  if (request.range) {
    call.headers.emplace_back("x-amz-copy-source-range", range_value(*request.range));
  }
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  auto copied = s3::parse_copy_result(answer->text);
  if (!copied) co_return std::unexpected(copied.error());
  PartInfo info{.number = request.number, .etag = ETag(copied->etag)};
  info.modified = copied->modified;
  info.checksums = from_values(copied->checksums, copied->checksum_type);
  if (request.range && request.range->first && request.range->last) {
    info.size = *request.range->last - *request.range->first + 1;
  }
  co_return info;
}

Async<PartInfo> S3Store::send_copied_part(CopyPartRequest request) {
  GetRequest source{.bucket = std::move(request.source_bucket),
                    .key = std::move(request.source_key),
                    .version = std::move(request.source_version),
                    .range = request.range,
                    .conditions = std::move(request.source_conditions)};
  auto got = co_await get(std::move(source));
  if (!got) co_return std::unexpected(got.error());
  // A read is cut to what there is, a copy is not.
  if (request.range && request.range->last && got->first + got->length <= *request.range->last) {
    co_return fail(ErrorCode::invalid_range, "the range reaches beyond the source's {} bytes",
                   got->info.size);
  }
  PartRequest part{.bucket = std::move(request.bucket),
                   .key = std::move(request.key),
                   .upload = std::move(request.upload),
                   .number = request.number,
                   .size = got->length};
  const auto body = make_reader(std::move(got->body));
  co_return co_await put_part(std::move(part), *body);
}

Async<PutResult> S3Store::complete_upload(CompleteRequest request) {
  S3Call call = upload_call("POST", request.bucket, request.key, request.upload);
  std::vector<s3::CompletePart> parts;
  for (const auto& part : request.parts) {
    parts.push_back({part.number, part.etag.value, to_values(part.checksums)});
  }
  call.body = s3::write_complete_upload(parts);
  add_conditions(call.headers, request.conditions);
  add_checksums(call.headers, request.expected);
  if (!request.expected.empty()) {
    call.headers.emplace_back("x-amz-checksum-type",
                              checksum_type_name(request.expected.front().type));
  }
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  auto completed = s3::parse_complete_result(answer->text);
  if (!completed) co_return std::unexpected(completed.error());
  PutResult result{.etag = ETag(completed->etag)};
  result.version = VersionId(std::string(answer->headers.get("x-amz-version-id")));
  result.modified = from_http_date(answer->headers.get("Date")).value_or(client_->clock().now());
  result.checksums = from_values(completed->checksums, completed->checksum_type);
  GetRequest named{.bucket = request.bucket, .key = request.key};
  co_await add_size(std::move(named), result);
  co_return result;
}

Async<void> S3Store::abort_upload(BucketName bucket, ObjectKey key, UploadId upload) {
  auto answer = co_await client_->ask(upload_call("DELETE", bucket, key, upload));
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>();
}

Async<PutResult> S3Store::put_unsized(PutRequest request, BodyReader& body) {
  auto first = co_await read_up_to(body, client_->options().part_bytes);
  if (!first) co_return std::unexpected(first.error());
  if (first->size() == client_->options().part_bytes) {
    co_return co_await put_in_parts(std::move(request), std::move(*first), body);
  }
  request.size = first->size();
  auto whole = make_string_reader(std::move(*first));
  co_return co_await put(std::move(request), *whole);
}

Async<PutResult> S3Store::put_in_parts(PutRequest request, std::string first, BodyReader& body) {
  if (request.md5 || !request.expected.empty()) {
    co_return fail(ErrorCode::not_supported,
                   "a long body with declared digests needs a declared size");
  }
  CreateUploadRequest create{.bucket = request.bucket, .key = request.key};
  create.attributes = std::move(request.attributes);
  create.retention = request.retention;
  auto upload = co_await create_upload(std::move(create));
  if (!upload) co_return std::unexpected(upload.error());
  CompleteRequest complete{.bucket = request.bucket, .key = request.key, .upload = *upload};
  complete.conditions = std::move(request.conditions);
  Result<std::string> chunk = std::move(first);
  Result<void> going;
  std::uint64_t size = 0;
  while (chunk && !chunk->empty()) {
    PartRequest part{.bucket = request.bucket, .key = request.key, .upload = *upload};
    part.number = static_cast<std::uint32_t>(complete.parts.size() + 1);
    part.size = chunk->size();
    size += chunk->size();
    auto bytes = make_string_reader(std::move(*chunk));
    auto done = co_await put_part(std::move(part), *bytes);
    if (!done) going = std::unexpected(done.error());
    if (!going) break;
    complete.parts.push_back({done->number, done->etag, done->checksums});
    chunk = co_await read_up_to(body, client_->options().part_bytes);
  }
  if (!chunk) going = std::unexpected(chunk.error());
  Result<PutResult> result;
  if (going) {
    result = co_await complete_upload(std::move(complete));
    if (result) result->size = size;
    if (result) co_return result;
    going = std::unexpected(result.error());
  }
  // What was sent is of no use any more; that it cannot be taken back is for lifecycle rules.
  (void)co_await abort_upload(request.bucket, request.key, *upload);
  co_return std::unexpected(going.error());
}

}  // namespace holdfast::store
