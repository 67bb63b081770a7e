// Whose an object or an upload is. The store keeps who began it; no client can set that.
// The holder of a drop grant sees what they uploaded themselves, and nothing of others, not even
// that it is there. Who may write by a bucket's policy alone goes on with uploads that they began,
// and with no others (S3 user guide, "Multipart upload API and permissions").
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

// Before the call is judged: who began an upload may abort it and list its parts while they may
// write there, unless a policy denies that by its name. Changes the call's needs to say so.
boost::asio::awaitable<s3::ApiResult<void>> admit_initiator(S3Call& call);

// access_denied or no_such_upload unless the upload that the call names is the caller's, where that
// matters. REQUIRES: the call was judged.
boost::asio::awaitable<s3::ApiResult<void>> require_own_upload(S3Call& call);

}  // namespace holdfast::gateway
