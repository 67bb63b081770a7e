#include <algorithm>
#include <utility>

#include "s3/results.h"
#include "store/checksum_names.h"
#include "store/s3_client.h"
#include "store/s3_headers.h"
#include "store/s3_store.h"

namespace holdfast::store {
namespace {

void add_if(s3::QueryParameters& query, std::string_view name, const std::string& value) {
  if (!value.empty()) query.emplace_back(name, value);
}

S3Call listing_call(const BucketName& bucket, const std::string& prefix,
                    const std::string& delimiter) {
  S3Call call{.bucket = bucket};
  add_if(call.query, "prefix", prefix);
  add_if(call.query, "delimiter", delimiter);
  call.query.emplace_back("encoding-type", "url");
  return call;
}

ObjectInfo to_info(s3::ListEntry& entry, const std::string& version) {
  ObjectInfo info;
  info.key = ObjectKey(std::move(entry.key));
  info.version = VersionId(version);
  info.etag = ETag(std::move(entry.etag));
  info.size = entry.size;
  info.modified = entry.modified;
  info.delete_marker = entry.delete_marker;
  info.latest = entry.latest;
  return info;
}

std::optional<ChecksumAlgorithm> algorithm_of(const std::optional<s3::Algorithm>& algorithm) {
  return algorithm ? from_s3(*algorithm) : std::nullopt;
}

}  // namespace

// The first version of the API: its marker, unlike the second's start-after, is defined to skip a
// common prefix that it names, and it needs no token that only the server understands.
Async<ListPage> S3Store::list(ListRequest request) {
  S3Call call = listing_call(request.bucket, request.prefix, request.delimiter);
  add_if(call.query, "marker", request.start_after);
  call.query.emplace_back("max-keys", std::to_string(request.max_keys));
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  auto parsed = s3::parse_list(answer->text);
  if (!parsed) co_return std::unexpected(parsed.error());
  ListPage page;
  page.truncated = parsed->truncated;
  // The version is unknown here, and latest by what a listing is.
  for (auto& entry : parsed->entries) page.objects.push_back(to_info(entry, ""));
  page.common_prefixes = std::move(parsed->common_prefixes);
  if (!page.truncated) co_return page;
  // Not NextMarker: Ceph's gateway does not encode it as it does the keys, so that "a+b" would be
  // read as "a b", and the listing would never end.
  if (!page.objects.empty()) page.next = page.objects.back().key.value;
  if (!page.common_prefixes.empty()) page.next = std::max(page.next, page.common_prefixes.back());
  co_return page;
}

Async<ListVersionsPage> S3Store::list_versions(ListVersionsRequest request) {
  S3Call call = listing_call(request.bucket, request.prefix, request.delimiter);
  call.query.emplace_back("versions", "");
  add_if(call.query, "key-marker", request.key_marker);
  if (request.version_marker) {
    add_if(call.query, "version-id-marker", request.version_marker->value);
  }
  call.query.emplace_back("max-keys", std::to_string(request.max_keys));
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  auto parsed = s3::parse_list_versions(answer->text);
  if (!parsed) co_return std::unexpected(parsed.error());
  ListVersionsPage page;
  page.truncated = parsed->truncated;
  for (auto& entry : parsed->entries) {
    // Ceph's gateway begins a page at the marker's own versions.
    const bool behind = request.version_marker || entry.key > request.key_marker;
    if (!behind && !request.key_marker.empty()) continue;
    const std::string version = entry.version;
    page.versions.push_back(to_info(entry, version));
  }
  page.common_prefixes = std::move(parsed->common_prefixes);
  page.next_key = std::move(parsed->next_key_marker);
  page.next_version = VersionId(std::move(parsed->next_version_marker));
  if (page.truncated && page.common_prefixes.empty() && !page.versions.empty()) {
    page.next_key = page.versions.back().key.value;
    page.next_version = page.versions.back().version;
  }
  co_return page;
}

Async<ListPartsPage> S3Store::list_parts(ListPartsRequest request) {
  S3Call call{.bucket = request.bucket, .key = request.key.value};
  call.query.emplace_back("uploadId", request.upload.value);
  call.query.emplace_back("max-parts", std::to_string(request.max_parts));
  call.query.emplace_back("part-number-marker", std::to_string(request.part_marker));
  auto answer = co_await client_->ask(std::move(call));
  if (!answer && answer.error().code == ErrorCode::no_such_key) {
    co_return fail(ErrorCode::no_such_upload, "{}", answer.error().context);
  }
  if (!answer) co_return std::unexpected(answer.error());
  auto parsed = s3::parse_list_parts(answer->text);
  if (!parsed) co_return std::unexpected(parsed.error());
  ListPartsPage page;
  page.truncated = parsed->truncated;
  page.upload.key = std::move(request.key);
  page.upload.upload = std::move(request.upload);
  page.upload.checksum = algorithm_of(parsed->checksum_algorithm);
  page.upload.checksum_type = checksum_type_from(parsed->checksum_type, "");
  for (auto& part : parsed->parts) {
    page.parts.push_back({part.number, ETag(std::move(part.etag)), part.size, part.modified,
                          from_values(part.checksums, "")});
  }
  co_return page;
}

Async<ListUploadsPage> S3Store::list_uploads(ListUploadsRequest request) {
  S3Call call = listing_call(request.bucket, request.prefix, request.delimiter);
  call.query.emplace_back("uploads", "");
  add_if(call.query, "key-marker", request.key_marker);
  add_if(call.query, "upload-id-marker", request.upload_marker);
  call.query.emplace_back("max-uploads", std::to_string(request.max_uploads));
  auto answer = co_await client_->ask(std::move(call));
  if (!answer) co_return std::unexpected(answer.error());
  auto parsed = s3::parse_list_uploads(answer->text);
  if (!parsed) co_return std::unexpected(parsed.error());
  ListUploadsPage page;
  page.truncated = parsed->truncated;
  for (auto& upload : parsed->uploads) {
    page.uploads.push_back({ObjectKey(std::move(upload.key)), UploadId(std::move(upload.upload)),
                            upload.started, algorithm_of(upload.checksum_algorithm),
                            checksum_type_from(upload.checksum_type, "")});
  }
  page.common_prefixes = std::move(parsed->common_prefixes);
  page.next_key = std::move(parsed->next_key_marker);
  page.next_upload = std::move(parsed->next_upload_marker);
  if (page.truncated && page.common_prefixes.empty() && !page.uploads.empty()) {
    page.next_key = page.uploads.back().key.value;
    page.next_upload = page.uploads.back().upload.value;
  }
  co_return page;
}

}  // namespace holdfast::store
