#include "gateway/notification_rules.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::gateway {
namespace {

std::string configuration(const std::string& arn, const std::string& events,
                          const std::string& filter = "") {
  return "<NotificationConfiguration><QueueConfiguration><Id>one</Id><Queue>" + arn + "</Queue>" +
         events + (filter.empty() ? "" : "<Filter><S3Key>" + filter + "</S3Key></Filter>") +
         "</QueueConfiguration></NotificationConfiguration>";
}
std::string event(const std::string& name) { return "<Event>" + name + "</Event>"; }
std::string rule(const std::string& name, const std::string& value) {
  return "<FilterRule><Name>" + name + "</Name><Value>" + value + "</Value></FilterRule>";
}

constexpr auto good_arn = "arn:holdfast:sqs::x:webhook";

s3::ApiError refusal(const std::string& xml) {
  const auto rules = parse_notifications(xml, "eu-west-1");
  return rules ? s3::ApiError::internal_error : rules.error().error;
}

TEST(NotificationRules, NameAWebhookByEitherArnWithTheRegionOrWithout) {
  for (const char* arn : {"arn:holdfast:sqs::x:webhook", "arn:minio:sqs::x:webhook",
                          "arn:minio:sqs:eu-west-1:x:webhook"}) {
    const auto rules =
        parse_notifications(configuration(arn, event("s3:ObjectCreated:*")), "eu-west-1");
    ASSERT_TRUE(rules) << arn;
    ASSERT_EQ(rules->size(), 1u);
    EXPECT_EQ(rules->front().target, "x");
    EXPECT_EQ(rules->front().id, "one");
  }
  const auto none = parse_notifications("<NotificationConfiguration/>", "eu-west-1");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(NotificationRules, RefuseDestinationsThatAreNoWebhook) {
  for (const char* arn :
       {"", "x", "arn:aws:sqs:eu-west-1:1234:queue", "arn:minio:sqs:other-region:x:webhook",
        "arn:minio:sqs:::webhook", "arn:minio:sqs::x:kafka", "arn:minio:sqs::x:y:webhook",
        "arn:minio:sqs:webhook"}) {
    EXPECT_EQ(refusal(configuration(arn, event("s3:ObjectCreated:*"))),
              s3::ApiError::invalid_argument)
        << arn;
  }
  EXPECT_EQ(refusal("<NotificationConfiguration><TopicConfiguration/></NotificationConfiguration>"),
            s3::ApiError::invalid_argument);
}

TEST(NotificationRules, RefuseEventsThatAreNeverTold) {
  for (const char* name : {"s3:ObjectCreated:Nonsense", "s3:ReducedRedundancyLostObject", "", "*",
                           "ObjectCreated:Put", "s3:ObjectCreated:Copy"}) {
    EXPECT_EQ(refusal(configuration(good_arn, event(name))), s3::ApiError::invalid_argument)
        << name;
  }
  EXPECT_EQ(refusal(configuration(good_arn, "")), s3::ApiError::malformed_xml);
  EXPECT_TRUE(parse_notifications(
      configuration(good_arn, event("s3:ObjectCreated:Copy") + event("s3:ObjectCreated:Put")),
      "eu-west-1"));
}

TEST(NotificationRules, FilterByPrefixSuffixAndEvent) {
  const auto rules =
      parse_notifications(configuration(good_arn, event("s3:ObjectCreated:*"),
                                        rule("Prefix", "in/") + rule("suffix", ".csv")),
                          "eu-west-1");
  ASSERT_TRUE(rules);
  store::Change change;
  change.etag = ETag("0123");
  change.key = ObjectKey("in/a.csv");
  EXPECT_TRUE(rules->front().filter.wants(change));
  change.kind = store::ChangeKind::delete_marker;
  EXPECT_FALSE(rules->front().filter.wants(change));
  change.kind = store::ChangeKind::put;
  change.key = ObjectKey("in/a.txt");
  EXPECT_FALSE(rules->front().filter.wants(change));
  change.key = ObjectKey("out/a.csv");
  EXPECT_FALSE(rules->front().filter.wants(change));

  for (const auto& filter : {rule("infix", "x"), rule("prefix", "a") + rule("Prefix", "b"),
                             rule("suffix", std::string(1025, 'x'))}) {
    EXPECT_EQ(refusal(configuration(good_arn, event("s3:ObjectRemoved:*"), filter)),
              s3::ApiError::invalid_argument);
  }
}

}  // namespace
}  // namespace holdfast::gateway
