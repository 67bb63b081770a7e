// Server-side encryption in the words of the API: what a write may ask for, and what answers say.
// The store encrypts all new bodies or none, under keys of its own: that is what AWS calls AES256.
// Keys of clients (SSE-C) and of a key service (aws:kms) are refused, whatever the store does.
#pragma once

#include <string_view>

#include "gateway/s3_call.h"
#include "s3/post_policy.h"

namespace holdfast::gateway {

// Of a write's headers, and of a presigned URL's query where SDKs hoist them to.
// not_implemented, or invalid_encryption_algorithm for an algorithm that nobody has.
s3::ApiResult<void> check_encryption(const S3Call& call);
s3::ApiResult<void> check_encryption(const S3Call& call, const s3::PostFields& form);
// A copy shares the body of its source: it is not made anew for having been asked for.
s3::ApiResult<void> check_encryption_of_copy(const S3Call& call);

// x-amz-server-side-encryption: AES256, where that is certain: of a body that was just written, and
// of one that was there.
void tell_encryption_of_new(net::Headers& headers, const S3Call& call);
void tell_encryption_of_kept(net::Headers& headers, const S3Call& call);

}  // namespace holdfast::gateway
