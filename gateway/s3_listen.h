// The listen call that MinIO's clients know: GET /BUCKET?prefix=P&suffix=S&events=E (and ping=N),
// answered with one JSON line an event for as long as the caller stays and may, and a blank now and
// then so that both sides know of each other.
#pragma once

#include "gateway/s3_call.h"

namespace holdfast::gateway {

// Those clients always name a suffix, if only an empty one; the change feed's never do.
bool asks_to_listen(const S3Call& call);
S3Answer listen_to_events(S3Call& call);

}  // namespace holdfast::gateway
