// Need: one right that a request must have, in the words of the grants and of the policies.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "control/policy.h"
#include "gateway/acl.h"
#include "s3/headers.h"
#include "s3/policy_actions.h"

namespace holdfast::gateway {

struct Need {
  control::Action action = control::Action::list_buckets;
  BucketName bucket;
  std::string path;  // key, or prefix of a listing
  s3::PolicyAction policy_action = s3::PolicyAction::none;
  std::optional<std::string> version;  // that the request names
  bool unless_denied = false;          // beside the main need: only an explicit Deny counts
  // What the object is tagged with, where a policy asks; null: unknown, or there is none.
  std::shared_ptr<const s3::Tags> object_tags = nullptr;
  // Where nothing but the object's ACL can allow it: that of the version with this ETag.
  std::shared_ptr<const Acl> object_acl = nullptr;
  ETag acl_of = {};
  bool of_new_object = false;  // the ACL that is put is that of what this request writes
};

}  // namespace holdfast::gateway
