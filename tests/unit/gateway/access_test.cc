// The one judgement, asked directly: what a session's policy, closed rules and ACLs add to grants.
#include "gateway/access.h"

#include <gtest/gtest.h>

namespace holdfast::gateway {
namespace {

using control::Action;
using control::Level;
using s3::PolicyAction;

class NoFacts final : public s3::PolicyFacts {
 public:
  std::optional<std::vector<std::string>> values(std::string_view) const override { return {}; }
};

class Access : public ::testing::Test {
 protected:
  Access()
      : policy_({.homes_bucket = BucketName("homes"),
                 .principals = {{.name = PrincipalName("admin"), .admin = true},
                                {.name = PrincipalName("alice")},
                                {.name = PrincipalName("bob")},
                                {.name = PrincipalName("gone"), .disabled = true}},
                 .keys = {},
                 .grants = {{.id = 1,
                             .principal = PrincipalName("alice"),
                             .bucket = BucketName("research"),
                             .level = Level::write},
                            {.id = 2,
                             .principal = PrincipalName("gone"),
                             .bucket = BucketName("research"),
                             .level = Level::write}}}) {}

  AccessQuestion question(const std::string& who, Action action, PolicyAction named) {
    path_ = "a/k";
    AccessQuestion asked{{}, named, nullptr, nullptr, facts_, false};
    asked.request.principal = PrincipalName(who);
    asked.request.action = action;
    asked.request.bucket = BucketName("research");
    asked.request.path = path_;
    return asked;
  }
  AccessQuestion reads(const std::string& who) {
    return question(who, Action::read_object, PolicyAction::get_object);
  }
  bool allowed(const AccessQuestion& asked) { return decide_access(policy_, asked).allowed; }
  static s3::PolicyDocument session(const std::string& statements) {
    return *s3::PolicyDocument::parse_session_policy(R"({"Version":"2012-10-17","Statement":[)" +
                                                     statements + "]}");
  }
  static std::string statement(const std::string& effect, const std::string& action) {
    return R"({"Effect":")" + effect + R"(","Action":")" + action + R"(","Resource":"*"})";
  }

  NoFacts facts_;
  std::string path_;
  control::PolicySnapshot policy_;
};

TEST_F(Access, ASessionsPolicyHasToAllowAndMayNotDeny) {
  const auto with = [&](const std::string& who, const s3::PolicyDocument& narrowed) {
    AccessQuestion asked = reads(who);
    asked.session = &narrowed;
    return allowed(asked);
  };
  const auto all = session(statement("Allow", "s3:*"));
  const auto other = session(statement("Allow", "s3:PutObject"));
  const auto denied = session(statement("Allow", "s3:*") + "," + statement("Deny", "s3:GetObject"));
  EXPECT_TRUE(with("alice", all));
  EXPECT_FALSE(with("alice", other));
  EXPECT_FALSE(with("alice", denied));
  EXPECT_TRUE(with("admin", all));
  EXPECT_FALSE(with("admin", other));
  EXPECT_FALSE(with("admin", denied));
  EXPECT_FALSE(with("bob", all)) << "it gives nothing that no grant gives";
}

TEST_F(Access, ADenyOfASessionHoldsForWhatGoesWithTheMainNeedToo) {
  AccessQuestion tags = question("alice", Action::write_object, PolicyAction::put_object_tagging);
  tags.unless_denied = true;
  const auto silent = session(statement("Allow", "s3:PutObject"));
  const auto denied = session(statement("Deny", "s3:PutObjectTagging"));
  tags.session = &silent;
  EXPECT_TRUE(allowed(tags));
  tags.session = &denied;
  EXPECT_FALSE(allowed(tags));
}

TEST_F(Access, ABucketWhoseRulesCannotBeReadIsClosedToAllButAdministrators) {
  BucketRules closed;
  closed.acls_count = true;
  closed.acl.everyone = {true, true};
  const Acl open = closed.acl;
  for (const char* who : {"alice", "bob", ""}) {
    AccessQuestion asked = reads(who);
    asked.rules = &closed;
    asked.object_acl = &open;
    EXPECT_FALSE(allowed(asked)) << who;
  }
  AccessQuestion asked = reads("admin");
  asked.rules = &closed;
  EXPECT_TRUE(allowed(asked));
}

TEST_F(Access, AclsAreNothingWhereTheyDoNotCount) {
  BucketRules rules;
  rules.readable = true;
  rules.acl.everyone = {true, true};
  const Acl open = rules.acl;
  AccessQuestion asked = reads("bob");
  asked.rules = &rules;
  asked.object_acl = &open;
  EXPECT_FALSE(allowed(asked));
  rules.acls_count = true;
  EXPECT_TRUE(allowed(asked));
  asked.request.bucket = BucketName("homes");
  EXPECT_FALSE(allowed(asked));
}

TEST_F(Access, NobodyHasUploadsOfTheirOwnWhoDoesNotSayWhoTheyAre) {
  BucketRules rules;
  rules.readable = rules.acls_count = true;
  rules.acl.everyone = {true, true};
  for (const auto& [action, named] :
       {std::pair{Action::abort_upload, PolicyAction::abort_multipart_upload},
        std::pair{Action::list_parts, PolicyAction::list_multipart_upload_parts}}) {
    AccessQuestion asked = question("bob", action, named);
    asked.rules = &rules;
    EXPECT_TRUE(allowed(asked));
    AccessQuestion nobody = question("", action, named);
    nobody.rules = &rules;
    EXPECT_FALSE(allowed(nobody));
  }
}

TEST_F(Access, WhoIsDisabledGetsNothingFromPoliciesAndAcls) {
  BucketRules rules;
  rules.readable = rules.acls_count = true;
  rules.acl.everyone = {true, true};
  rules.policy = *s3::PolicyDocument::parse_bucket_policy(
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",)"
      R"("Action":"s3:*","Resource":"arn:aws:s3:::research/*"}]})",
      "research");
  const Acl open = rules.acl;
  AccessQuestion asked = reads("gone");
  asked.rules = &rules;
  asked.object_acl = &open;
  EXPECT_FALSE(allowed(asked));
}

}  // namespace
}  // namespace holdfast::gateway
