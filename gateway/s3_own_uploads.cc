#include "gateway/s3_own_uploads.h"

#include <algorithm>
#include <utility>

#include "gateway/s3_authorization.h"
#include "store/conditions.h"

namespace holdfast::gateway {
namespace {

constexpr std::uint32_t scanned_keys = 1000;  // a page of the store
constexpr int scanned_pages = 5;              // of one call: others' objects cost this much at most

// Listings do not carry who wrote an object; its head does.
boost::asio::awaitable<Result<bool>> is_own(S3Call& call, const ObjectKey& key) {
  auto found = co_await call.store().head({call.bucket(), key, {}, {}, {}, {}});
  if (!found && found.error().code == ErrorCode::no_such_key) co_return false;
  if (!found) co_return std::unexpected(found.error());
  const std::string& me = call.identity.principal.value;
  co_return !me.empty() && found->info.uploader == me;
}

// Adds the object to the page; false when the page is full.
bool take(store::ListPage& page, store::ObjectInfo& object, const store::ListRequest& request) {
  const auto prefix =
      request.delimiter.empty()
          ? std::nullopt
          : store::common_prefix_of(object.key.value, request.prefix, request.delimiter);
  if (prefix && (*prefix == request.start_after ||
                 (!page.common_prefixes.empty() && page.common_prefixes.back() == *prefix))) {
    return true;
  }
  if (page.objects.size() + page.common_prefixes.size() >= request.max_keys) return false;
  page.next = prefix ? *prefix : object.key.value;
  if (prefix) {
    page.common_prefixes.push_back(*prefix);
  } else {
    page.objects.push_back(std::move(object));
  }
  return true;
}

bool has_policy(const S3Call& call) {
  return call.rules != nullptr && call.rules->policy.has_value();
}

bool is_caller(const S3Call& call, const std::string& uploader) {
  return !uploader.empty() && uploader == call.identity.principal.value;
}

// Who began the upload that the call names.
boost::asio::awaitable<s3::ApiResult<std::string>> uploader_of(S3Call& call) {
  store::ListPartsRequest request;
  request.bucket = call.bucket();
  request.key = call.key();
  request.upload = UploadId(std::string(call.query("uploadId")));
  request.max_parts = 0;
  auto found = co_await call.store().list_parts(std::move(request));
  if (!found) co_return refuse_with(found.error());
  co_return std::move(found->upload.uploader);
}

// Aborting and listing parts are actions of their own: a policy that allows them means anybody's.
bool writes_by_policy_alone(const S3Call& call) {
  if (!has_policy(call) || call.needs.empty()) return false;
  return call.needs.front().policy_action == s3::PolicyAction::put_object &&
         lacks_grant(call, call.needs.front());
}

}  // namespace

bool sees_own_only(const S3Call& call) {
  return !call.needs.empty() && level_of(call, call.needs.front()) == control::Level::drop;
}

boost::asio::awaitable<Result<store::ListPage>> list_own(S3Call& call, store::ListRequest request) {
  store::ListPage page;
  store::ListRequest scan = request;
  scan.delimiter.clear();
  scan.max_keys = scanned_keys;
  // A position that is a common prefix stands for everything below it.
  const bool skips = !request.delimiter.empty() && request.start_after.ends_with(request.delimiter);
  if (skips) {
    if (auto behind = store::after_prefix(request.start_after)) scan.start_after = *behind;
  }
  for (int i = 0; i < scanned_pages; ++i) {
    auto found = co_await call.store().list(scan);
    if (!found) co_return std::unexpected(found.error());
    for (store::ObjectInfo& object : found->objects) {
      auto own = co_await is_own(call, object.key);
      if (!own) co_return std::unexpected(own.error());
      if (!*own) continue;
      if (take(page, object, request)) continue;
      page.truncated = true;
      co_return page;
    }
    if (!found->truncated) co_return page;
    scan.start_after = found->next;
  }
  page.truncated = true;
  // Not into the middle of a prefix that was shown already.
  const bool within = !page.common_prefixes.empty() && page.next == page.common_prefixes.back() &&
                      scan.start_after.starts_with(page.next);
  if (!within) page.next = scan.start_after;
  co_return page;
}

boost::asio::awaitable<Result<store::ListUploadsPage>> list_own_uploads(
    S3Call& call, store::ListUploadsRequest request) {
  const std::string me = call.identity.principal.value;
  const std::uint32_t limit = request.max_uploads;
  store::ListUploadsPage page;
  request.delimiter.clear();
  request.max_uploads = scanned_keys;
  for (int i = 0; i < scanned_pages; ++i) {
    auto found = co_await call.store().list_uploads(request);
    if (!found) co_return std::unexpected(found.error());
    for (store::UploadInfo& upload : found->uploads) {
      if (upload.uploader != me || me.empty()) continue;
      if (page.uploads.size() >= limit) {
        page.truncated = true;
        co_return page;
      }
      page.next_key = upload.key.value;
      page.next_upload = upload.upload.value;
      page.uploads.push_back(std::move(upload));
    }
    if (!found->truncated) co_return page;
    request.key_marker = found->next_key;
    request.upload_marker = found->next_upload;
  }
  page.truncated = true;
  page.next_key = request.key_marker;
  page.next_upload = request.upload_marker;
  co_return page;
}

boost::asio::awaitable<s3::ApiResult<void>> admit_initiator(S3Call& call) {
  if (call.operation != Operation::abort_upload && call.operation != Operation::list_parts) {
    co_return s3::ApiResult<void>();
  }
  if (!has_policy(call) || call.needs.empty() || allows(call, call.needs.front())) {
    co_return s3::ApiResult<void>();
  }
  auto uploader = co_await uploader_of(call);
  if (!uploader && uploader.error().error != s3::ApiError::no_such_upload) {
    co_return std::unexpected(std::move(uploader.error()));
  }
  if (!uploader || !is_caller(call, *uploader)) co_return s3::ApiResult<void>();
  Need written = call.needs.front();
  written.action = control::Action::write_object;
  written.policy_action = s3::PolicyAction::put_object;
  call.needs.front().unless_denied = true;
  call.needs.insert(call.needs.begin(), std::move(written));
  co_return s3::ApiResult<void>();
}

boost::asio::awaitable<s3::ApiResult<void>> require_own_upload(S3Call& call) {
  const bool dropped = sees_own_only(call);
  if (!dropped && !writes_by_policy_alone(call)) co_return s3::ApiResult<void>();
  if (call.identity.principal.empty()) {
    co_return s3::refuse(s3::ApiError::access_denied, "Uploads need a signature.");
  }
  if (call.operation == Operation::create_upload) co_return s3::ApiResult<void>();
  auto uploader = co_await uploader_of(call);
  if (!uploader) co_return std::unexpected(std::move(uploader.error()));
  // Stores of others do not tell who it was: the policy's word and the upload's id have to do.
  if (is_caller(call, *uploader) || (!dropped && uploader->empty())) {
    co_return s3::ApiResult<void>();
  }
  if (dropped) co_return s3::refuse(s3::ApiError::no_such_upload);
  co_return refuse_access(call, call.needs.front(),
                          "the bucket's policy allows writing, but somebody else began the upload");
}

}  // namespace holdfast::gateway
