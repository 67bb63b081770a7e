#include "store/upstream_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/query.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "base/log.h"
#include "s3/names.h"
#include "store/upstream_errors.h"

namespace holdfast::store {
namespace {

namespace asio = boost::asio;

const asio::execution_context* context_of(const asio::any_io_executor& executor) {
  return &asio::query(executor, asio::execution::context_as<asio::execution_context&>);
}

// Upstream carries these out itself; the others are this gateway's own business.
bool kept_upstream(BucketDocument kind) {
  return kind == BucketDocument::lifecycle || kind == BucketDocument::object_lock ||
         kind == BucketDocument::encryption;
}

}  // namespace

Error translate_upstream(const Error& error) {
  switch (error.code) {
    case ErrorCode::unauthenticated:
    case ErrorCode::access_denied:
    case ErrorCode::expired:
      return {ErrorCode::unavailable,
              "the upstream store refuses Holdfast's own credentials: " + error.context};
    case ErrorCode::timed_out:
    case ErrorCode::cancelled:
    case ErrorCode::incomplete_body:
    case ErrorCode::malformed:
    case ErrorCode::io:
    case ErrorCode::internal:
      return {ErrorCode::unavailable, "the upstream store: " + error.context};
    default:
      return error;
  }
}

Result<std::unique_ptr<UpstreamStore>> UpstreamStore::open(
    std::vector<asio::any_io_executor> executors, UpstreamOptions options,
    CredentialsProvider& credentials, ObjectStore& documents, Clock& clock) {
  if (auto good = options.names.check(); !good) return std::unexpected(good.error());
  options.s3.exact_part_sources = false;
  Clients clients;
  for (const auto& executor : executors) {
    auto client = S3Store::open(executor, options.s3, credentials, clock);
    if (!client) return std::unexpected(client.error());
    clients.emplace(context_of(executor), std::move(*client));
  }
  return std::unique_ptr<UpstreamStore>(
      new UpstreamStore(std::move(clients), std::move(options), documents, clock));
}

UpstreamStore::UpstreamStore(Clients clients, UpstreamOptions options, ObjectStore& documents,
                             Clock& clock)
    : clients_(std::move(clients)),
      options_(std::move(options)),
      documents_(documents),
      clock_(clock),
      ring_(clock, options_.changes) {}
UpstreamStore::~UpstreamStore() = default;

asio::awaitable<S3Store*> UpstreamStore::client() {
  const auto found = clients_.find(context_of(co_await asio::this_coro::executor));
  HOLDFAST_CHECK(found != clients_.end());
  co_return found->second.get();
}

Async<void> UpstreamStore::greet() {
  auto* s3 = co_await client();
  auto seen = co_await s3->list_buckets();
  if (seen) co_return Result<void>();
  const Error& error = seen.error();
  const std::string& endpoint = options_.s3.endpoint;
  switch (error.code) {
    case ErrorCode::unauthenticated:
    case ErrorCode::access_denied:
    case ErrorCode::expired:
      co_return fail(error.code,
                     "the upstream store {} refuses the credentials: {}; check store.credentials, "
                     "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                     endpoint, error.context);
    case ErrorCode::unavailable:
    case ErrorCode::timed_out:
      co_return fail(error.code, "the upstream store {} cannot be reached: {}", endpoint,
                     error.context);
    default:
      co_return fail(error.code, "the upstream store {} answers as no S3 endpoint does: {}",
                     endpoint, error.context);
  }
}

Async<void> UpstreamStore::create_bucket(BucketName name, bool object_lock) {
  if (auto valid = s3::validate_bucket_name(name.value); !valid) co_return valid;
  const BucketName there = theirs(name);
  if (auto valid = s3::validate_bucket_name(there.value); !valid) {
    co_return fail(ErrorCode::invalid_name, "the bucket's upstream name {} is no valid one",
                   there.value);
  }
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->create_bucket(there, object_lock));
}

Async<void> UpstreamStore::delete_bucket(BucketName name) {
  auto* s3 = co_await client();
  auto gone = translate_upstream(co_await s3->delete_bucket(theirs(name)));
  if (!gone) co_return gone;
  ring_.forget(name);
  (void)co_await documents_.delete_bucket(name);  // where there were none, none is missing
  co_return Result<void>();
}

Async<std::vector<BucketInfo>> UpstreamStore::list_buckets() {
  auto* s3 = co_await client();
  auto all = translate_upstream(co_await s3->list_buckets());
  if (!all) co_return all;
  std::vector<BucketInfo> mine;
  for (auto& bucket : *all) {
    auto name = options_.names.ours(bucket.name);
    if (!name) continue;
    bucket.name = std::move(*name);
    mine.push_back(std::move(bucket));
  }
  std::ranges::sort(mine, {}, &BucketInfo::name);
  co_return mine;
}

Async<BucketInfo> UpstreamStore::head_bucket(BucketName name) {
  auto* s3 = co_await client();
  auto info = translate_upstream(co_await s3->head_bucket(theirs(name)));
  if (info) info->name = std::move(name);
  co_return info;
}

Async<void> UpstreamStore::set_versioning(BucketName name, Versioning versioning) {
  auto* s3 = co_await client();
  co_return translate_upstream(co_await s3->set_versioning(theirs(name), versioning));
}

Async<void> UpstreamStore::ensure_documents(BucketName name) {
  if (co_await documents_.head_bucket(name)) co_return Result<void>();
  auto known = co_await head_bucket(name);
  if (!known) co_return std::unexpected(known.error());
  auto made = co_await documents_.create_bucket(name, false);
  if (!made && made.error().code != ErrorCode::bucket_exists) co_return made;
  co_return Result<void>();
}

Async<std::string> UpstreamStore::bucket_document(BucketName name, BucketDocument kind) {
  if (kept_upstream(kind)) {
    auto* s3 = co_await client();
    co_return translate_upstream(co_await s3->bucket_document(theirs(name), kind));
  }
  if (auto there = co_await ensure_documents(name); !there) {
    co_return std::unexpected(there.error());
  }
  co_return co_await documents_.bucket_document(std::move(name), kind);
}

Async<void> UpstreamStore::set_bucket_document(BucketName name, BucketDocument kind,
                                               std::string text) {
  if (kept_upstream(kind)) {
    auto* s3 = co_await client();
    co_return translate_upstream(
        co_await s3->set_bucket_document(theirs(name), kind, std::move(text)));
  }
  if (auto there = co_await ensure_documents(name); !there) co_return there;
  co_return co_await documents_.set_bucket_document(std::move(name), kind, std::move(text));
}

Async<ChangesPage> UpstreamStore::changes(ChangesRequest request) {
  auto known = co_await ensure_documents(request.bucket);
  if (!known) co_return std::unexpected(known.error());
  co_return co_await ring_.read(std::move(request));
}

}  // namespace holdfast::store
