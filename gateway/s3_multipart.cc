#include <fmt/format.h>

#include <utility>

#include "gateway/s3_acl_request.h"
#include "gateway/s3_attributes.h"
#include "gateway/s3_encryption.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_owner.h"
#include "gateway/s3_payload.h"
#include "s3/results.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::size_t complete_limit = 4u << 20;

UploadId upload_of(const S3Call& call) { return UploadId(std::string(call.query("uploadId"))); }

bool is_sha(store::ChecksumAlgorithm algorithm) {
  return algorithm == store::ChecksumAlgorithm::sha1 ||
         algorithm == store::ChecksumAlgorithm::sha256;
}

s3::ApiResult<void> take_checksum(const S3Call& call, store::CreateUploadRequest& request) {
  const std::string_view type = call.header("x-amz-checksum-type");
  if (!call.has_header("x-amz-checksum-algorithm")) {
    if (type.empty()) return {};
    return s3::refuse(ApiError::invalid_request,
                      "x-amz-checksum-type needs x-amz-checksum-algorithm.");
  }
  request.checksum = checksum_algorithm(call.header("x-amz-checksum-algorithm"));
  if (!request.checksum) {
    return s3::refuse(ApiError::invalid_request, "Checksum algorithm provided is unsupported.");
  }
  const bool crc64 = *request.checksum == store::ChecksumAlgorithm::crc64nvme;
  request.checksum_type = crc64 ? store::ChecksumType::full_object : store::ChecksumType::composite;
  if (type.empty()) return {};
  if (type == "FULL_OBJECT" && !is_sha(*request.checksum)) {
    request.checksum_type = store::ChecksumType::full_object;
  } else if (type != "COMPOSITE" || crc64) {
    return s3::refuse(ApiError::invalid_request,
                      "The checksum type cannot be used with this checksum algorithm.");
  }
  return {};
}

std::string location_of(const S3Call& call) {
  const std::string path =
      call.target.virtual_host
          ? s3::uri_encode(call.key().value, s3::Slash::keep)
          : call.bucket().value + "/" + s3::uri_encode(call.key().value, s3::Slash::keep);
  return fmt::format("{}://{}/{}", call.exchange.secure() ? "https" : "http", call.request().host(),
                     path);
}

s3::ApiResult<std::vector<store::CompletedPart>> completed_parts(std::string_view text) {
  auto parsed = s3::parse_complete_upload(text);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  std::vector<store::CompletedPart> parts;
  parts.reserve(parsed->size());
  for (s3::CompletePart& part : *parsed) {
    if (part.number < 1 || part.number > 10'000) return s3::refuse(ApiError::invalid_argument);
    if (!parts.empty() && part.number <= parts.back().number) {
      return s3::refuse(ApiError::invalid_part_order);
    }
    store::CompletedPart completed{part.number, ETag(std::move(part.etag)), {}};
    for (s3::ChecksumValue& checksum : part.checksums) {
      const auto algorithm = to_store(checksum.algorithm);
      if (!algorithm) continue;
      completed.checksums.push_back(
          {*algorithm, store::ChecksumType::full_object, std::move(checksum.value)});
    }
    parts.push_back(std::move(completed));
  }
  return parts;
}

}  // namespace

S3Answer create_upload(S3Call& call) {
  if (auto good = check_write_headers(call); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  store::CreateUploadRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  auto attributes = attributes_of(call);
  if (!attributes) co_return std::unexpected(std::move(attributes.error()));
  request.attributes = std::move(*attributes);
  auto retention = retention_of(call);
  if (!retention) co_return std::unexpected(std::move(retention.error()));
  request.retention = *retention;
  request.uploader = call.identity.principal.value;
  auto acl = co_await acl_to_keep(call);
  if (!acl) co_return std::unexpected(std::move(acl.error()));
  request.acl = std::move(*acl);
  if (auto good = take_checksum(call, request); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  const auto checksum = request.checksum;
  const auto type = request.checksum_type;
  auto upload = co_await call.store().create_upload(std::move(request));
  if (!upload) co_return refuse_with(upload.error());
  S3Reply reply =
      xml_reply(s3::write_initiate_upload({call.bucket().value, call.key().value, upload->value}));
  tell_encryption_of_new(reply.head.headers, call);
  if (checksum) {
    reply.head.headers.add("x-amz-checksum-algorithm", s3::api_name(to_api(*checksum)));
    reply.head.headers.add("x-amz-checksum-type", to_string(type));
  }
  co_return reply;
}

S3Answer put_part(S3Call& call) {
  const auto number = s3::parse_u64(call.query("partNumber"));
  if (!number || *number < 1 || *number > 10'000) {
    co_return s3::refuse(ApiError::invalid_argument,
                         "Part number must be an integer between 1 and 10000, inclusive.");
  }
  auto upload = open_upload(call, call.backend.options.max_put_bytes);
  if (!upload) co_return std::unexpected(std::move(upload.error()));
  store::PartRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  request.upload = upload_of(call);
  request.number = static_cast<std::uint32_t>(*number);
  request.size = upload->size;
  request.md5 = upload->md5;
  request.expected = upload->expected;
  auto part = co_await call.store().put_part(std::move(request), *upload->body);
  if (!part) co_return std::unexpected(upload->explain(part.error()));
  S3Reply reply = empty_reply(200);
  reply.head.headers.add("ETag", s3::quote_etag(part->etag.value));
  tell_encryption_of_new(reply.head.headers, call);
  for (const store::Checksum& checksum : part->checksums) {
    reply.head.headers.add(s3::checksum_header(to_api(checksum.algorithm)), checksum.value);
  }
  co_return reply;
}

S3Answer complete_upload(S3Call& call) {
  store::CompleteRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  request.upload = upload_of(call);
  auto conditions = write_conditions(call);
  if (!conditions) co_return std::unexpected(std::move(conditions.error()));
  request.conditions = std::move(*conditions);
  auto expected = checksum_headers(call);
  if (!expected) co_return std::unexpected(std::move(expected.error()));
  request.expected = std::move(*expected);
  if (call.header("x-amz-checksum-type") == "FULL_OBJECT") {
    for (auto& checksum : request.expected) checksum.type = store::ChecksumType::full_object;
  }
  auto text = co_await read_document(call, complete_limit, ChecksumsOf::object);
  if (!text) co_return std::unexpected(std::move(text.error()));
  auto parts = completed_parts(*text);
  if (!parts) co_return std::unexpected(std::move(parts.error()));
  const std::size_t count = parts->size();
  request.parts = std::move(*parts);
  auto result = co_await call.store().complete_upload(std::move(request));
  if (!result) co_return refuse_with(result.error());
  s3::CompleteResult answer;
  answer.location = location_of(call);
  answer.bucket = call.bucket().value;
  answer.key = call.key().value;
  answer.etag = result->etag.value;
  answer.checksums = checksum_values(result->checksums, count);
  if (!result->checksums.empty()) {
    answer.checksum_type = to_string(result->checksums.front().type);
  }
  S3Reply reply = xml_reply(s3::write_complete_result(answer));
  add_written_version(reply.head.headers, result->version);
  tell_encryption_of_kept(reply.head.headers, call);
  co_return reply;
}

S3Answer abort_upload(S3Call& call) {
  auto done = co_await call.store().abort_upload(call.bucket(), call.key(), upload_of(call));
  if (!done) co_return refuse_with(done.error());
  co_return empty_reply(204);
}

S3Answer list_parts(S3Call& call) {
  auto limit = number_of(call, "max-parts", {0, 2'147'483'647, 1000});
  if (!limit) co_return std::unexpected(std::move(limit.error()));
  auto marker = number_of(call, "part-number-marker", {0, 2'147'483'647, 0});
  if (!marker) co_return std::unexpected(std::move(marker.error()));
  store::ListPartsRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  request.upload = upload_of(call);
  request.part_marker = static_cast<std::uint32_t>(*marker);
  request.max_parts = static_cast<std::uint32_t>(std::min<std::uint64_t>(*limit, 1000));
  auto page = co_await call.store().list_parts(request);
  if (!page) co_return refuse_with(page.error());
  s3::ListPartsResult answer;
  answer.bucket = call.bucket().value;
  answer.key = call.key().value;
  answer.upload = request.upload.value;
  answer.part_marker = request.part_marker;
  answer.max_parts = request.max_parts;
  answer.truncated = page->truncated;
  answer.owner = store_owner();
  answer.initiator = initiator_of(page->upload.uploader);
  if (page->upload.checksum) {
    answer.checksum_algorithm = to_api(*page->upload.checksum);
    answer.checksum_type = to_string(page->upload.checksum_type);
  }
  for (const store::PartInfo& part : page->parts) {
    answer.parts.push_back({part.number, part.etag.value, part.size, part.modified,
                            checksum_values(part.checksums, 0)});
  }
  answer.next_part_marker = page->parts.empty() ? request.part_marker : page->parts.back().number;
  co_return xml_reply(s3::write_list_parts(answer));
}

}  // namespace holdfast::gateway
