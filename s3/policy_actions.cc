#include "s3/policy_actions.h"

#include <array>

namespace holdfast::s3 {
namespace {

constexpr auto names = std::to_array<PolicyActionName>({
    {"AbortMultipartUpload", PolicyAction::abort_multipart_upload, true},
    {"BypassGovernanceRetention", PolicyAction::bypass_governance_retention, true},
    {"CreateBucket", PolicyAction::create_bucket, false},
    {"DeleteBucket", PolicyAction::delete_bucket, false},
    {"DeleteBucketPolicy", PolicyAction::delete_bucket_policy, false},
    {"DeleteObject", PolicyAction::delete_object, true},
    {"DeleteObjectTagging", PolicyAction::delete_object_tagging, true},
    {"DeleteObjectVersion", PolicyAction::delete_object_version, true},
    {"DeleteObjectVersionTagging", PolicyAction::delete_object_version_tagging, true},
    {"GetAccelerateConfiguration", PolicyAction::get_accelerate_configuration, false},
    {"GetBucketAcl", PolicyAction::get_bucket_acl, false},
    {"GetBucketCORS", PolicyAction::get_bucket_cors, false},
    {"GetBucketLocation", PolicyAction::get_bucket_location, false},
    {"GetBucketLogging", PolicyAction::get_bucket_logging, false},
    {"GetBucketNotification", PolicyAction::get_bucket_notification, false},
    {"GetBucketObjectLockConfiguration", PolicyAction::get_bucket_object_lock_configuration, false},
    {"GetBucketOwnershipControls", PolicyAction::get_bucket_ownership_controls, false},
    {"GetBucketPolicy", PolicyAction::get_bucket_policy, false},
    {"GetBucketPolicyStatus", PolicyAction::get_bucket_policy_status, false},
    {"GetBucketPublicAccessBlock", PolicyAction::get_bucket_public_access_block, false},
    {"GetBucketRequestPayment", PolicyAction::get_bucket_request_payment, false},
    {"GetBucketTagging", PolicyAction::get_bucket_tagging, false},
    {"GetBucketVersioning", PolicyAction::get_bucket_versioning, false},
    {"GetEncryptionConfiguration", PolicyAction::get_encryption_configuration, false},
    {"GetLifecycleConfiguration", PolicyAction::get_lifecycle_configuration, false},
    {"GetObject", PolicyAction::get_object, true},
    {"GetObjectAcl", PolicyAction::get_object_acl, true},
    {"GetObjectAttributes", PolicyAction::get_object_attributes, true},
    {"GetObjectLegalHold", PolicyAction::get_object_legal_hold, true},
    {"GetObjectRetention", PolicyAction::get_object_retention, true},
    {"GetObjectTagging", PolicyAction::get_object_tagging, true},
    {"GetObjectVersion", PolicyAction::get_object_version, true},
    {"GetObjectVersionAcl", PolicyAction::get_object_version_acl, true},
    {"GetObjectVersionAttributes", PolicyAction::get_object_version_attributes, true},
    {"GetObjectVersionTagging", PolicyAction::get_object_version_tagging, true},
    {"ListAllMyBuckets", PolicyAction::list_all_my_buckets, false},
    {"ListBucket", PolicyAction::list_bucket, false},
    {"ListBucketMultipartUploads", PolicyAction::list_bucket_multipart_uploads, false},
    {"ListBucketVersions", PolicyAction::list_bucket_versions, false},
    {"ListMultipartUploadParts", PolicyAction::list_multipart_upload_parts, true},
    {"PutBucketAcl", PolicyAction::put_bucket_acl, false},
    {"PutBucketCORS", PolicyAction::put_bucket_cors, false},
    {"PutBucketNotification", PolicyAction::put_bucket_notification, false},
    {"PutBucketObjectLockConfiguration", PolicyAction::put_bucket_object_lock_configuration, false},
    {"PutBucketOwnershipControls", PolicyAction::put_bucket_ownership_controls, false},
    {"PutBucketPolicy", PolicyAction::put_bucket_policy, false},
    {"PutBucketPublicAccessBlock", PolicyAction::put_bucket_public_access_block, false},
    {"PutBucketTagging", PolicyAction::put_bucket_tagging, false},
    {"PutBucketVersioning", PolicyAction::put_bucket_versioning, false},
    {"PutEncryptionConfiguration", PolicyAction::put_encryption_configuration, false},
    {"PutLifecycleConfiguration", PolicyAction::put_lifecycle_configuration, false},
    {"PutObject", PolicyAction::put_object, true},
    {"PutObjectAcl", PolicyAction::put_object_acl, true},
    {"PutObjectLegalHold", PolicyAction::put_object_legal_hold, true},
    {"PutObjectRetention", PolicyAction::put_object_retention, true},
    {"PutObjectTagging", PolicyAction::put_object_tagging, true},
    {"PutObjectVersionAcl", PolicyAction::put_object_version_acl, true},
    {"PutObjectVersionTagging", PolicyAction::put_object_version_tagging, true},
    {"DeleteBucketWebsite", PolicyAction::unserved_on_buckets, false},
    {"GetAnalyticsConfiguration", PolicyAction::unserved_on_buckets, false},
    {"GetBucketWebsite", PolicyAction::unserved_on_buckets, false},
    {"GetIntelligentTieringConfiguration", PolicyAction::unserved_on_buckets, false},
    {"GetInventoryConfiguration", PolicyAction::unserved_on_buckets, false},
    {"GetMetricsConfiguration", PolicyAction::unserved_on_buckets, false},
    {"GetReplicationConfiguration", PolicyAction::unserved_on_buckets, false},
    {"PutAccelerateConfiguration", PolicyAction::unserved_on_buckets, false},
    {"PutAnalyticsConfiguration", PolicyAction::unserved_on_buckets, false},
    {"PutBucketLogging", PolicyAction::unserved_on_buckets, false},
    {"PutBucketRequestPayment", PolicyAction::unserved_on_buckets, false},
    {"PutBucketWebsite", PolicyAction::unserved_on_buckets, false},
    {"PutIntelligentTieringConfiguration", PolicyAction::unserved_on_buckets, false},
    {"PutInventoryConfiguration", PolicyAction::unserved_on_buckets, false},
    {"PutMetricsConfiguration", PolicyAction::unserved_on_buckets, false},
    {"PutReplicationConfiguration", PolicyAction::unserved_on_buckets, false},
    {"CreateBucketMetadataTableConfiguration", PolicyAction::unserved_on_buckets, false},
    {"DeleteBucketMetadataTableConfiguration", PolicyAction::unserved_on_buckets, false},
    {"GetBucketMetadataTableConfiguration", PolicyAction::unserved_on_buckets, false},
    {"GetObjectTorrent", PolicyAction::unserved_on_objects, true},
    {"GetObjectVersionForReplication", PolicyAction::unserved_on_objects, true},
    {"GetObjectVersionTorrent", PolicyAction::unserved_on_objects, true},
    {"InitiateReplication", PolicyAction::unserved_on_objects, true},
    {"ObjectOwnerOverrideToBucketOwner", PolicyAction::unserved_on_objects, true},
    {"ReplicateDelete", PolicyAction::unserved_on_objects, true},
    {"ReplicateObject", PolicyAction::unserved_on_objects, true},
    {"ReplicateTags", PolicyAction::unserved_on_objects, true},
    {"RestoreObject", PolicyAction::unserved_on_objects, true},
    {"UpdateObjectEncryption", PolicyAction::unserved_on_objects, true},
});

}  // namespace

std::span<const PolicyActionName> policy_action_names() { return names; }

std::string_view to_string(PolicyAction action) {
  for (const auto& entry : names) {
    if (entry.action == action) return entry.name;
  }
  return {};
}

}  // namespace holdfast::s3
