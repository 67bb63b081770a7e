// The operations of the S3 listener (AWS S3 API reference, 2006-03-01, by their names there) and
// what each needs. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "control/policy.h"
#include "store/object_types.h"

namespace holdfast::gateway {

enum class Operation : std::uint8_t {
  // Service
  list_buckets,
  access_feed,
  sts,
  // Buckets
  create_bucket,
  delete_bucket,
  head_bucket,
  get_location,
  get_versioning,
  put_versioning,
  get_document,
  put_document,
  delete_document,
  get_bucket_acl,
  put_bucket_acl,
  get_policy_status,
  get_fixed_config,
  // Listings
  list_objects,
  list_objects_v2,
  list_versions,
  list_uploads,
  watch_changes,
  delete_objects,
  post_form,
  // Objects
  get_object,
  head_object,
  put_object,
  delete_object,
  copy_object,
  get_attributes,
  get_tagging,
  put_tagging,
  delete_tagging,
  get_retention,
  put_retention,
  get_legal_hold,
  put_legal_hold,
  get_object_acl,
  put_object_acl,
  // Multipart
  create_upload,
  put_part,
  copy_part,
  complete_upload,
  abort_upload,
  list_parts,
  // What needs no identity
  preflight,
  health,
  count_,
};

inline constexpr std::size_t operation_count = static_cast<std::size_t>(Operation::count_);

// "GetObject", as AWS and the audit name it.
std::string_view to_string(Operation operation);

// The action that the request's own bucket and key need; `versioned` when it names a version.
control::Action action_of(Operation operation, bool versioned);

// Changes something in the store.
bool writes(Operation operation);

}  // namespace holdfast::gateway
