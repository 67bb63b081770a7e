#include <utility>

#include "gateway/s3_acl_request.h"
#include "gateway/s3_authorization.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_payload.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::size_t document_limit = 64u << 10;

// What is put: in headers or in the body, and taken by the bucket.
boost::asio::awaitable<s3::ApiResult<Acl>> read_acl(S3Call& call) {
  auto named = named_acl(call);
  if (!named) co_return std::unexpected(std::move(named.error()));
  auto text = co_await read_document(call, document_limit);
  if (!text) co_return std::unexpected(std::move(text.error()));
  if (text->empty() != named->has_value()) {
    co_return s3::refuse(text->empty() ? ApiError::malformed_acl : ApiError::invalid_request,
                         text->empty() ? "" : "An ACL is given in headers or in the body.");
  }
  auto acl = named->has_value() ? s3::ApiResult<Acl>(**named) : parse_acl(*text);
  if (!acl) co_return std::unexpected(std::move(acl.error()));
  if (auto good = co_await check_acl(call, *acl); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  co_return *acl;
}

// Where object ownership turned ACLs off there is the owner's alone, whatever was put before.
S3Answer answer_acl(S3Call& call, std::string text) {
  const auto acl = acl_from_text(text);
  if (!acl || !acl->is_public()) co_return xml_reply(to_xml(Acl()));
  auto sharing = co_await call.backend.rules.sharing_of(call.bucket());
  if (!sharing) co_return refuse_with(sharing.error());
  co_return xml_reply(to_xml(sharing->acls ? *acl : Acl()));
}

}  // namespace

S3Answer get_bucket_acl(S3Call& call) {
  auto text = co_await call.store().bucket_document(call.bucket(), store::BucketDocument::acl);
  if (!text && text.error().code == ErrorCode::not_found) text = std::string();
  if (!text) co_return refuse_with(text.error());
  co_return co_await answer_acl(call, std::move(*text));
}

S3Answer put_bucket_acl(S3Call& call) {
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  auto acl = co_await read_acl(call);
  if (!acl) co_return std::unexpected(std::move(acl.error()));
  if (auto done = co_await keep_bucket_acl(call, *acl); !done) {
    co_return std::unexpected(std::move(done.error()));
  }
  co_return empty_reply(200);
}

boost::asio::awaitable<s3::ApiResult<void>> keep_bucket_acl(S3Call& call, Acl acl) {
  auto done = co_await call.store().set_bucket_document(call.bucket(), store::BucketDocument::acl,
                                                        to_text(acl));
  co_await call.backend.rules.reload(call.bucket());
  if (!done) co_return refuse_with(done.error());
  co_return s3::ApiResult<void>();
}

S3Answer get_object_acl(S3Call& call) {
  auto found = co_await call.store().head({call.bucket(), call.key(), call.version(), {}, {}, {}});
  if (!found) co_return refuse_with(found.error());
  co_return co_await answer_acl(call, std::move(found->info.acl));
}

// To open an object takes more than to write it: it is judged once the body has told.
S3Answer put_object_acl(S3Call& call) {
  auto found = co_await call.store().head({call.bucket(), call.key(), call.version(), {}, {}, {}});
  if (!found) co_return refuse_with(found.error());
  auto acl = co_await read_acl(call);
  if (!acl) co_return std::unexpected(std::move(acl.error()));
  if (acl->is_public()) {
    Need share = call.needs.front();
    share.action = control::Action::share_object;
    if (auto may_share = judge(call, {std::move(share)}); !may_share) {
      co_return std::unexpected(std::move(may_share.error()));
    }
  }
  auto done =
      co_await call.store().set_acl(call.bucket(), call.key(), call.version(), to_text(*acl));
  if (!done) co_return refuse_with(done.error());
  co_return empty_reply(200);
}

}  // namespace holdfast::gateway
