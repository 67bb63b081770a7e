// The one owner that a store without ACLs shows: every object is the store's, rights are grants'.
#pragma once

#include <fmt/format.h>

#include <string>

#include "s3/policy_document.h"
#include "s3/results.h"

namespace holdfast::gateway {

inline constexpr const char* store_owner_id =
    "686f6c6466617374686f6c6466617374686f6c6466617374686f6c6466617374";

inline s3::Owner store_owner() { return {store_owner_id, "holdfast"}; }

// Who began an upload, named as AWS names a user of an account: by the ARN that GetCallerIdentity
// tells and policies take. Where the store does not know it, the store's owner.
inline s3::Owner initiator_of(const std::string& uploader) {
  if (uploader.empty()) return store_owner();
  return {fmt::format("arn:aws:iam::{}:user/{}", s3::store_account, uploader), uploader};
}

}  // namespace holdfast::gateway
