#include "store/s3_store.h"

#include <utility>

#include "base/encoding.h"
#include "s3/checksum.h"
#include "s3/messages.h"
#include "s3/names.h"
#include "s3/results.h"
#include "store/s3_client.h"

namespace holdfast::store {
namespace {

// The sub-resource of each document; empty: S3 has none.
std::string_view subresource(BucketDocument kind) {
  switch (kind) {
    case BucketDocument::cors:
      return "cors";
    case BucketDocument::lifecycle:
      return "lifecycle";
    case BucketDocument::policy:
      return "policy";
    case BucketDocument::tagging:
      return "tagging";
    case BucketDocument::notification:
      return "notification";
    case BucketDocument::object_lock:
      return "object-lock";
    case BucketDocument::public_access_block:
      return "publicAccessBlock";
    case BucketDocument::ownership_controls:
      return "ownershipControls";
    case BucketDocument::encryption:
      return "encryption";
    case BucketDocument::quota:
    case BucketDocument::acl:
      return "";
  }
  return "";
}

Versioning versioning_from(s3::VersioningStatus status) {
  switch (status) {
    case s3::VersioningStatus::never:
      return Versioning::unversioned;
    case s3::VersioningStatus::enabled:
      return Versioning::enabled;
    case s3::VersioningStatus::suspended:
      return Versioning::suspended;
  }
  return Versioning::unversioned;
}

Result<void> done(const Result<S3Answer>& answer) {
  if (!answer) return std::unexpected(answer.error());
  return {};
}

}  // namespace

Result<std::unique_ptr<S3Store>> S3Store::open(boost::asio::any_io_executor executor,
                                               S3StoreOptions options,
                                               CredentialsProvider& credentials, Clock& clock) {
  auto client = S3Client::open(std::move(executor), options, credentials, clock);
  if (!client) return std::unexpected(client.error());
  return std::unique_ptr<S3Store>(new S3Store(std::move(*client)));
}

S3Store::S3Store(std::unique_ptr<S3Client> client) : client_(std::move(client)) {}
S3Store::~S3Store() = default;

Async<void> S3Store::create_bucket(BucketName name, bool object_lock) {
  if (auto valid = s3::validate_bucket_name(name.value); !valid) co_return valid;
  // us-east-1 lets an owner make a bucket again and again.
  if (auto there = co_await head_bucket(name)) {
    co_return fail(ErrorCode::bucket_exists, "bucket {} exists", name.value);
  }
  S3Call call{.method = "PUT", .bucket = std::move(name)};
  if (object_lock) call.headers.emplace_back("x-amz-bucket-object-lock-enabled", "true");
  const std::string& region = client_->options().region;
  if (region != "us-east-1") call.body = s3::write_create_bucket(region);
  co_return done(co_await client_->ask(std::move(call)));
}

Async<void> S3Store::delete_bucket(BucketName name) {
  co_return done(co_await client_->ask(S3Call{.method = "DELETE", .bucket = std::move(name)}));
}

Async<std::vector<BucketInfo>> S3Store::list_buckets() {
  std::vector<BucketInfo> all;
  std::string token;
  do {
    S3Call call;
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    auto answer = co_await client_->ask(std::move(call));
    if (!answer) co_return std::unexpected(answer.error());
    auto page = s3::parse_list_buckets(answer->text);
    if (!page) co_return std::unexpected(page.error());
    for (auto& bucket : page->buckets) {
      all.push_back({BucketName(std::move(bucket.name)), bucket.created});
    }
    token = std::move(page->continuation_token);
  } while (!token.empty());
  co_return all;
}

Async<BucketInfo> S3Store::head_bucket(BucketName name) {
  auto known = co_await client_->ask(S3Call{.method = "HEAD", .bucket = name});
  if (!known) co_return std::unexpected(known.error());
  BucketInfo info{.name = name};
  auto status = co_await client_->ask(S3Call{.bucket = name, .query = {{"versioning", ""}}});
  // Who may use a bucket need not be allowed to read its configuration.
  if (!status && status.error().code == ErrorCode::access_denied) co_return info;
  if (!status) co_return std::unexpected(status.error());
  auto versioning = s3::parse_versioning(status->text);
  if (!versioning) co_return std::unexpected(s3::to_error(versioning.error()));
  info.versioning = versioning_from(*versioning);
  if (info.versioning != Versioning::enabled) co_return info;
  auto lock = co_await client_->ask(S3Call{.bucket = name, .query = {{"object-lock", ""}}});
  info.object_lock = lock.has_value() && lock->text.contains("Enabled");
  co_return info;
}

Async<void> S3Store::set_versioning(BucketName name, Versioning versioning) {
  if (versioning == Versioning::unversioned) {
    co_return fail(ErrorCode::invalid_argument, "versioning can be suspended, never taken away");
  }
  const auto status = versioning == Versioning::enabled ? s3::VersioningStatus::enabled
                                                        : s3::VersioningStatus::suspended;
  co_return done(co_await client_->ask(S3Call{.method = "PUT",
                                              .bucket = std::move(name),
                                              .query = {{"versioning", ""}},
                                              .body = s3::write_versioning(status)}));
}

Async<std::string> S3Store::bucket_document(BucketName name, BucketDocument kind) {
  const auto resource = subresource(kind);
  if (resource.empty()) co_return fail(ErrorCode::not_supported, "S3 knows no bucket quotas");
  auto answer = co_await client_->ask(
      S3Call{.bucket = std::move(name), .query = {{std::string(resource), ""}}});
  if (!answer) co_return std::unexpected(answer.error());
  co_return std::move(answer->text);
}

Async<void> S3Store::set_bucket_document(BucketName name, BucketDocument kind, std::string text) {
  const auto resource = subresource(kind);
  if (resource.empty()) co_return fail(ErrorCode::not_supported, "S3 knows no bucket quotas");
  S3Call call{.method = text.empty() ? "DELETE" : "PUT",
              .bucket = std::move(name),
              .query = {{std::string(resource), ""}}};
  if (!text.empty()) {
    const auto digest = s3::digest_of(s3::Algorithm::md5, text);
    call.headers.emplace_back("content-md5", to_base64(as_bytes(digest)));
  }
  call.body = std::move(text);
  co_return done(co_await client_->ask(std::move(call)));
}

}  // namespace holdfast::store
