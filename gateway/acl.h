// Acl: whom a bucket or an object is open to beyond those with rights of their own: everyone, or
// everyone who is signed in, to read or to write (AWS S3 user guide, "Access control list (ACL)
// overview"). Persons have grants, so that an ACL names nobody but the store's owner, who has
// everything anyway. What an ACL allows is decided in gateway/access.h. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "s3/error.h"

namespace holdfast::gateway {

struct Acl {
  struct Group {
    bool read = false, write = false;
    friend bool operator==(const Group&, const Group&) = default;
  };
  Group everyone;   // AllUsers: anonymous too
  Group signed_in;  // AuthenticatedUsers

  // AWS counts both groups as the public.
  bool is_public() const { return *this != Acl(); }
  bool reads(bool anonymous) const { return everyone.read || (!anonymous && signed_in.read); }
  bool writes(bool anonymous) const { return everyone.write || (!anonymous && signed_in.write); }
  friend bool operator==(const Acl&, const Acl&) = default;
};

// As the store keeps it; empty for a private one.
std::string to_text(const Acl& acl);
// nullopt: not our words, which opens nothing.
std::optional<Acl> acl_from_text(std::string_view text);

// "public-read" and its kin. Empty: private. invalid_argument; not_implemented for log delivery.
s3::ApiResult<Acl> parse_canned_acl(std::string_view name);
// Adds what the header "x-amz-grant-<permission>" gives: uri="…", id="…", separated by commas.
// invalid_argument; not_implemented for persons and for what groups are never given.
s3::ApiResult<void> add_acl_grants(Acl& acl, std::string_view permission,
                                   std::string_view grantees);
// The body of PutBucketAcl and PutObjectAcl. malformed_acl, or as add_acl_grants.
s3::ApiResult<Acl> parse_acl(std::string_view xml);
std::string to_xml(const Acl& acl);

}  // namespace holdfast::gateway
