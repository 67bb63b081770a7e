// What the holder of a drop grant may see: what they uploaded themselves, and nothing of others,
// not even that it is there. The store keeps who wrote an object; no client can set it.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "gateway/s3_call.h"

namespace holdfast::gateway {

// Only a drop grant allows this call.
bool sees_own_only(const S3Call& call);

// The caller's own of a listing. A page may end early while others' objects fill the prefix; it is
// truncated then and goes on from `next`.
boost::asio::awaitable<Result<store::ListPage>> list_own(S3Call& call, store::ListRequest request);
// The delimiter is not applied: every upload is shown by its key.
boost::asio::awaitable<Result<store::ListUploadsPage>> list_own_uploads(
    S3Call& call, store::ListUploadsRequest request);

// access_denied unless the upload that the call names is the caller's, where that matters.
boost::asio::awaitable<s3::ApiResult<void>> require_own_upload(S3Call& call);

}  // namespace holdfast::gateway
