// What is asked of an endpoint's STS: the narrowest policy that says what was granted.
#include "store/session_policy.h"

#include <boost/json/parse.hpp>

#include "store/sts_client.h"
#include "store_test.h"

namespace holdfast::store {
namespace {

namespace json = boost::json;

json::array statements_of(const std::string& policy) {
  return json::parse(policy).at("Statement").as_array();
}

TEST(SessionPolicy, ReadsAPrefixByWholeComponents) {
  for (const char* prefix : {"public/", "public"}) {
    const SessionPlace place{BucketName("hf-research"), prefix, SessionRight::read};
    EXPECT_EQ(statements_of(session_policy({&place, 1})),
              json::parse(R"([{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],
                "Resource":["arn:aws:s3:::hf-research/public","arn:aws:s3:::hf-research/public/*"]},
               {"Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketVersions"],
                "Resource":["arn:aws:s3:::hf-research"],
                "Condition":{"StringLike":{"s3:prefix":["public/*"]}}}])"))
        << prefix;
  }
}

TEST(SessionPolicy, WritesOnlyWhereThatIsGranted) {
  const std::vector<SessionPlace> places = {{BucketName("a-bucket"), "r/", SessionRight::read},
                                            {BucketName("b-bucket"), "", SessionRight::write}};
  const auto statements = statements_of(session_policy(places));
  ASSERT_EQ(statements.size(), 4u);
  EXPECT_EQ(statements[1].at("Resource"), json::parse(R"(["arn:aws:s3:::b-bucket/*"])"));
  EXPECT_EQ(statements[1].at("Action"),
            json::parse(R"(["s3:PutObject","s3:DeleteObject","s3:AbortMultipartUpload",
                           "s3:ListMultipartUploadParts"])"));
  EXPECT_FALSE(statements[3].as_object().contains("Condition"));
}

TEST(SessionPolicy, OfAPartPutsThatKeyOnly) {
  const auto policy = part_policy(BucketName("hf-research"), ObjectKey("a dir/big.bin"));
  ASSERT_TRUE(policy);
  EXPECT_EQ(statements_of(*policy), json::parse(R"([{"Effect":"Allow","Action":["s3:PutObject"],
                             "Resource":["arn:aws:s3:::hf-research/a dir/big.bin"]}])"));
}

TEST(SessionPolicy, NamesNothingThatCouldMeanMore) {
  for (const char* key : {"a*", "a?", "${aws:username}", "a\"b", "a\\b", "a\nb", "ü", "a\xff"}) {
    EXPECT_FALSE(can_be_named(key)) << key;
    EXPECT_FALSE(part_policy(BucketName("hf-research"), ObjectKey(key))) << key;
  }
}

TEST(AssumedRole, IsReadWholeOrNotAtAll) {
  const std::string whole =
      "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AK</AccessKeyId>"
      "<Expiration>2026-11-28T22:59:04.056683049Z</Expiration><SecretAccessKey>S</SecretAccessKey>"
      "<SessionToken>T/+=</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>";
  const auto lent = parse_assume_role(whole);
  ASSERT_TRUE(lent) << lent.error().context;
  EXPECT_EQ(lent->pair.access_key, "AK");
  EXPECT_EQ(lent->pair.secret_key, "S");
  EXPECT_EQ(lent->pair.session_token, "T/+=");
  EXPECT_GT(lent->until, TimePoint());
  for (const std::string part : {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}) {
    auto without = whole;
    for (auto at = without.find(part); at != std::string::npos; at = without.find(part)) {
      without.replace(at, part.size(), "Other");
    }
    EXPECT_FALSE(parse_assume_role(without)) << part;
  }
  EXPECT_FALSE(parse_assume_role("<html/>"));
}

TEST_F(StoreTest, StsIsNeverAskedWithoutAPolicyOrForTooLong) {
  FixedCredentials credentials{{"AKUP", "secret", ""}};
  auto sts = StsClient::open({.endpoint = "http://127.0.0.1:1", .role = "arn:aws:iam:::role/r"},
                             credentials, clock_);
  ASSERT_EQ(outcome(sts), "ok");
  const auto asked = [&](std::string policy, int seconds) {
    return outcome(run((*sts)->lend({"alice", std::move(policy), std::chrono::seconds(seconds)})));
  };
  EXPECT_EQ(asked("", 900), "invalid argument");
  EXPECT_EQ(asked(std::string(2'049, 'x'), 900), "invalid argument");
  EXPECT_EQ(asked("{}", 899), "invalid argument");
  EXPECT_EQ(asked("{}", 3'601), "invalid argument");
  EXPECT_EQ(asked("{}", 3'600), "unavailable");
}

}  // namespace
}  // namespace holdfast::store
