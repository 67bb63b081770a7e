#include "gateway/s3_router.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace holdfast::gateway {
namespace {

using s3::ApiError;

enum class Method : std::uint8_t { get, head, put, post, remove, options, other };

Method method_of(std::string_view text) {
  if (text == "GET") return Method::get;
  if (text == "HEAD") return Method::head;
  if (text == "PUT") return Method::put;
  if (text == "POST") return Method::post;
  if (text == "DELETE") return Method::remove;
  if (text == "OPTIONS") return Method::options;
  return Method::other;
}

// What a sub-resource does by method; nullopt: not allowed.
struct Subresource {
  std::string_view name;
  std::optional<Operation> get, put, post, remove;
};

constexpr Subresource document(std::string_view name) {
  return {name, Operation::get_document, Operation::put_document, std::nullopt,
          Operation::delete_document};
}
constexpr Subresource reading(std::string_view name, Operation operation) {
  return {name, operation, std::nullopt, std::nullopt, std::nullopt};
}

constexpr std::array bucket_subresources = {
    reading("location", Operation::get_location),
    Subresource{"versioning", Operation::get_versioning, Operation::put_versioning, {}, {}},
    document("cors"),
    document("lifecycle"),
    document("policy"),
    document("tagging"),
    document("notification"),
    document("object-lock"),
    document("publicAccessBlock"),
    document("ownershipControls"),
    document("encryption"),
    Subresource{"acl", Operation::get_bucket_acl, Operation::put_bucket_acl, {}, {}},
    reading("policyStatus", Operation::get_policy_status),
    reading("requestPayment", Operation::get_fixed_config),
    reading("logging", Operation::get_fixed_config),
    reading("accelerate", Operation::get_fixed_config),
    reading("versions", Operation::list_versions),
    reading("uploads", Operation::list_uploads),
    reading("events", Operation::watch_changes),
    Subresource{"delete", {}, {}, Operation::delete_objects, {}},
};

constexpr std::array object_subresources = {
    Subresource{"acl", Operation::get_object_acl, Operation::put_object_acl, {}, {}},
    Subresource{
        "tagging", Operation::get_tagging, Operation::put_tagging, {}, Operation::delete_tagging},
    Subresource{"retention", Operation::get_retention, Operation::put_retention, {}, {}},
    Subresource{"legal-hold", Operation::get_legal_hold, Operation::put_legal_hold, {}, {}},
    reading("attributes", Operation::get_attributes),
    Subresource{"uploads", {}, {}, Operation::create_upload, {}},
    Subresource{"uploadId", Operation::list_parts, Operation::put_part, Operation::complete_upload,
                Operation::abort_upload},
};

// S3's own that are not served: 501, never mistaken for the plain operation.
constexpr std::array<std::string_view, 14> unserved = {
    "analytics", "inventory", "metrics", "intelligent-tiering", "replication",   "website",
    "torrent",   "restore",   "select",  "select-type",         "metadataTable", "renameObject",
    "session",   "abac"};

std::optional<Operation> by_method(const Subresource& resource, Method method) {
  switch (method) {
    case Method::get:
      return resource.get;
    case Method::put:
      return resource.put;
    case Method::post:
      return resource.post;
    case Method::remove:
      return resource.remove;
    default:
      return std::nullopt;
  }
}

s3::ApiResult<Operation> not_allowed() { return s3::refuse(ApiError::method_not_allowed); }

// The only sub-resource of `table` that the query names; null when it names none.
template <class Table>
s3::ApiResult<const Subresource*> find_subresource(const Table& table, const Query& query) {
  const Subresource* found = nullptr;
  for (const auto& [name, value] : query.items()) {
    if (std::ranges::find(unserved, name) != unserved.end()) {
      return s3::refuse(ApiError::not_implemented);
    }
    const auto entry = std::ranges::find(table, std::string_view(name), &Subresource::name);
    if (entry == table.end()) continue;
    if (found != nullptr) {
      return s3::refuse(ApiError::invalid_request, "Conflicting sub-resources in the query.");
    }
    found = &*entry;
  }
  return found;
}

s3::ApiResult<Operation> route_service(Method method, const net::RequestHead& request,
                                       const Query& query) {
  const std::string type = s3::ascii_lower(request.headers.get("content-type"));
  if (method == Method::post && type.starts_with("application/x-www-form-urlencoded")) {
    return Operation::sts;
  }
  if (method != Method::get) return not_allowed();
  return query.has("holdfast-access") ? Operation::access_feed : Operation::list_buckets;
}

s3::ApiResult<Operation> route_bucket(Method method, const net::RequestHead& request,
                                      const Query& query) {
  auto resource = find_subresource(bucket_subresources, query);
  if (!resource) return std::unexpected(std::move(resource.error()));
  if (*resource != nullptr) {
    const auto operation = by_method(**resource, method);
    return operation ? s3::ApiResult<Operation>(*operation) : not_allowed();
  }
  switch (method) {
    case Method::get:
      return query.get("list-type") == "2" ? Operation::list_objects_v2 : Operation::list_objects;
    case Method::head:
      return Operation::head_bucket;
    case Method::put:
      return Operation::create_bucket;
    case Method::remove:
      return Operation::delete_bucket;
    case Method::post:
      if (s3::ascii_lower(request.headers.get("content-type")).starts_with("multipart/form-data")) {
        return Operation::post_form;
      }
      return not_allowed();
    default:
      return not_allowed();
  }
}

s3::ApiResult<Operation> route_object(Method method, const net::RequestHead& request,
                                      const Query& query) {
  auto resource = find_subresource(object_subresources, query);
  if (!resource) return std::unexpected(std::move(resource.error()));
  const bool copies = request.headers.has("x-amz-copy-source");
  if (*resource != nullptr) {
    const auto operation = by_method(**resource, method);
    if (!operation) return not_allowed();
    if (*operation == Operation::put_part && copies) return Operation::copy_part;
    return *operation;
  }
  switch (method) {
    case Method::get:
      return Operation::get_object;
    case Method::head:
      return Operation::head_object;
    case Method::remove:
      return Operation::delete_object;
    case Method::put:
      return copies ? Operation::copy_object : Operation::put_object;
    default:
      return not_allowed();
  }
}

}  // namespace

s3::ApiResult<Operation> route(const net::RequestHead& request, const S3Target& target) {
  const Method method = method_of(request.method);
  if (method == Method::options) return Operation::preflight;
  if (target.bucket.empty()) return route_service(method, request, target.query);
  if (target.key.empty()) return route_bucket(method, request, target.query);
  return route_object(method, request, target.query);
}

}  // namespace holdfast::gateway
