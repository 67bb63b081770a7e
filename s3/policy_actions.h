// The actions that policies name ("s3:GetObject", AWS service authorization reference, "Actions
// defined by Amazon S3"), and which kind of resource each is about. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace holdfast::s3 {

enum class PolicyAction : std::uint8_t {
  none,  // what no policy can name: judged by grants alone
  abort_multipart_upload,
  bypass_governance_retention,
  create_bucket,
  delete_bucket,
  delete_bucket_policy,
  delete_object,
  delete_object_tagging,
  delete_object_version,
  delete_object_version_tagging,
  get_accelerate_configuration,
  get_bucket_acl,
  get_bucket_cors,
  get_bucket_location,
  get_bucket_logging,
  get_bucket_notification,
  get_bucket_object_lock_configuration,
  get_bucket_ownership_controls,
  get_bucket_policy,
  get_bucket_policy_status,
  get_bucket_public_access_block,
  get_bucket_request_payment,
  get_bucket_tagging,
  get_bucket_versioning,
  get_encryption_configuration,
  get_lifecycle_configuration,
  get_object,
  get_object_acl,
  get_object_attributes,
  get_object_legal_hold,
  get_object_retention,
  get_object_tagging,
  get_object_version,
  get_object_version_acl,
  get_object_version_attributes,
  get_object_version_tagging,
  list_all_my_buckets,
  list_bucket,
  list_bucket_multipart_uploads,
  list_bucket_versions,
  list_multipart_upload_parts,
  put_bucket_acl,
  put_bucket_cors,
  put_bucket_notification,
  put_bucket_object_lock_configuration,
  put_bucket_ownership_controls,
  put_bucket_policy,
  put_bucket_public_access_block,
  put_bucket_tagging,
  put_bucket_versioning,
  put_encryption_configuration,
  put_lifecycle_configuration,
  put_object,
  put_object_acl,
  put_object_legal_hold,
  put_object_retention,
  put_object_tagging,
  put_object_version_acl,
  put_object_version_tagging,
  unserved_on_buckets,  // the rest of AWS's list: valid in a policy, never asked for here
  unserved_on_objects,
};

struct PolicyActionName {
  std::string_view name;  // without "s3:"
  PolicyAction action;
  bool on_objects;  // else on the bucket
};
std::span<const PolicyActionName> policy_action_names();

// "GetObject"; empty for none.
std::string_view to_string(PolicyAction action);

}  // namespace holdfast::s3
