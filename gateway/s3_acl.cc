#include <utility>

#include "gateway/s3_attributes.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_owner.h"
#include "gateway/s3_payload.h"
#include "s3/xml.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;

constexpr std::size_t document_limit = 64u << 10;

std::string private_acl() {
  s3::XmlWriter xml;
  xml.open_root("AccessControlPolicy");
  xml.open("Owner");
  xml.element("ID", store_owner().id);
  xml.element("DisplayName", store_owner().display_name);
  xml.close();
  xml.open("AccessControlList");
  xml.open("Grant");
  xml.raw(
      "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
      "xsi:type=\"CanonicalUser\">");
  xml.element("ID", store_owner().id);
  xml.element("DisplayName", store_owner().display_name);
  xml.raw("</Grantee>");
  xml.element("Permission", "FULL_CONTROL");
  return xml.finish();
}

// Only what says again that everything is the owner's is accepted: rights are grants.
S3Answer accept_private(S3Call& call) {
  if (auto acl = check_canned_acl(call.header("x-amz-acl")); !acl) {
    co_return std::unexpected(std::move(acl.error()));
  }
  if (auto good = check_write_headers(call); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  auto text = co_await read_document(call, document_limit);
  if (!text) co_return std::unexpected(std::move(text.error()));
  if (!text->empty()) {
    auto root = s3::read_xml(*text, "AccessControlPolicy");
    if (!root) co_return s3::refuse(ApiError::malformed_acl);
    const s3::XmlNode* list = root->child("AccessControlList");
    if (list == nullptr) co_return s3::refuse(ApiError::malformed_acl);
    for (const s3::XmlNode& grant : list->children) {
      const s3::XmlNode* grantee = grant.child("Grantee");
      if (grantee == nullptr) co_return s3::refuse(ApiError::malformed_acl);
      if (grantee->value("ID") != store_owner_id) {
        co_return s3::refuse(ApiError::access_denied,
                             "ACLs are not supported; use grants or presigned URLs.");
      }
    }
  }
  co_return empty_reply(200);
}

}  // namespace

S3Answer get_bucket_acl(S3Call& call) {
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  co_return xml_reply(private_acl());
}

S3Answer put_bucket_acl(S3Call& call) {
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  co_return co_await accept_private(call);
}

S3Answer get_object_acl(S3Call& call) {
  auto found = co_await call.store().head({call.bucket(), call.key(), call.version(), {}, {}, {}});
  if (!found) co_return refuse_with(found.error());
  co_return xml_reply(private_acl());
}

S3Answer put_object_acl(S3Call& call) {
  auto found = co_await call.store().head({call.bucket(), call.key(), call.version(), {}, {}, {}});
  if (!found) co_return refuse_with(found.error());
  co_return co_await accept_private(call);
}

}  // namespace holdfast::gateway
