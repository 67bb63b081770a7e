#include "gateway/s3_policy_facts.h"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "base/encoding.h"
#include "s3/names.h"
#include "s3/policy_document.h"

namespace holdfast::gateway {
namespace {

using s3::PolicyAction;
using Values = std::optional<std::vector<std::string>>;

constexpr std::string_view object_tag = "s3:existingobjecttag/";
constexpr std::string_view request_tag = "s3:requestobjecttag/";

Values one(std::string text) { return std::vector<std::string>{std::move(text)}; }
Values one_of(std::optional<std::string> text) {
  return text ? one(std::move(*text)) : std::nullopt;
}
Values header_value(const S3Call& call, std::string_view name) {
  return call.has_header(name) ? one(std::string(call.header(name))) : std::nullopt;
}

std::string address_of(const boost::asio::ip::tcp::endpoint& peer) {
  auto address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6())
        .to_string();
  }
  return address.to_string();
}

std::string_view auth_type(s3::AuthKind kind) {
  switch (kind) {
    case s3::AuthKind::header:
      return "REST-HEADER";
    case s3::AuthKind::presigned:
      return "REST-QUERY-STRING";
    case s3::AuthKind::post_policy:
    case s3::AuthKind::post_policy_v2:
      return "POST";
    case s3::AuthKind::anonymous:
      break;
  }
  return {};
}

struct DocumentActions {
  std::string_view subresource;
  PolicyAction get, put, remove;
};
constexpr std::array<DocumentActions, 9> document_actions = {{
    {"cors", PolicyAction::get_bucket_cors, PolicyAction::put_bucket_cors,
     PolicyAction::put_bucket_cors},
    {"lifecycle", PolicyAction::get_lifecycle_configuration,
     PolicyAction::put_lifecycle_configuration, PolicyAction::put_lifecycle_configuration},
    {"policy", PolicyAction::get_bucket_policy, PolicyAction::put_bucket_policy,
     PolicyAction::delete_bucket_policy},
    {"tagging", PolicyAction::get_bucket_tagging, PolicyAction::put_bucket_tagging,
     PolicyAction::put_bucket_tagging},
    {"notification", PolicyAction::get_bucket_notification, PolicyAction::put_bucket_notification,
     PolicyAction::put_bucket_notification},
    {"object-lock", PolicyAction::get_bucket_object_lock_configuration,
     PolicyAction::put_bucket_object_lock_configuration,
     PolicyAction::put_bucket_object_lock_configuration},
    {"publicAccessBlock", PolicyAction::get_bucket_public_access_block,
     PolicyAction::put_bucket_public_access_block, PolicyAction::put_bucket_public_access_block},
    {"ownershipControls", PolicyAction::get_bucket_ownership_controls,
     PolicyAction::put_bucket_ownership_controls, PolicyAction::put_bucket_ownership_controls},
    {"encryption", PolicyAction::get_encryption_configuration,
     PolicyAction::put_encryption_configuration, PolicyAction::put_encryption_configuration},
}};

PolicyAction document_action(const S3Call& call) {
  for (const auto& entry : document_actions) {
    if (!call.target.query.has(entry.subresource)) continue;
    if (call.operation == Operation::put_document) return entry.put;
    return call.operation == Operation::delete_document ? entry.remove : entry.get;
  }
  return PolicyAction::none;
}

PolicyAction fixed_action(const S3Call& call) {
  if (call.target.query.has("requestPayment")) return PolicyAction::get_bucket_request_payment;
  if (call.target.query.has("logging")) return PolicyAction::get_bucket_logging;
  return PolicyAction::get_accelerate_configuration;
}

}  // namespace

PolicyAction policy_action_of(const S3Call& call) {
  const bool versioned = call.target.query.has("versionId");
  const auto either = [&](PolicyAction plain, PolicyAction of_version) {
    return versioned ? of_version : plain;
  };
  switch (call.operation) {
    case Operation::list_buckets:
      return PolicyAction::list_all_my_buckets;
    case Operation::create_bucket:
      return PolicyAction::create_bucket;
    case Operation::delete_bucket:
      return PolicyAction::delete_bucket;
    case Operation::head_bucket:
    case Operation::list_objects:
    case Operation::list_objects_v2:
    case Operation::watch_changes:
      return PolicyAction::list_bucket;
    case Operation::get_location:
      return PolicyAction::get_bucket_location;
    case Operation::get_versioning:
      return PolicyAction::get_bucket_versioning;
    case Operation::put_versioning:
      return PolicyAction::put_bucket_versioning;
    case Operation::get_document:
    case Operation::put_document:
    case Operation::delete_document:
      return document_action(call);
    case Operation::get_bucket_acl:
      return PolicyAction::get_bucket_acl;
    case Operation::put_bucket_acl:
      return PolicyAction::put_bucket_acl;
    case Operation::get_policy_status:
      return PolicyAction::get_bucket_policy_status;
    case Operation::get_fixed_config:
      return fixed_action(call);
    case Operation::list_versions:
      return PolicyAction::list_bucket_versions;
    case Operation::list_uploads:
      return PolicyAction::list_bucket_multipart_uploads;
    case Operation::get_object:
    case Operation::head_object:
      return either(PolicyAction::get_object, PolicyAction::get_object_version);
    case Operation::get_attributes:
      return either(PolicyAction::get_object_attributes,
                    PolicyAction::get_object_version_attributes);
    case Operation::put_object:
    case Operation::copy_object:
    case Operation::post_form:
    case Operation::create_upload:
    case Operation::put_part:
    case Operation::copy_part:
    case Operation::complete_upload:
      return PolicyAction::put_object;
    case Operation::delete_object:
    case Operation::delete_objects:
      return either(PolicyAction::delete_object, PolicyAction::delete_object_version);
    case Operation::get_tagging:
      return either(PolicyAction::get_object_tagging, PolicyAction::get_object_version_tagging);
    case Operation::put_tagging:
      return either(PolicyAction::put_object_tagging, PolicyAction::put_object_version_tagging);
    case Operation::delete_tagging:
      return either(PolicyAction::delete_object_tagging,
                    PolicyAction::delete_object_version_tagging);
    case Operation::get_retention:
      return PolicyAction::get_object_retention;
    case Operation::put_retention:
      return PolicyAction::put_object_retention;
    case Operation::get_legal_hold:
      return PolicyAction::get_object_legal_hold;
    case Operation::put_legal_hold:
      return PolicyAction::put_object_legal_hold;
    case Operation::get_object_acl:
      return either(PolicyAction::get_object_acl, PolicyAction::get_object_version_acl);
    case Operation::put_object_acl:
      return either(PolicyAction::put_object_acl, PolicyAction::put_object_version_acl);
    case Operation::abort_upload:
      return PolicyAction::abort_multipart_upload;
    case Operation::list_parts:
      return PolicyAction::list_multipart_upload_parts;
    default:
      return PolicyAction::none;
  }
}

std::optional<s3::Tags> request_tags_of(const S3Call& call) {
  if (call.request_tags) return call.request_tags;
  const std::string_view text =
      call.has_header("x-amz-tagging") ? call.header("x-amz-tagging") : call.query("x-amz-tagging");
  if (text.empty()) return std::nullopt;
  auto tags = s3::parse_tagging_header(text);
  return tags ? std::optional(std::move(*tags)) : std::nullopt;  // the handler refuses it anyway
}

Values CallFacts::of_principal(std::string_view key) const {
  const std::string& name = call_.identity.principal.value;
  if (key == "aws:principaltype") return one(name.empty() ? "Anonymous" : "User");
  if (name.empty()) return std::nullopt;
  if (key == "aws:username" || key == "aws:userid") return one(name);
  if (key == "aws:principalaccount") return one(std::string(s3::store_account));
  if (key == "aws:principalarn") {
    return one(fmt::format("arn:aws:iam::{}:user/{}", s3::store_account, name));
  }
  return std::nullopt;
}

Values CallFacts::of_connection(std::string_view key) const {
  const TimePoint now = call_.backend.clock.now();
  if (key == "aws:sourceip") return one(address_of(call_.exchange.peer()));
  if (key == "aws:securetransport") return one(call_.exchange.secure() ? "true" : "false");
  if (key == "aws:currenttime") return one(to_rfc3339(now));
  if (key == "aws:epochtime") {
    const auto since = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
    return one(std::to_string(since.count()));
  }
  if (key == "aws:referer") return header_value(call_, "referer");
  if (key == "aws:useragent") return header_value(call_, "user-agent");
  return std::nullopt;
}

// A header, or, in a POST form, the field; or what an SDK hoisted into a presigned URL's query.
std::optional<std::string> CallFacts::parameter(std::string_view name) const {
  if (call_.form != nullptr) {
    const std::string* field = s3::find_field(*call_.form, name == "x-amz-acl" ? "acl" : name);
    return field == nullptr ? std::nullopt : std::optional(*field);
  }
  if (call_.has_header(name)) return std::string(call_.header(name));
  if (call_.target.query.has(name)) return std::string(call_.query(name));
  return std::nullopt;
}

Values CallFacts::of_request(std::string_view key) const {
  const std::string_view name = key.substr(3);
  const auto listed = [&]() -> Values {
    if (!call_.target.query.has(name)) return std::nullopt;
    return one(std::string(call_.query(name)));
  };
  // Whether a key may be listed is asked beside a read, too: as a listing of that key alone.
  if (name == "prefix" && need_.action == control::Action::list_objects && !call_.key().empty()) {
    return one(need_.path);
  }
  if (name == "prefix" || name == "delimiter" || name == "max-keys") return listed();
  if (name == "versionid") return one_of(need_.version);
  if (name == "authtype") {
    const auto type = auth_type(call_.identity.kind);
    return type.empty() ? std::nullopt : one(std::string(type));
  }
  if (name == "signatureversion") {
    if (call_.identity.kind == s3::AuthKind::anonymous) return std::nullopt;
    return one(call_.identity.kind == s3::AuthKind::post_policy_v2 ? "AWS" : "AWS4-HMAC-SHA256");
  }
  if (name == "signatureage") {
    if (call_.identity.kind != s3::AuthKind::presigned) return std::nullopt;
    const auto age = call_.backend.clock.now() - call_.identity.signature.timestamp;
    return one(std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(age).count()));
  }
  if (name == "x-amz-copy-source") {
    if (!call_.source) return std::nullopt;
    return one(call_.source->bucket + "/" + call_.source->key);
  }
  if (name.starts_with("x-amz-")) return one_of(parameter(name));
  return std::nullopt;
}

Values CallFacts::of_tags(std::string_view key) const {
  if (key.starts_with(object_tag)) {
    if (need_.object_tags == nullptr) return std::nullopt;
    const auto found = need_.object_tags->find(std::string(key.substr(object_tag.size())));
    return found == need_.object_tags->end() ? std::nullopt : one(found->second);
  }
  const auto tags = request_tags_of(call_);
  if (!tags) return std::nullopt;
  if (key.starts_with(request_tag)) {
    const auto found = tags->find(std::string(key.substr(request_tag.size())));
    return found == tags->end() ? std::nullopt : one(found->second);
  }
  std::vector<std::string> names;
  for (const auto& [name, value] : *tags) names.push_back(name);
  return names;
}

Values CallFacts::values(std::string_view key) const {
  if (key.starts_with(object_tag) || key.starts_with("s3:requestobjecttag")) return of_tags(key);
  if (key.starts_with("s3:")) return of_request(key);
  if (auto known = of_connection(key)) return known;
  return of_principal(key);
}

}  // namespace holdfast::gateway
