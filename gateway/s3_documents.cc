#include <array>
#include <utility>

#include "gateway/bucket_rules.h"
#include "gateway/s3_cors.h"
#include "gateway/s3_handlers.h"
#include "gateway/s3_payload.h"
#include "s3/lifecycle.h"
#include "s3/messages.h"
#include "s3/policy_document.h"
#include "s3/xml.h"

namespace holdfast::gateway {
namespace {

using s3::ApiError;
using store::BucketDocument;

// A sub-resource that is kept as the client sent it. `fallback` is the answer where none was put;
// where it is empty, `missing` is.
struct DocumentKind {
  std::string_view subresource;
  BucketDocument kind;
  std::string_view root;
  ApiError missing;
  std::string_view fallback;
};

constexpr std::string_view no_notifications =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>";
constexpr std::array kinds = {
    DocumentKind{"cors", BucketDocument::cors, "CORSConfiguration", ApiError::cors_not_found, ""},
    DocumentKind{"lifecycle", BucketDocument::lifecycle, "LifecycleConfiguration",
                 ApiError::lifecycle_not_found, ""},
    DocumentKind{"policy", BucketDocument::policy, "", ApiError::no_such_bucket_policy, ""},
    DocumentKind{"tagging", BucketDocument::tagging, "Tagging", ApiError::no_such_tag_set, ""},
    DocumentKind{"notification", BucketDocument::notification, "NotificationConfiguration",
                 ApiError::invalid_request, no_notifications},
    DocumentKind{"object-lock", BucketDocument::object_lock, "ObjectLockConfiguration",
                 ApiError::object_lock_configuration_not_found, ""},
    DocumentKind{"publicAccessBlock", BucketDocument::public_access_block,
                 "PublicAccessBlockConfiguration", ApiError::public_access_block_not_found, ""},
    DocumentKind{"ownershipControls", BucketDocument::ownership_controls, "OwnershipControls",
                 ApiError::ownership_controls_not_found, ""},
    DocumentKind{"encryption", BucketDocument::encryption, "ServerSideEncryptionConfiguration",
                 ApiError::encryption_not_found, ""},
};

// What holds on a store that encrypts, whatever was put (AWS: SSE-S3 is every bucket's default).
constexpr std::string_view store_encrypts =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>"
    "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
    "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>"
    "</ServerSideEncryptionConfiguration>";

constexpr std::size_t document_limit = 1u << 20;
constexpr std::size_t policy_limit = 20u << 10;

// REQUIRES: the router found one of them.
const DocumentKind& kind_of(const S3Call& call) {
  for (const DocumentKind& kind : kinds) {
    if (call.target.query.has(kind.subresource)) return kind;
  }
  std::unreachable();
}

s3::ApiResult<void> check_lock(std::string_view text) {
  auto root = s3::read_xml(text, "ObjectLockConfiguration");
  if (!root) return std::unexpected(std::move(root.error()));
  if (root->value("ObjectLockEnabled") != "Enabled") return s3::refuse(ApiError::malformed_xml);
  const s3::XmlNode* rule = root->child("Rule");
  if (rule == nullptr) return {};
  const s3::XmlNode* retention = rule->child("DefaultRetention");
  if (retention == nullptr) return s3::refuse(ApiError::malformed_xml);
  const std::string_view mode = retention->value("Mode");
  if (mode != "GOVERNANCE" && mode != "COMPLIANCE") return s3::refuse(ApiError::malformed_xml);
  const bool days = retention->child("Days") != nullptr;
  const bool years = retention->child("Years") != nullptr;
  if (days == years) return s3::refuse(ApiError::malformed_xml);
  const auto period = s3::parse_u64(retention->value(days ? "Days" : "Years"));
  if (!period || *period == 0 || *period > 36'500) {
    return s3::refuse(ApiError::invalid_retention_period);
  }
  return {};
}

// Encryption is the store's: a bucket may ask for what it does.
s3::ApiResult<void> check_bucket_encryption(std::string_view text, BodyEncryption does) {
  auto root = s3::read_xml(text, "ServerSideEncryptionConfiguration");
  if (!root) return std::unexpected(std::move(root.error()));
  const s3::XmlNode* rule = root->child("Rule");
  const s3::XmlNode* asked =
      rule != nullptr ? rule->child("ApplyServerSideEncryptionByDefault") : nullptr;
  if (asked == nullptr) return s3::refuse(ApiError::malformed_xml);
  if (does == BodyEncryption::none) {
    return s3::refuse(ApiError::not_implemented,
                      "Encryption is a property of the whole store, not of one bucket, and this "
                      "one does not encrypt (store.root_key_file).");
  }
  if (asked->value("SSEAlgorithm") == "AES256") return {};
  return s3::refuse(ApiError::not_implemented,
                    "The store encrypts under its own keys (AES256); those of a key service "
                    "(aws:kms) are not supported.");
}

// May put `text` into another form.
s3::ApiResult<void> check_text(const DocumentKind& kind, BodyEncryption encryption,
                               std::string& text) {
  switch (kind.kind) {
    case BucketDocument::policy:
      return {};  // held against its bucket by check_policy
    case BucketDocument::public_access_block: {
      auto block = parse_public_access_block(text);
      if (!block) return std::unexpected(std::move(block.error()));
      return {};
    }
    case BucketDocument::ownership_controls:
      if (auto known = parse_ownership_controls(text); !known) {
        return std::unexpected(std::move(known.error()));
      }
      return {};
    case BucketDocument::object_lock:
      return check_lock(text);
    case BucketDocument::cors: {
      auto rules = parse_cors(text);
      if (!rules) return std::unexpected(std::move(rules.error()));
      return {};
    }
    case BucketDocument::tagging: {
      auto tags = s3::parse_tagging(text, 50);
      if (!tags) return std::unexpected(std::move(tags.error()));
      return {};
    }
    case BucketDocument::encryption:
      return check_bucket_encryption(text, encryption);
    case BucketDocument::lifecycle: {
      auto rules = s3::parse_lifecycle(text);
      if (!rules) return std::unexpected(std::move(rules.error()));
      text = s3::write_lifecycle(*rules);  // with an id for every rule
      return {};
    }
    default:
      return s3::check_document(text, kind.root);
  }
}

// A policy that is enforced as it stands, and that its bucket's block lets through.
boost::asio::awaitable<s3::ApiResult<void>> check_policy(S3Call& call, std::string_view text) {
  auto policy = s3::PolicyDocument::parse_bucket_policy(text, call.bucket().value);
  if (!policy) co_return std::unexpected(std::move(policy.error()));
  if (!policy->is_public()) co_return s3::ApiResult<void>();
  auto block = co_await call.backend.rules.block_of(call.bucket());
  if (!block) co_return refuse_with(block.error());
  if (!block->block_policy) co_return s3::ApiResult<void>();
  co_return s3::refuse(ApiError::access_denied,
                       "Public policies are blocked by the bucket's public access block.");
}

bool rules_change(const DocumentKind& kind) {
  return kind.kind == BucketDocument::policy || kind.kind == BucketDocument::public_access_block ||
         kind.kind == BucketDocument::ownership_controls;
}

S3Reply document_reply(const DocumentKind& kind, std::string text) {
  S3Reply reply = xml_reply(std::move(text));
  if (kind.kind == BucketDocument::policy) {
    reply.head.headers.set("Content-Type", "application/json");
  }
  return reply;
}

}  // namespace

S3Answer get_document(S3Call& call) {
  const DocumentKind& kind = kind_of(call);
  auto text = co_await call.store().bucket_document(call.bucket(), kind.kind);
  const bool encrypts = call.backend.options.encryption != BodyEncryption::none;
  if (encrypts && kind.kind == BucketDocument::encryption &&
      (text || text.error().code == ErrorCode::not_found)) {
    co_return document_reply(kind, std::string(store_encrypts));
  }
  if (text && !text->empty()) co_return document_reply(kind, std::move(*text));
  if (!text && text.error().code != ErrorCode::not_found) co_return refuse_with(text.error());
  // What holds where nothing was put (BucketRulesBook): as AWS makes buckets since April 2023, or
  // as it made them before.
  const bool closed = call.backend.options.block_public_access;
  if (closed && kind.kind == BucketDocument::public_access_block) {
    co_return document_reply(kind, to_xml(PublicAccessBlock()));
  }
  if (closed && kind.kind == BucketDocument::ownership_controls) {
    co_return document_reply(kind, to_xml(Ownership::owner_enforced));
  }
  if (kind.fallback.empty()) co_return s3::refuse(kind.missing);
  co_return document_reply(kind, std::string(kind.fallback));
}

S3Answer put_document(S3Call& call) {
  const DocumentKind& kind = kind_of(call);
  const bool policy = kind.kind == BucketDocument::policy;
  auto text = co_await read_document(call, policy ? policy_limit : document_limit);
  if (!text) co_return std::unexpected(std::move(text.error()));
  if (auto good = check_text(kind, call.backend.options.encryption, *text); !good) {
    co_return std::unexpected(std::move(good.error()));
  }
  if (policy) {
    if (auto good = co_await check_policy(call, *text); !good) {
      co_return std::unexpected(std::move(good.error()));
    }
  }
  if (kind.kind == BucketDocument::object_lock) {
    auto bucket = co_await call.store().head_bucket(call.bucket());
    if (!bucket) co_return refuse_with(bucket.error());
    if (bucket->versioning != store::Versioning::enabled) {
      co_return s3::refuse(ApiError::invalid_bucket_state,
                           "Versioning must be 'Enabled' on the bucket to apply a Object Lock "
                           "configuration");
    }
  }
  auto done = co_await call.store().set_bucket_document(call.bucket(), kind.kind, std::move(*text));
  call.backend.expirations.forget(call.bucket());
  if (rules_change(kind)) co_await call.backend.rules.reload(call.bucket());
  if (!done) co_return refuse_with(done.error());
  co_return empty_reply(policy ? 204 : 200);
}

S3Answer delete_document(S3Call& call) {
  const DocumentKind& kind = kind_of(call);
  if (kind.kind == BucketDocument::object_lock) co_return s3::refuse(ApiError::method_not_allowed);
  auto done = co_await call.store().set_bucket_document(call.bucket(), kind.kind, {});
  call.backend.expirations.forget(call.bucket());
  if (rules_change(kind)) co_await call.backend.rules.reload(call.bucket());
  if (!done) co_return refuse_with(done.error());
  co_return empty_reply(204);
}

S3Answer get_policy_status(S3Call& call) {
  auto text = co_await call.store().bucket_document(call.bucket(), BucketDocument::policy);
  if (!text && text.error().code == ErrorCode::not_found) {
    co_return s3::refuse(ApiError::no_such_bucket_policy);
  }
  if (!text) co_return refuse_with(text.error());
  const auto policy = s3::PolicyDocument::parse_bucket_policy(*text, call.bucket().value);
  s3::XmlWriter xml;
  xml.open_root("PolicyStatus");
  xml.element("IsPublic", policy && policy->is_public() ? "true" : "false");
  co_return xml_reply(xml.finish());
}

S3Answer get_fixed_config(S3Call& call) {
  auto bucket = co_await call.store().head_bucket(call.bucket());
  if (!bucket) co_return refuse_with(bucket.error());
  s3::XmlWriter xml;
  if (call.target.query.has("requestPayment")) {
    xml.open_root("RequestPaymentConfiguration");
    xml.element("Payer", "BucketOwner");
  } else if (call.target.query.has("logging")) {
    xml.open_root("BucketLoggingStatus");
  } else {
    xml.open_root("AccelerateConfiguration");
  }
  co_return xml_reply(xml.finish());
}

}  // namespace holdfast::gateway
