#include "gateway/s3_acl_request.h"

#include <array>
#include <utility>

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::string_view grant_prefix = "x-amz-grant-";
constexpr std::array<std::string_view, 5> grant_headers = {
    "x-amz-grant-read", "x-amz-grant-write", "x-amz-grant-read-acp", "x-amz-grant-write-acp",
    "x-amz-grant-full-control"};

std::string_view named(const S3Call& call, std::string_view name) {
  if (call.form != nullptr) {
    const std::string* field = name == "x-amz-acl" ? s3::find_field(*call.form, "acl") : nullptr;
    return field == nullptr ? std::string_view() : std::string_view(*field);
  }
  if (call.has_header(name)) return call.header(name);
  return call.identity.kind == s3::AuthKind::presigned ? call.query(name) : std::string_view();
}

}  // namespace

s3::ApiResult<std::optional<Acl>> named_acl(const S3Call& call) {
  const std::string_view canned = named(call, "x-amz-acl");
  std::optional<Acl> granted;
  for (const std::string_view header : grant_headers) {
    const std::string_view grantees = named(call, header);
    if (grantees.empty()) continue;
    const std::string_view permission = header.substr(grant_prefix.size());
    if (!granted) granted.emplace();
    if (auto added = add_acl_grants(*granted, permission, grantees); !added) {
      return std::unexpected(std::move(added.error()));
    }
  }
  if (canned.empty()) return granted;
  if (granted) {
    return s3::refuse(ApiError::invalid_request,
                      "Specifying both Canned ACLs and Header Grants is not allowed");
  }
  auto acl = parse_canned_acl(canned);
  if (!acl) return std::unexpected(std::move(acl.error()));
  return std::optional<Acl>(*acl);
}

s3::ApiResult<void> check_acl(const S3Call& call, const Acl& acl, const Sharing& sharing) {
  if (!acl.is_public()) return {};
  if (call.bucket() == call.identity.policy->homes_bucket()) {
    return s3::refuse(ApiError::access_denied, "Homes are never opened by an ACL.");
  }
  if (sharing.block.block_acls) {
    return s3::refuse(ApiError::access_denied,
                      "Public ACLs are blocked by the bucket's public access block. Use grants or "
                      "presigned URLs to share objects.");
  }
  if (!sharing.acls) return s3::refuse(ApiError::acl_not_supported);
  return {};
}

boost::asio::awaitable<s3::ApiResult<void>> check_acl(const S3Call& call, Acl acl) {
  if (!acl.is_public()) co_return s3::ApiResult<void>();
  auto sharing = co_await call.backend.rules.sharing_of(call.bucket());
  if (!sharing) co_return refuse_with(sharing.error());
  co_return check_acl(call, acl, *sharing);
}

boost::asio::awaitable<s3::ApiResult<std::string>> acl_to_keep(const S3Call& call) {
  auto acl = named_acl(call);
  if (!acl) co_return std::unexpected(std::move(acl.error()));
  if (!*acl) co_return std::string();
  if (auto good = co_await check_acl(call, **acl); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  co_return to_text(**acl);
}

}  // namespace holdfast::gateway
