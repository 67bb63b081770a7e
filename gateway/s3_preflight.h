// Which cross-origin rule lets a request's answer be read: the console's, or one of the bucket's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>

#include "gateway/s3_call.h"
#include "gateway/s3_cors.h"

namespace holdfast::gateway {

boost::asio::awaitable<std::optional<CorsRule>> allowing_rule(S3Call& call,
                                                              const CorsQuestion& question);

}  // namespace holdfast::gateway
