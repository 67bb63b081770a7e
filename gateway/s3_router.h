// The one router of the S3 listener: method, target and the headers that change an operation's
// meaning. Sub-resources exclude each other: a request that names two of them is refused, so that
// no later code takes another than the one that was judged. Pure; any thread.
#pragma once

#include "gateway/s3_operation.h"
#include "gateway/s3_target.h"
#include "net/http_message.h"
#include "s3/error.h"

namespace holdfast::gateway {

// method_not_allowed; not_implemented for what S3 has and this gateway has not.
s3::ApiResult<Operation> route(const net::RequestHead& request, const S3Target& target);

}  // namespace holdfast::gateway
