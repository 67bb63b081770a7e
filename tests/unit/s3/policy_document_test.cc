#include "s3/policy_document.h"

#include <gtest/gtest.h>

#include <map>

namespace holdfast::s3 {
namespace {

class Facts final : public PolicyFacts {
 public:
  Facts() = default;
  Facts(std::initializer_list<std::pair<const std::string, std::vector<std::string>>> all)
      : all_(all) {}
  std::optional<std::vector<std::string>> values(std::string_view key) const override {
    const auto found = all_.find(std::string(key));
    return found == all_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::map<std::string, std::vector<std::string>> all_;
};

std::string statement(const std::string& members) {
  return R"({"Version":"2012-10-17","Statement":[{)" + members + "}]}";
}
std::string with_condition(const std::string& condition) {
  return statement(
      R"("Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::data/*",)"
      R"("Condition":)" +
      condition);
}
const std::string everything =
    R"("Action":"s3:*","Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"])";

std::string verdict(const std::string& policy, PolicyAction action, std::string_view resource,
                    std::string_view principal = "alice", const Facts& facts = {},
                    std::vector<PrincipalName> groups = {}) {
  auto document = PolicyDocument::parse_bucket_policy(policy, "data");
  if (!document) return "refused: " + document.error().message;
  switch (document->judge({action, resource, principal, groups, facts, false})) {
    case PolicyVerdict::allow:
      return "allow";
    case PolicyVerdict::deny:
      return "deny";
    case PolicyVerdict::none:
      break;
  }
  return "none";
}
bool holds(const std::string& condition, const Facts& facts) {
  return verdict(with_condition(condition), PolicyAction::get_object, "data/k", "alice", facts) ==
         "allow";
}
bool refused(const std::string& policy) {
  return !PolicyDocument::parse_bucket_policy(policy, "data").has_value();
}

TEST(PolicyDocument, DenyWinsOverAllowWhateverTheirOrder) {
  const std::string allow = R"({"Effect":"Allow","Principal":"*",)" + everything + "}";
  const std::string deny =
      R"({"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/secret/*"})";
  for (const auto& list : {allow + "," + deny, deny + "," + allow}) {
    const std::string policy = R"({"Version":"2012-10-17","Statement":[)" + list + "]}";
    EXPECT_EQ(verdict(policy, PolicyAction::get_object, "data/secret/k"), "deny");
    EXPECT_EQ(verdict(policy, PolicyAction::get_object, "data/open/k"), "allow");
    EXPECT_EQ(verdict(policy, PolicyAction::put_object, "data/secret/k"), "allow");
  }
}

TEST(PolicyDocument, PrincipalsAreNamedByUserGroupAccountOrAll) {
  const auto policy = [](const std::string& who) {
    return statement(R"("Effect":"Allow",)" + who + "," + everything);
  };
  const auto named = policy(R"("Principal":{"AWS":["arn:aws:iam::000000000000:user/alice"]})");
  EXPECT_EQ(verdict(named, PolicyAction::get_object, "data/k", "alice"), "allow");
  EXPECT_EQ(verdict(named, PolicyAction::get_object, "data/k", "bob"), "none");
  EXPECT_EQ(verdict(named, PolicyAction::get_object, "data/k", ""), "none");
  const auto group = policy(R"("Principal":{"AWS":"arn:aws:iam:::group/lab"})");
  EXPECT_EQ(verdict(group, PolicyAction::get_object, "data/k", "bob", {}, {PrincipalName("lab")}),
            "allow");
  EXPECT_EQ(verdict(group, PolicyAction::get_object, "data/k", "bob"), "none");
  const auto account = policy(R"("Principal":{"AWS":"000000000000"})");
  EXPECT_EQ(verdict(account, PolicyAction::get_object, "data/k", "bob"), "allow");
  EXPECT_EQ(verdict(account, PolicyAction::get_object, "data/k", ""), "none");
  for (const char* all : {R"("Principal":"*")", R"("Principal":{"AWS":"*"})"}) {
    EXPECT_EQ(verdict(policy(all), PolicyAction::get_object, "data/k", ""), "allow");
  }
  const auto but = statement(
      R"("Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam:::user/alice"},)" + everything);
  EXPECT_EQ(verdict(but, PolicyAction::get_object, "data/k", "alice"), "none");
  EXPECT_EQ(verdict(but, PolicyAction::get_object, "data/k", "bob"), "deny");
  EXPECT_EQ(verdict(but, PolicyAction::get_object, "data/k", ""), "deny");
}

TEST(PolicyDocument, ActionsAndResourcesTakeWildcardsAndNegation) {
  const auto policy = [](const std::string& rest) {
    return statement(R"("Effect":"Allow","Principal":"*",)" + rest);
  };
  const auto gets = policy(R"("Action":"s3:get*","Resource":"arn:aws:s3:::data/a?/*")");
  EXPECT_EQ(verdict(gets, PolicyAction::get_object, "data/ab/c/d"), "allow");
  EXPECT_EQ(verdict(gets, PolicyAction::get_object, "data/a/c"), "none");
  EXPECT_EQ(verdict(gets, PolicyAction::put_object, "data/ab/c"), "none");
  const auto not_action =
      policy(R"("NotAction":"s3:DeleteObject","Resource":"arn:aws:s3:::data/*")");
  EXPECT_EQ(verdict(not_action, PolicyAction::put_object, "data/k"), "allow");
  EXPECT_EQ(verdict(not_action, PolicyAction::delete_object, "data/k"), "none");
  const auto not_there =
      policy(R"("Action":"s3:GetObject","NotResource":"arn:aws:s3:::data/secret/*")");
  EXPECT_EQ(verdict(not_there, PolicyAction::get_object, "data/k"), "allow");
  EXPECT_EQ(verdict(not_there, PolicyAction::get_object, "data/secret/k"), "none");
}

TEST(PolicyDocument, VariablesStandForTheirLiteralValue) {
  const auto policy = statement(
      R"("Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::data/home/${aws:username}/*")");
  const Facts alice{{"aws:username", {"alice"}}};
  EXPECT_EQ(verdict(policy, PolicyAction::get_object, "data/home/alice/k", "alice", alice),
            "allow");
  EXPECT_EQ(verdict(policy, PolicyAction::get_object, "data/home/bob/k", "alice", alice), "none");
  const Facts star{{"aws:username", {"*"}}};
  EXPECT_EQ(verdict(policy, PolicyAction::get_object, "data/home/bob/k", "*", star), "none");
  EXPECT_EQ(verdict(policy, PolicyAction::get_object, "data/home//k", ""), "none");
}

TEST(PolicyDocument, ConditionsCompareAsTheirOperatorsSay) {
  const Facts facts{{"s3:prefix", {"home/a"}},
                    {"s3:max-keys", {"10"}},
                    {"aws:sourceip", {"10.1.2.3"}},
                    {"aws:securetransport", {"false"}},
                    {"aws:currenttime", {"2026-11-22T05:00:00Z"}},
                    {"aws:principalarn", {"arn:aws:iam::000000000000:user/alice"}}};
  EXPECT_TRUE(holds(R"({"StringEquals":{"s3:prefix":["x","home/a"]}})", facts));
  EXPECT_FALSE(holds(R"({"StringEquals":{"s3:prefix":"home/*"}})", facts));
  EXPECT_TRUE(holds(R"({"StringLike":{"s3:prefix":"home/*"}})", facts));
  EXPECT_FALSE(holds(R"({"StringNotLike":{"s3:prefix":["x","home/*"]}})", facts));
  EXPECT_TRUE(holds(R"({"StringEqualsIgnoreCase":{"s3:prefix":"HOME/A"}})", facts));
  EXPECT_TRUE(holds(R"({"NumericLessThanEquals":{"s3:max-keys":10}})", facts));
  EXPECT_FALSE(holds(R"({"NumericLessThan":{"s3:max-keys":"10"}})", facts));
  EXPECT_TRUE(holds(R"({"IpAddress":{"aws:SourceIp":["192.168.0.0/16","10.0.0.0/8"]}})", facts));
  EXPECT_FALSE(holds(R"({"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}})", facts));
  EXPECT_FALSE(holds(R"({"IpAddress":{"aws:SourceIp":"10.1.2.4/31"}})", facts));
  EXPECT_FALSE(holds(R"({"Bool":{"aws:SecureTransport":true}})", facts));
  EXPECT_TRUE(holds(R"({"DateGreaterThan":{"aws:CurrentTime":"2026-11-22T04:59:59Z"}})", facts));
  EXPECT_FALSE(holds(R"({"DateLessThan":{"aws:CurrentTime":"2026-11-22T05:00:00Z"}})", facts));
  EXPECT_TRUE(holds(R"({"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/a*"}})", facts));
  EXPECT_FALSE(holds(R"({"ArnLike":{"aws:PrincipalArn":"arn:*:user/alice"}})", facts));
  EXPECT_FALSE(holds(
      R"({"StringLike":{"s3:prefix":"home/*"},"Bool":{"aws:SecureTransport":"true"}})", facts));
}

TEST(PolicyDocument, AMissingKeyFailsPositiveAndHoldsForNegatedOperators) {
  EXPECT_FALSE(holds(R"({"StringEquals":{"s3:prefix":"a"}})", {}));
  EXPECT_TRUE(holds(R"({"StringNotEquals":{"s3:prefix":"a"}})", {}));
  EXPECT_TRUE(holds(R"({"StringEqualsIfExists":{"s3:prefix":"a"}})", {}));
  EXPECT_FALSE(holds(R"({"StringEqualsIfExists":{"s3:prefix":"a"}})", {{"s3:prefix", {"b"}}}));
  EXPECT_TRUE(holds(R"({"Null":{"s3:prefix":"true"}})", {}));
  EXPECT_FALSE(holds(R"({"Null":{"s3:prefix":"false"}})", {}));
  EXPECT_FALSE(holds(R"({"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}})", {}));
}

TEST(PolicyDocument, SetsAreJudgedForAllOrForAny) {
  const Facts tags{{"s3:requestobjecttagkeys", {"owner", "grade"}}};
  EXPECT_TRUE(
      holds(R"({"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["owner","other"]}})", tags));
  EXPECT_FALSE(
      holds(R"({"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["owner"]}})", tags));
  EXPECT_TRUE(holds(
      R"({"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["owner","grade"]}})", tags));
  EXPECT_TRUE(holds(R"({"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":"owner"}})", {}));
  EXPECT_FALSE(holds(R"({"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":"owner"}})", {}));
  EXPECT_TRUE(holds(R"({"StringEquals":{"s3:ExistingObjectTag/Owner":"me"}})",
                    {{"s3:existingobjecttag/Owner", {"me"}}}));
}

TEST(PolicyDocument, WhatIsNotEnforcedIsRefusedByName) {
  const auto message = [](const std::string& policy) {
    auto document = PolicyDocument::parse_bucket_policy(policy, "data");
    return document ? std::string("accepted") : document.error().message;
  };
  EXPECT_NE(message(with_condition(R"({"StringEquals":{"aws:SourceVpc":"v"}})")).find("SourceVpc"),
            std::string::npos);
  EXPECT_NE(message(with_condition(R"({"BinaryEquals":{"s3:prefix":"a"}})")).find("BinaryEquals"),
            std::string::npos);
  const std::string rest = R"(,"Resource":"arn:aws:s3:::data/*")";
  const std::string allow = R"("Effect":"Allow","Principal":"*",)";
  EXPECT_NE(message(statement(allow + R"("Action":"s3:GetObjekt")" + rest)).find("GetObjekt"),
            std::string::npos);
  EXPECT_TRUE(refused(statement(allow + R"("Action":"s3:GetObject","Conditon":{})" + rest)));
  EXPECT_TRUE(
      refused(statement(allow + R"("Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*")")));
  EXPECT_TRUE(
      refused(statement(allow + R"("Action":"s3:GetObject","Resource":"arn:aws:s3:::data")")));
  EXPECT_TRUE(
      refused(statement(allow + R"("Action":"s3:ListBucket","Resource":"arn:aws:s3:::data/*")")));
  EXPECT_TRUE(refused(statement(R"("Effect":"Allow",)" + everything)));
  EXPECT_TRUE(refused(statement(R"("Effect":"allow","Principal":"*",)" + everything)));
  EXPECT_TRUE(refused(statement(R"("Effect":"Allow","Principal":{"Service":"x"},)" + everything)));
  EXPECT_TRUE(refused(statement(R"("Effect":"Allow","Principal":{"AWS":"alice"},)" + everything)));
  EXPECT_TRUE(refused(statement(
      R"("Effect":"Deny","Principal":{"AWS":"arn:aws:iam::123456789012:root"},)" + everything)));
  EXPECT_TRUE(refused(with_condition(R"({"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}})")));
  EXPECT_TRUE(refused(with_condition(R"({"StringLike":{"s3:prefix":"${aws:Unknown}"}})")));
  for (const char* text : {"", "[]", "{}", R"({"Version":"2020-01-01","Statement":[]})",
                           R"({"Statement":[]})", R"({"Statement":[1]})"}) {
    EXPECT_TRUE(refused(text)) << text;
  }
}

TEST(PolicyDocument, AnAllowForAnotherAccountAllowsNobodyHere) {
  const auto policy = statement(
      R"("Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},)" + everything);
  EXPECT_EQ(verdict(policy, PolicyAction::get_object, "data/k", "alice"), "none");
}

TEST(PolicyDocument, PublicIsWhatEveryoneGetsFromAnywhere) {
  const auto is_public = [](const std::string& policy) {
    return PolicyDocument::parse_bucket_policy(policy, "data")->is_public();
  };
  EXPECT_TRUE(is_public(statement(R"("Effect":"Allow","Principal":"*",)" + everything)));
  EXPECT_FALSE(is_public(statement(R"("Effect":"Deny","Principal":"*",)" + everything)));
  EXPECT_FALSE(is_public(statement(
      R"("Effect":"Allow","Principal":{"AWS":"arn:aws:iam:::user/alice"},)" + everything)));
  EXPECT_TRUE(is_public(statement(
      R"("Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam:::user/alice"},)" + everything)));
  EXPECT_FALSE(is_public(with_condition(R"({"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}})")));
  EXPECT_TRUE(is_public(with_condition(R"({"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}})")));
  EXPECT_TRUE(is_public(with_condition(R"({"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}})")));
  EXPECT_TRUE(is_public(with_condition(R"({"StringLike":{"aws:UserAgent":"x"}})")));
  EXPECT_FALSE(is_public(with_condition(R"({"StringEquals":{"aws:username":"alice"}})")));
  EXPECT_TRUE(is_public(with_condition(R"({"StringLike":{"aws:username":"*"}})")));
}

TEST(PolicyDocument, PublicStatementsCanBePassedOver) {
  const auto policy = statement(R"("Effect":"Allow","Principal":"*",)" + everything);
  auto document = PolicyDocument::parse_bucket_policy(policy, "data");
  ASSERT_TRUE(document);
  const Facts facts;
  EXPECT_EQ(document->judge({PolicyAction::get_object, "data/k", "", {}, facts, true}),
            PolicyVerdict::none);
}

TEST(PolicyDocument, ASessionPolicyNamesNoPrincipal) {
  EXPECT_TRUE(PolicyDocument::parse_session_policy(
      statement(R"("Effect":"Allow","Action":"s3:GetObject","Resource":"*")")));
  EXPECT_FALSE(PolicyDocument::parse_session_policy(
      statement(R"("Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*")")));
}

}  // namespace
}  // namespace holdfast::s3
