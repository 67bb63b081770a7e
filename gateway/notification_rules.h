// A bucket's NotificationConfiguration (S3 API, PutBucketNotificationConfiguration) as rules: which
// events go to which of the administrator's webhooks. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/s3_event_records.h"
#include "s3/error.h"

namespace holdfast::gateway {

struct NotificationRule {
  std::string id;      // of the configuration; may be empty
  std::string target;  // the webhook's id
  EventFilter filter;
};

// invalid_argument: a destination other than arn:holdfast:sqs:REGION:ID:webhook (arn:minio:
// likewise; the region may be left out), an event or a filter that is unknown or never told here.
// Whether there is such a webhook is for the caller to say.
s3::ApiResult<std::vector<NotificationRule>> parse_notifications(std::string_view xml,
                                                                 std::string_view region);

}  // namespace holdfast::gateway
