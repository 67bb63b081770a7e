// Forms that browsers send: which credentials count, and which key is judged and stored.
#include "s3/post_policy.h"
#include "s3_form_fixture.h"

namespace holdfast::gateway {
namespace {

class S3PostForm : public S3FormFixture {
 protected:
  Fields signed_fields(const std::string& name, const std::string& key) const {
    s3::SignOptions options;
    options.now = clock_.now();
    const auto policy = s3::sign_post_policy(
        R"({"expiration":"2026-11-22T06:00:00Z","conditions":[{"bucket":"research"},)"
        R"(["starts-with","$key",""],["starts-with","$x-amz-algorithm",""],)"
        R"(["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""]]})",
        {"AK" + name, name + "-secret", {}}, options);
    return {{"key", key},
            {"x-amz-algorithm", "AWS4-HMAC-SHA256"},
            {"x-amz-credential", policy.credential},
            {"x-amz-date", policy.amz_date},
            {"policy", policy.policy_base64},
            {"x-amz-signature", policy.signature}};
  }
  bool exists(const std::string& key) {
    return as("admin", "HEAD", "/research/" + key).status == 200;
  }
};

TEST_F(S3PostForm, ItsFieldsAreItsOnlyCredentials) {
  const Fields fields = signed_fields("alice", "k");
  EXPECT_EQ(post_form(fields, "f", header("Authorization", "AWS4-HMAC-SHA256 Credential=x")).code(),
            "InvalidRequest");
  EXPECT_EQ(post_form(fields, "f", {}, "?X-Amz-Signature=x").code(), "InvalidRequest");
  EXPECT_FALSE(exists("k"));
  EXPECT_EQ(post_form(fields).status, 204u);
  EXPECT_TRUE(exists("k"));
}

TEST_F(S3PostForm, WithoutASignatureItIsToldSo) {
  const Answer answer = post_form({{"key", "k"}});
  expect_denied(answer);
  EXPECT_NE(answer.body.find("The form is not signed."), std::string::npos) << answer.body;
  EXPECT_FALSE(exists("k"));
}

TEST_F(S3PostForm, ItsKeyFollowsTheRulesOfKeys) {
  EXPECT_EQ(post_form(signed_fields("alice", "")).code(), "UserKeyMustBeSpecified");
  EXPECT_EQ(post_form(signed_fields("alice", std::string("a\0b", 3))).code(),
            "UserKeyMustBeSpecified");
  EXPECT_EQ(post_form(signed_fields("alice", std::string(1025, 'k'))).code(), "KeyTooLongError");
  EXPECT_EQ(post_form(signed_fields("alice", std::string(1024, 'k'))).status, 204u);
}

TEST_F(S3PostForm, AFileNameBringsNoDirectories) {
  EXPECT_EQ(post_form(signed_fields("dora", "in/${filename}"), "../../secret/x").status, 204u);
  EXPECT_EQ(post_form(signed_fields("dora", "in/${filename}"), "C:\\secret\\y").status, 204u);
  EXPECT_TRUE(exists("in/x"));
  EXPECT_TRUE(exists("in/y"));
  EXPECT_FALSE(exists("in/../../secret/x"));
}

TEST_F(S3PostForm, TheKeyThatIsJudgedIsTheOneThatIsStored) {
  expect_denied(post_form(signed_fields("dora", "secret/x")));
  expect_denied(post_form(signed_fields("dora", "${filename}"), "inside"));
  // Its bytes are the key: nothing is decoded or taken for a path.
  EXPECT_EQ(post_form(signed_fields("dora", "in/%2e%2e/x")).status, 204u);
  EXPECT_TRUE(exists("in/%252e%252e/x"));
  EXPECT_FALSE(exists("x"));
}

}  // namespace
}  // namespace holdfast::gateway
