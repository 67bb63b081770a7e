#include "gateway/s3_operation.h"

#include <array>

namespace holdfast::gateway {
namespace {

using control::Action;

struct Traits {
  Operation operation;
  std::string_view name;
  Action action;
  Action versioned_action;
  bool writes;
};

constexpr Traits reading(Operation operation, std::string_view name, Action action) {
  return {operation, name, action, action, false};
}
constexpr Traits writing(Operation operation, std::string_view name, Action action) {
  return {operation, name, action, action, true};
}

constexpr std::array<Traits, operation_count> table = {{
    reading(Operation::list_buckets, "ListBuckets", Action::list_buckets),
    reading(Operation::access_feed, "WatchAccess", Action::list_buckets),
    reading(Operation::sts, "SecurityToken", Action::list_buckets),
    writing(Operation::create_bucket, "CreateBucket", Action::create_bucket),
    writing(Operation::delete_bucket, "DeleteBucket", Action::delete_bucket),
    reading(Operation::head_bucket, "HeadBucket", Action::head_bucket),
    reading(Operation::get_location, "GetBucketLocation", Action::head_bucket),
    reading(Operation::get_versioning, "GetBucketVersioning", Action::read_bucket_config),
    writing(Operation::put_versioning, "PutBucketVersioning", Action::write_bucket_config),
    reading(Operation::get_document, "GetBucketConfiguration", Action::read_bucket_config),
    writing(Operation::put_document, "PutBucketConfiguration", Action::write_bucket_config),
    writing(Operation::delete_document, "DeleteBucketConfiguration", Action::write_bucket_config),
    reading(Operation::get_bucket_acl, "GetBucketAcl", Action::read_bucket_config),
    writing(Operation::put_bucket_acl, "PutBucketAcl", Action::write_bucket_config),
    reading(Operation::get_policy_status, "GetBucketPolicyStatus", Action::read_bucket_config),
    reading(Operation::get_fixed_config, "GetBucketConfiguration", Action::read_bucket_config),
    reading(Operation::list_objects, "ListObjects", Action::list_objects),
    reading(Operation::list_objects_v2, "ListObjectsV2", Action::list_objects),
    reading(Operation::list_versions, "ListObjectVersions", Action::list_versions),
    reading(Operation::list_uploads, "ListMultipartUploads", Action::list_uploads),
    reading(Operation::watch_changes, "WatchChanges", Action::watch_changes),
    writing(Operation::delete_objects, "DeleteObjects", Action::delete_object),
    writing(Operation::post_form, "PostObject", Action::write_object),
    {Operation::get_object, "GetObject", Action::read_object, Action::read_version, false},
    {Operation::head_object, "HeadObject", Action::read_object, Action::read_version, false},
    writing(Operation::put_object, "PutObject", Action::write_object),
    {Operation::delete_object, "DeleteObject", Action::delete_object, Action::delete_version, true},
    writing(Operation::copy_object, "CopyObject", Action::write_object),
    {Operation::get_attributes, "GetObjectAttributes", Action::read_object, Action::read_version,
     false},
    reading(Operation::get_tagging, "GetObjectTagging", Action::read_tags),
    writing(Operation::put_tagging, "PutObjectTagging", Action::write_tags),
    writing(Operation::delete_tagging, "DeleteObjectTagging", Action::write_tags),
    {Operation::get_retention, "GetObjectRetention", Action::read_object, Action::read_version,
     false},
    writing(Operation::put_retention, "PutObjectRetention", Action::write_retention),
    {Operation::get_legal_hold, "GetObjectLegalHold", Action::read_object, Action::read_version,
     false},
    writing(Operation::put_legal_hold, "PutObjectLegalHold", Action::write_retention),
    {Operation::get_object_acl, "GetObjectAcl", Action::read_object, Action::read_version, false},
    writing(Operation::put_object_acl, "PutObjectAcl", Action::write_object),
    writing(Operation::create_upload, "CreateMultipartUpload", Action::write_object),
    writing(Operation::put_part, "UploadPart", Action::write_object),
    writing(Operation::copy_part, "UploadPartCopy", Action::write_object),
    writing(Operation::complete_upload, "CompleteMultipartUpload", Action::write_object),
    writing(Operation::abort_upload, "AbortMultipartUpload", Action::abort_upload),
    reading(Operation::list_parts, "ListParts", Action::list_parts),
    reading(Operation::preflight, "Preflight", Action::list_buckets),
    reading(Operation::health, "Health", Action::list_buckets),
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].operation) != i) return false;
  }
  return true;
}
static_assert(in_order(), "the table follows the enumeration");

const Traits& traits_of(Operation operation) { return table[static_cast<std::size_t>(operation)]; }

}  // namespace

std::string_view to_string(Operation operation) { return traits_of(operation).name; }

control::Action action_of(Operation operation, bool versioned) {
  const Traits& traits = traits_of(operation);
  return versioned ? traits.versioned_action : traits.action;
}

bool writes(Operation operation) { return traits_of(operation).writes; }

}  // namespace holdfast::gateway
