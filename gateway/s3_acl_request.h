// The ACL that a request names, read the same wherever it stands: x-amz-acl or x-amz-grant-*, as a
// header or hoisted into the query of a presigned URL, or the field "acl" of a form. It is judged
// (needs_of) and kept by these same words. Any thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>

#include "gateway/acl.h"
#include "gateway/s3_call.h"

namespace holdfast::gateway {

// nullopt: it names none. invalid_request where it names one twice; invalid_argument.
s3::ApiResult<std::optional<Acl>> named_acl(const S3Call& call);

// Whether the call's bucket takes it: a private one always; others never in homes, nor where the
// public access block blocks them (access_denied), nor where object ownership turns ACLs off.
boost::asio::awaitable<s3::ApiResult<void>> check_acl(const S3Call& call, Acl acl);

// The same where it is known how far ACLs go.
s3::ApiResult<void> check_acl(const S3Call& call, const Acl& acl, const Sharing& sharing);

// Makes it that of the call's bucket: the next request is judged by it. REQUIRES: it was checked.
boost::asio::awaitable<s3::ApiResult<void>> keep_bucket_acl(S3Call& call, Acl acl);

// What a write of an object keeps: named, checked, as the store's text.
boost::asio::awaitable<s3::ApiResult<std::string>> acl_to_keep(const S3Call& call);

}  // namespace holdfast::gateway
