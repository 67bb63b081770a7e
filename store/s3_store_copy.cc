// Copies: one request up to what the endpoint takes at once, in parts above.
#include <algorithm>
#include <utility>

#include "s3/headers.h"
#include "s3/names.h"
#include "s3/results.h"
#include "store/checksum_names.h"
#include "store/s3_client.h"
#include "store/s3_headers.h"
#include "store/s3_store.h"

namespace holdfast::store {

boost::asio::awaitable<void> S3Store::add_size(GetRequest named, PutResult& result) {
  if (!result.version.empty()) named.version = result.version;
  const auto known = co_await head(std::move(named));
  if (!known) co_return;
  // Ceph 16 answers a completion with neither, a copy without its version.
  if (result.etag.empty()) result.etag = known->info.etag;
  if (known->info.etag != result.etag) co_return;  // replaced meanwhile
  result.size = known->info.size;
  if (result.version.empty() && known->info.version.value != "null") {
    result.version = known->info.version;
  }
}

Async<PutResult> S3Store::copy(CopyRequest request) {
  if (auto plain = refuse_acl(request.acl); !plain) co_return std::unexpected(plain.error());
  if (auto valid = s3::validate_key(request.key.value); !valid) {
    co_return std::unexpected(valid.error());
  }
  GetRequest source{.bucket = request.source_bucket, .key = request.source_key};
  source.version = request.source_version;
  const GetRequest target{.bucket = request.bucket, .key = request.key};
  auto copied = co_await copy_whole(request);
  if (copied) {
    co_await add_size(target, *copied);
    co_return copied;
  }
  // Endpoints have several words for "too long"; whether it is, is asked only then.
  const auto code = copied.error().code;
  if (code != ErrorCode::invalid_argument && code != ErrorCode::entity_too_large) co_return copied;
  const auto known = co_await head(std::move(source));
  if (!known || known->info.size <= client_->options().copy_bytes) co_return copied;
  auto in_parts = co_await copy_in_parts(std::move(request), known->info);
  co_return in_parts;
}

Async<PutResult> S3Store::copy_whole(CopyRequest request) {
  S3Call call{.method = "PUT", .bucket = request.bucket, .key = request.key.value};
  s3::CopySource source{request.source_bucket.value, request.source_key.value, std::nullopt};
  if (request.source_version) source.version = request.source_version->value;
  call.headers.emplace_back("x-amz-copy-source", s3::encode_copy_source(source));
  add_conditions(call.headers, request.source_conditions, "x-amz-copy-source-");
  add_conditions(call.headers, request.conditions);
  add_retention(call.headers, request.retention);
  if (request.replace) {
    call.headers.emplace_back("x-amz-metadata-directive", "REPLACE");
    call.headers.emplace_back("x-amz-tagging-directive", "REPLACE");
    add_attributes(call.headers, *request.replace);
  }
  if (!request.compute.empty()) {
    call.headers.emplace_back("x-amz-checksum-algorithm",
                              s3::api_name(to_s3(request.compute.front())));
  }
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  auto copied = s3::parse_copy_result(answer->text);
  if (!copied) co_return std::unexpected(copied.error());
  PutResult result{.etag = ETag(copied->etag),
                   .version = VersionId(std::string(answer->headers.get("x-amz-version-id")))};
  result.modified = copied->modified;
  result.checksums = from_values(copied->checksums, copied->checksum_type);
  co_return result;
}

// The parts, all of one version of the source; the request that completes them.
Async<CompleteRequest> S3Store::copy_parts(CopyPartRequest part, std::uint64_t size) {
  CompleteRequest complete{.bucket = part.bucket, .key = part.key, .upload = part.upload};
  const std::uint64_t step = client_->options().copy_bytes;
  for (std::uint64_t first = 0; first < size; first += step) {
    part.number = static_cast<std::uint32_t>(complete.parts.size() + 1);
    part.range = ByteRange{first, std::min(size, first + step) - 1, std::nullopt};
    auto done = co_await copy_part(part);
    if (!done) co_return std::unexpected(done.error());
    complete.parts.push_back({done->number, done->etag, done->checksums});
  }
  co_return complete;
}

Async<PutResult> S3Store::copy_in_parts(CopyRequest request, ObjectInfo source) {
  CreateUploadRequest create{.bucket = request.bucket, .key = request.key};
  create.attributes = request.replace ? std::move(*request.replace) : source.attributes;
  create.retention = request.retention;
  if (!request.compute.empty()) {
    create.checksum = request.compute.front();
    create.checksum_type = ChecksumType::full_object;
  }
  auto upload = co_await create_upload(std::move(create));
  if (!upload) co_return std::unexpected(upload.error());
  CopyPartRequest part{.source_bucket = request.source_bucket, .source_key = request.source_key};
  part.source_version = request.source_version;
  part.source_conditions = request.source_conditions;
  // Were the source replaced between two parts, the copy would be a mixture.
  if (part.source_conditions.if_match.empty()) part.source_conditions.if_match = {source.etag};
  part.bucket = request.bucket;
  part.key = request.key;
  part.upload = *upload;
  auto complete = co_await copy_parts(std::move(part), source.size);
  Result<PutResult> result;
  if (complete) {
    complete->conditions = std::move(request.conditions);
    result = co_await complete_upload(std::move(*complete));
    if (result) co_return result;
  } else {
    result = std::unexpected(complete.error());
  }
  (void)co_await abort_upload(request.bucket, request.key, *upload);
  co_return result;
}

}  // namespace holdfast::store
