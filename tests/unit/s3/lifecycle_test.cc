#include "s3/lifecycle.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace holdfast::s3 {
namespace {

std::string configuration(const std::string& rules) {
  return "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" + rules +
         "</LifecycleConfiguration>";
}
std::string rule(const std::string& inside) {
  return "<Rule><Status>Enabled</Status>" + inside + "</Rule>";
}
const std::string anything = "<Filter/>";
const std::string one_day = "<Expiration><Days>1</Days></Expiration>";

ApiResult<LifecycleRules> parse(const std::string& rules) {
  return parse_lifecycle(configuration(rules));
}
std::string refusal(const std::string& rules) {
  const auto parsed = parse(rules);
  return parsed ? "accepted" : std::string(describe(parsed.error().error).code);
}
TimePoint at(const char* text) { return from_rfc3339(text).value(); }

TEST(Lifecycle, ReadsEveryActionAndFilterAndWritesThemBack) {
  const auto rules = parse(
      "<Rule><ID>a</ID><Status>Enabled</Status><Filter><And><Prefix>logs/</Prefix>"
      "<Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan>"
      "<ObjectSizeLessThan>20</ObjectSizeLessThan></And></Filter>"
      "<Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>"
      "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>"
      "<NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>"
      "<Rule><ID>b</ID><Status>Disabled</Status><Prefix>old/</Prefix><Expiration>"
      "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
      "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>"
      "</AbortIncompleteMultipartUpload></Rule>");
  ASSERT_TRUE(rules) << rules.error().message;
  const auto again = parse_lifecycle(write_lifecycle(*rules));
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->size(), 2u);
  const LifecycleRule& a = again->at(0);
  EXPECT_EQ(a.filter.prefix, "logs/");
  EXPECT_EQ(a.filter.tags, (Tags{{"k", "v"}}));
  EXPECT_EQ(a.filter.larger_than, 10u);
  EXPECT_EQ(a.filter.smaller_than, 20u);
  EXPECT_EQ(a.expire_date, at("2030-01-01T00:00:00Z"));
  EXPECT_EQ(a.noncurrent_days, 3u);
  EXPECT_EQ(a.keep_noncurrent, 2u);
  const LifecycleRule& b = again->at(1);
  EXPECT_FALSE(b.enabled);
  EXPECT_TRUE(b.filter.at_rule);
  EXPECT_TRUE(b.expire_markers);
  EXPECT_EQ(b.abort_days, 7u);
}

TEST(Lifecycle, GivesRulesWithoutAnIdOneThatNoOtherHas) {
  const auto rules = parse("<Rule><ID>rule-1</ID><Status>Enabled</Status><Filter/>" + one_day +
                           "</Rule>" + rule(anything + one_day));
  ASSERT_TRUE(rules);
  EXPECT_FALSE(rules->at(1).id.empty());
  EXPECT_NE(rules->at(1).id, "rule-1");
}

TEST(Lifecycle, RefusesWhatAwsRefuses) {
  EXPECT_EQ(refusal(rule(anything + one_day)), "accepted");
  EXPECT_EQ(refusal(""), "MalformedXML");
  EXPECT_EQ(refusal(rule(one_day)), "MalformedXML") << "neither Filter nor Prefix";
  EXPECT_EQ(refusal("<Rule><Status>enabled</Status><Filter/>" + one_day + "</Rule>"),
            "MalformedXML");
  EXPECT_EQ(refusal(rule(anything + "<Expiration><Days>0</Days></Expiration>")), "InvalidArgument");
  EXPECT_EQ(refusal(rule(anything + "<Expiration><Days>-1</Days></Expiration>")),
            "InvalidArgument");
  EXPECT_EQ(refusal(rule(anything + "<Expiration><Days>x</Days></Expiration>")), "MalformedXML");
  EXPECT_EQ(refusal(rule(anything + "<Expiration><Date>20200101</Date></Expiration>")),
            "MalformedXML");
  EXPECT_EQ(refusal(rule(anything + "<Expiration><Date>2020-01-01T01:00:00Z</Date></Expiration>")),
            "InvalidArgument");
  EXPECT_EQ(refusal(rule(anything + "<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true"
                                    "</ExpiredObjectDeleteMarker></Expiration>")),
            "MalformedXML");
  EXPECT_EQ(refusal(rule(anything)), "InvalidRequest") << "no action";
  const std::string same =
      "<Rule><ID>x</ID><Status>Enabled</Status><Filter/>" + one_day + "</Rule>";
  EXPECT_EQ(refusal(same + same), "InvalidArgument");
  EXPECT_EQ(refusal("<Rule><ID>" + std::string(256, 'x') +
                    "</ID><Status>Enabled</Status><Filter/>" + one_day + "</Rule>"),
            "InvalidArgument");
  const std::string tag = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>";
  EXPECT_EQ(refusal(rule(tag + "<Expiration><ExpiredObjectDeleteMarker>true"
                               "</ExpiredObjectDeleteMarker></Expiration>")),
            "InvalidRequest");
  EXPECT_EQ(refusal(rule(tag + "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1"
                               "</DaysAfterInitiation></AbortIncompleteMultipartUpload>")),
            "InvalidRequest");
  EXPECT_EQ(
      refusal(rule(anything + "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
                              "<NewerNoncurrentVersions>101</NewerNoncurrentVersions>"
                              "</NoncurrentVersionExpiration>")),
      "InvalidArgument");
  EXPECT_EQ(refusal(rule("<Filter><And><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan>"
                         "<ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>" +
                         one_day)),
            "InvalidRequest");
  EXPECT_EQ(refusal(rule(anything + "<Transition><Date>1970-08-23T00:55:27Z</Date><StorageClass>"
                                    "GLACIER</StorageClass></Transition>")),
            "InvalidArgument");
  EXPECT_EQ(refusal(rule(anything + "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass>"
                                    "</Transition>")),
            "NotImplemented");
}

TEST(Lifecycle, ARuleAppliesWhereAllItsConditionsHold) {
  LifecycleRule wanted{.id = "r", .enabled = true};
  wanted.filter = {.prefix = "a/", .tags = {{"k", "v"}}, .larger_than = 5, .smaller_than = 9};
  const Tags tags{{"k", "v"}, {"other", "1"}};
  const Tags others{{"k", "w"}};
  EXPECT_TRUE(applies(wanted, {"a/x", 6, &tags}));
  EXPECT_FALSE(applies(wanted, {"b/x", 6, &tags}));
  EXPECT_FALSE(applies(wanted, {"a/x", 5, &tags}));
  EXPECT_FALSE(applies(wanted, {"a/x", 9, &tags}));
  EXPECT_FALSE(applies(wanted, {"a/x", 6, &others}));
  EXPECT_FALSE(applies(wanted, {"a/x", 6, nullptr}));
  EXPECT_FALSE(applies(wanted, {"a/x", 6, &tags, true})) << "a marker has neither size nor tags";
  wanted.enabled = false;
  EXPECT_FALSE(applies(wanted, {"a/x", 6, &tags}));
}

TEST(Lifecycle, DaysEndAtTheNextMidnightUnlessTheyAreShortened) {
  EXPECT_EQ(after_days(at("2026-11-22T05:00:00Z"), 1, whole_day), at("2026-11-24T00:00:00Z"));
  EXPECT_EQ(after_days(at("2026-11-22T00:00:00Z"), 1, whole_day), at("2026-11-23T00:00:00Z"));
  EXPECT_EQ(after_days(at("2026-11-22T05:00:00Z"), 3, std::chrono::seconds(10)),
            at("2026-11-22T05:00:30Z"));
}

TEST(Lifecycle, TheHeaderNamesTheEarliestRule) {
  LifecycleRules rules{{.id = "late", .enabled = true, .expire_days = 9},
                       {.id = "early rule", .enabled = true, .expire_days = 2},
                       {.id = "off", .enabled = false, .expire_days = 1}};
  const auto expiry = expiry_of(rules, {"k", 1}, at("2026-11-22T05:00:00Z"), whole_day);
  ASSERT_TRUE(expiry);
  EXPECT_EQ(expiration_header(*expiry),
            "expiry-date=\"Wed, 25 Nov 2026 00:00:00 GMT\", rule-id=\"early%20rule\"");
}

}  // namespace
}  // namespace holdfast::s3
