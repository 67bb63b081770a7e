// Bucket policies and public access blocks, carried out on every request.
#include "s3_fixture.h"

namespace holdfast::gateway {
namespace {

using control::Level;

class S3Policy : public S3Fixture {
 protected:
  S3Policy() {
    add_person("carol", Level::read, "elsewhere", "");
    policy_.publish(content_);
    put("research/secret/k");
    put("research/open/k");
  }
  void put(const std::string& path) {
    EXPECT_EQ(as("admin", "PUT", "/" + path, "text").status, 200u);
  }
  // One statement on the bucket "research".
  static std::string one(const std::string& effect, const std::string& principal,
                         const std::string& action, const std::string& path,
                         const std::string& condition = {}) {
    return R"({"Version":"2012-10-17","Statement":[{"Effect":")" + effect + R"(","Principal":)" +
           principal + R"(,"Action":)" + action + R"(,"Resource":"arn:aws:s3:::research)" + path +
           "\"" + (condition.empty() ? "" : ",\"Condition\":" + condition) + "}]}";
  }
  Answer put_policy(const std::string& policy, const std::string& who = "admin") {
    return as(who, "PUT", "/research?policy", policy);
  }
  void rule(const std::string& policy) {
    const Answer answer = put_policy(policy);
    ASSERT_EQ(answer.status, 204u) << answer.body;
  }
  void unblock() {
    const Answer answer =
        as("admin", "PUT", "/research?publicAccessBlock",
           "<PublicAccessBlockConfiguration><BlockPublicPolicy>false</BlockPublicPolicy>"
           "<RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>");
    ASSERT_EQ(answer.status, 200u) << answer.body;
  }
  Answer stranger(const std::string& method, const std::string& target, std::string body = {}) {
    return send(head_of(method, target, {}), std::move(body));
  }
  const std::string carol = R"({"AWS":"arn:aws:iam::000000000000:user/carol"})";
};

TEST_F(S3Policy, ADenyStopsTheHolderOfAGrant) {
  EXPECT_EQ(as("alice", "GET", "/research/secret/k").status, 200u);
  rule(one("Deny", "\"*\"", "\"s3:GetObject\"", "/secret/*"));
  expect_denied(as("alice", "GET", "/research/secret/k"));
  expect_denied(as("alice", "HEAD", "/research/secret/k").status == 403
                    ? as("alice", "GET", "/research/secret/k")
                    : Answer{});
  EXPECT_EQ(as("alice", "GET", "/research/open/k").status, 200u);
  EXPECT_EQ(as("alice", "PUT", "/research/secret/k", "new").status, 200u);
  EXPECT_EQ(as("admin", "DELETE", "/research?policy").status, 204u);
  EXPECT_EQ(as("alice", "GET", "/research/secret/k").status, 200u);
}

TEST_F(S3Policy, ADenyStopsAdministratorsButForThePolicyItself) {
  rule(one("Deny", "\"*\"", "\"s3:*\"", "*"));
  expect_denied(as("admin", "GET", "/research/open/k"));
  expect_denied(as("admin", "GET", "/research?versioning"));
  EXPECT_EQ(as("admin", "GET", "/research?policy").status, 200u);
  EXPECT_EQ(as("admin", "DELETE", "/research?policy").status, 204u);
  EXPECT_EQ(as("admin", "GET", "/research/open/k").status, 200u);
}

TEST_F(S3Policy, AnAllowAdmitsWhomItNamesToWhatItNames) {
  expect_denied(as("carol", "GET", "/research/open/k"));
  rule(one("Allow", carol, R"(["s3:GetObject"])", "/open/*"));
  EXPECT_EQ(as("carol", "GET", "/research/open/k").body, "text");
  expect_denied(as("carol", "GET", "/research/secret/k"));
  expect_denied(as("carol", "PUT", "/research/open/k", "mine"));
  expect_denied(as("carol", "GET", "/research/open/k?versionId=null"));
  expect_denied(as("bob", "GET", "/research/open/k"));
}

TEST_F(S3Policy, AnAllowDoesNotOutlastItsHolder) {
  rule(one("Allow", carol, "\"s3:GetObject\"", "/*"));
  for (auto& principal : content_.principals) {
    if (principal.name.value == "carol") principal.disabled = true;
  }
  policy_.publish(content_);
  expect_denied(as("carol", "GET", "/research/open/k"));
}

TEST_F(S3Policy, AKeysScopeNarrowsWhatAPolicyAllows) {
  rule(one("Allow", carol, "\"s3:GetObject\"", "/*"));
  for (auto& key : content_.keys) {
    if (key.principal.value == "carol") {
      key.scope = control::KeyScope{{{.bucket = BucketName("research"), .prefix = "secret/"}}};
    }
  }
  policy_.publish(content_);
  EXPECT_EQ(as("carol", "GET", "/research/secret/k").status, 200u);
  expect_denied(as("carol", "GET", "/research/open/k"));
}

TEST_F(S3Policy, PublicPoliciesAreBlockedUnlessTheBucketSaysOtherwise) {
  const std::string everyone = one("Allow", "\"*\"", "\"s3:GetObject\"", "/open/*");
  EXPECT_EQ(put_policy(everyone).code(), "AccessDenied");
  unblock();
  rule(everyone);
  EXPECT_EQ(stranger("GET", "/research/open/k").body, "text");
  EXPECT_EQ(stranger("GET", "/research/secret/k").code(), "AccessDenied");
  EXPECT_EQ(stranger("PUT", "/research/open/k", "x").code(), "AccessDenied");
  EXPECT_EQ(stranger("GET", "/research").code(), "AccessDenied");
  EXPECT_EQ(stranger("GET", "/other/k").code(), "AccessDenied");
  EXPECT_EQ(stranger("GET", "/").code(), "AccessDenied");
  // Restricting makes the policy void at once, without taking it away.
  EXPECT_EQ(as("admin", "DELETE", "/research?publicAccessBlock").status, 204u);
  EXPECT_EQ(stranger("GET", "/research/open/k").code(), "AccessDenied");
  expect_denied(as("carol", "GET", "/research/open/k"));
  EXPECT_EQ(as("alice", "GET", "/research/open/k").status, 200u);
}

TEST_F(S3Policy, AStrangerIsJudgedKeyByKeyToo) {
  unblock();
  rule(one("Allow", "\"*\"", R"(["s3:PutObject","s3:DeleteObject"])", "/open/*"));
  EXPECT_EQ(stranger("PUT", "/research/open/new", "text").status, 200u);
  const std::string body =
      "<Delete><Object><Key>open/k</Key></Object><Object><Key>secret/k</Key></Object></Delete>";
  net::Headers headers;
  headers.add("Content-MD5", to_base64(as_bytes(s3::digest_of(s3::Algorithm::md5, body))));
  const Answer answer = send(head_of("POST", "/research?delete", headers), body);
  EXPECT_EQ(answer.status, 200u);
  EXPECT_NE(answer.body.find("<Deleted><Key>open/k</Key>"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("<Key>secret/k</Key><Code>AccessDenied"), std::string::npos);
  EXPECT_EQ(as("admin", "GET", "/research/secret/k").status, 200u);
}

TEST_F(S3Policy, ListingsAreHeldToTheirPrefix) {
  rule(one("Allow", carol, "\"s3:ListBucket\"", "", R"({"StringLike":{"s3:prefix":"open/*"}})"));
  EXPECT_EQ(as("carol", "GET", "/research?list-type=2&prefix=open%2F").status, 200u);
  expect_denied(as("carol", "GET", "/research?list-type=2&prefix=secret%2F"));
  expect_denied(as("carol", "GET", "/research?list-type=2"));
  expect_denied(as("carol", "GET", "/research?versions&prefix=open%2F"));
}

TEST_F(S3Policy, BothEndsOfACopyAreJudged) {
  make_bucket("target");
  content_.grants.push_back({.id = 90,
                             .principal = PrincipalName("alice"),
                             .bucket = BucketName("target"),
                             .level = Level::write});
  policy_.publish(content_);
  rule(one("Deny", "\"*\"", "\"s3:GetObject\"", "/secret/*"));
  const auto copy = [&](const std::string& from) {
    return as("alice", "PUT", "/target/k", {}, header("x-amz-copy-source", from));
  };
  EXPECT_EQ(copy("/research/open/k").status, 200u);
  expect_denied(copy("/research/secret/k"));
  const Answer started = as("alice", "POST", "/target/big?uploads");
  const auto from = started.body.find("<UploadId>") + 10;
  const std::string upload = started.body.substr(from, started.body.find("</UploadId>") - from);
  const auto part = [&](const std::string& source) {
    return as("alice", "PUT", "/target/big?partNumber=1&uploadId=" + upload, {},
              header("x-amz-copy-source", source));
  };
  EXPECT_EQ(part("/research/open/k").status, 200u);
  expect_denied(part("/research/secret/k"));
}

TEST_F(S3Policy, VersionsAreActionsOfTheirOwn) {
  rule(one("Deny", "\"*\"", R"(["s3:GetObjectVersion","s3:DeleteObjectVersion"])", "/*"));
  EXPECT_EQ(as("alice", "GET", "/research/open/k").status, 200u);
  expect_denied(as("alice", "GET", "/research/open/k?versionId=null"));
  expect_denied(as("admin", "DELETE", "/research/open/k?versionId=null"));
}

TEST_F(S3Policy, TheTagsOfAnObjectDecide) {
  EXPECT_EQ(as("admin", "PUT", "/research/open/k?tagging",
               "<Tagging><TagSet><Tag><Key>grade</Key><Value>open</Value></Tag></TagSet></Tagging>")
                .status,
            200u);
  rule(one("Allow", carol, R"(["s3:GetObject","s3:PutObjectTagging"])", "/*",
           R"({"StringEquals":{"s3:ExistingObjectTag/grade":"open"}})"));
  EXPECT_EQ(as("carol", "GET", "/research/open/k").status, 200u);
  expect_denied(as("carol", "GET", "/research/secret/k"));
  expect_denied(as("carol", "GET", "/research/nothing"));
}

TEST_F(S3Policy, TheTagsOfARequestDecideFromHeaderAndBody) {
  rule(one("Allow", carol, R"(["s3:PutObject","s3:PutObjectTagging"])", "/*",
           R"({"StringEquals":{"s3:RequestObjectTag/grade":"open"}})"));
  EXPECT_EQ(as("carol", "PUT", "/research/a", "x", header("x-amz-tagging", "grade=open")).status,
            200u);
  expect_denied(as("carol", "PUT", "/research/a", "x", header("x-amz-tagging", "grade=closed")));
  expect_denied(as("carol", "PUT", "/research/a", "x"));
  const auto tags = [](const std::string& value) {
    return "<Tagging><TagSet><Tag><Key>grade</Key><Value>" + value +
           "</Value></Tag></TagSet></Tagging>";
  };
  EXPECT_EQ(as("carol", "PUT", "/research/a?tagging", tags("open")).status, 200u);
  expect_denied(as("carol", "PUT", "/research/a?tagging", tags("closed")));
}

TEST_F(S3Policy, WhatGoesWithAPutCanBeDeniedByItsOwnName) {
  rule(one("Deny", "\"*\"", "\"s3:PutObjectTagging\"", "/*"));
  EXPECT_EQ(as("alice", "PUT", "/research/a", "x").status, 200u);
  expect_denied(as("alice", "PUT", "/research/a", "x", header("x-amz-tagging", "a=b")));
}

TEST_F(S3Policy, ConditionsSeeTheRequestItself) {
  rule(one("Deny", "\"*\"", "\"s3:*\"", "/*", R"({"Bool":{"aws:SecureTransport":"false"}})"));
  expect_denied(as("alice", "GET", "/research/open/k"));
  rule(one("Deny", "\"*\"", "\"s3:GetObject\"", "/*",
           R"({"StringNotEquals":{"s3:authType":"REST-QUERY-STRING"}})"));
  expect_denied(as("alice", "GET", "/research/open/k"));
  const auto url = presign("GET", "/research/open/k", signer("alice"), std::chrono::seconds(60));
  EXPECT_EQ(send(head_of("GET", url, {})).status, 200u);
}

TEST_F(S3Policy, APolicyThatCannotBeEnforcedIsRefused) {
  const Answer answer = put_policy(
      one("Deny", "\"*\"", "\"s3:GetObject\"", "/*", R"({"StringEquals":{"aws:SourceVpc":"v"}})"));
  EXPECT_EQ(answer.code(), "MalformedPolicy");
  EXPECT_NE(answer.body.find("aws:SourceVpc"), std::string::npos);
  expect_denied(put_policy(one("Allow", carol, "\"s3:GetObject\"", "/*"), "alice"));
}

TEST_F(S3Policy, AStoredPolicyThatCannotBeReadClosesTheBucket) {
  EXPECT_EQ(as("admin", "PUT", "/closed").status, 200u);
  content_.grants.push_back({.id = 91,
                             .principal = PrincipalName("alice"),
                             .bucket = BucketName("closed"),
                             .level = Level::write});
  policy_.publish(content_);
  EXPECT_EQ(as("alice", "PUT", "/closed/k", "x").status, 200u);
  boost::asio::co_spawn(
      context_,
      store_.set_bucket_document(BucketName("closed"), store::BucketDocument::policy, "{}"),
      [](const std::exception_ptr&, Result<void> done) { EXPECT_TRUE(done); });
  context_.restart();
  context_.run();
  service_.emplace(store_, policy_, audit_, clock_, random_, options_);  // as after a restart
  expect_denied(as("alice", "GET", "/closed/k"));
  EXPECT_EQ(as("admin", "GET", "/closed/k").status, 200u);
  EXPECT_EQ(as("admin", "DELETE", "/closed?policy").status, 204u);
  EXPECT_EQ(as("alice", "GET", "/closed/k").status, 200u);
}

TEST_F(S3Policy, PoliciesAreThereAfterARestartAndGoWithTheirBucket) {
  rule(one("Deny", "\"*\"", "\"s3:GetObject\"", "/secret/*"));
  service_.emplace(store_, policy_, audit_, clock_, random_, options_);
  expect_denied(as("alice", "GET", "/research/secret/k"));
  EXPECT_EQ(as("admin", "DELETE", "/research/secret/k").status, 204u);
  EXPECT_EQ(as("admin", "DELETE", "/research/open/k").status, 204u);
  EXPECT_EQ(as("admin", "DELETE", "/research").status, 204u);
  make_bucket("research");
  EXPECT_EQ(as("alice", "PUT", "/research/secret/k", "x").status, 200u);
  EXPECT_EQ(as("alice", "GET", "/research/secret/k").status, 200u);
}

TEST_F(S3Policy, TheStatusTellsWhetherAPolicyIsPublic) {
  EXPECT_EQ(as("admin", "GET", "/research?policyStatus").code(), "NoSuchBucketPolicy");
  rule(one("Allow", carol, "\"s3:GetObject\"", "/*"));
  EXPECT_NE(as("admin", "GET", "/research?policyStatus").body.find("<IsPublic>false<"),
            std::string::npos);
  unblock();
  rule(one("Allow", "\"*\"", "\"s3:GetObject\"", "/*"));
  EXPECT_NE(as("admin", "GET", "/research?policyStatus").body.find("<IsPublic>true<"),
            std::string::npos);
}

TEST_F(S3Policy, ADownloadEndsWithThePolicyThatAllowedIt) {
  const std::string big(4u << 20, 'x');
  EXPECT_EQ(as("admin", "PUT", "/research/open/big", big).status, 200u);
  rule(one("Allow", carol, "\"s3:GetObject\"", "/*"));
  MemoryExchange exchange(
      sign(head_of("GET", "/research/open/big", {}), signer("carol"), s3::sha256_hex("")), {});
  exchange.before_body = [&]() -> boost::asio::awaitable<void> {
    co_await store_.set_bucket_document(BucketName("research"), store::BucketDocument::policy, {});
    co_await service_->rules().reload(BucketName("research"));
  };
  EXPECT_TRUE(run(exchange).cut);
}

TEST_F(S3Policy, OwnershipIsTheBucketOwnersAndNothingElse) {
  const auto ownership = [&](const std::string& word) {
    return as("admin", "PUT", "/research?ownershipControls",
              "<OwnershipControls><Rule><ObjectOwnership>" + word +
                  "</ObjectOwnership></Rule></OwnershipControls>");
  };
  EXPECT_EQ(ownership("BucketOwnerEnforced").status, 200u);
  EXPECT_EQ(ownership("ObjectWriter").status, 501u);
  EXPECT_EQ(ownership("Nobody").code(), "MalformedXML");
}

// --- drop grants

TEST_F(S3Policy, ADropSeesOnlyWhatItUploadedItself) {
  put("research/in/others");
  EXPECT_EQ(as("dora", "PUT", "/research/in/mine", "x").status, 200u);
  EXPECT_EQ(as("dora", "PUT", "/research/in/deep/mine", "x").status, 200u);
  const std::string all = as("dora", "GET", "/research?list-type=2&prefix=in%2F").body;
  EXPECT_NE(all.find("<Key>in/mine</Key>"), std::string::npos) << all;
  EXPECT_NE(all.find("<Key>in/deep/mine</Key>"), std::string::npos);
  EXPECT_EQ(all.find("others"), std::string::npos);
  const std::string rolled =
      as("dora", "GET", "/research?list-type=2&prefix=in%2F&delimiter=%2F&max-keys=1").body;
  EXPECT_NE(rolled.find("<Prefix>in/deep/</Prefix>"), std::string::npos) << rolled;
  EXPECT_NE(rolled.find("<IsTruncated>true"), std::string::npos);
  expect_denied(as("dora", "GET", "/research/in/mine"));
  expect_denied(as("dora", "GET", "/research?versions&prefix=in%2F"));
  expect_denied(as("dora", "GET", "/research?list-type=2"));
  // Nothing that a client sends makes an object someone's own.
  put("research/in/forged");
  EXPECT_EQ(
      as("admin", "PUT", "/research/in/forged", "x", header("x-amz-meta-holdfast-uploader", "dora"))
          .status,
      200u);
  EXPECT_EQ(as("dora", "GET", "/research?prefix=in%2F").body.find("forged"), std::string::npos);
}

TEST_F(S3Policy, ADropTouchesOnlyUploadsOfItsOwn) {
  const auto start = [&](const std::string& who) {
    const Answer answer = as(who, "POST", "/research/in/" + who + "?uploads");
    const auto from = answer.body.find("<UploadId>") + 10;
    return "/research/in/" + who +
           "?uploadId=" + answer.body.substr(from, answer.body.find("</UploadId>") - from);
  };
  const std::string mine = start("dora"), others = start("alice");
  const std::string listed = as("dora", "GET", "/research?uploads&prefix=in%2F").body;
  EXPECT_NE(listed.find("<Key>in/dora</Key>"), std::string::npos) << listed;
  EXPECT_EQ(listed.find("in/alice"), std::string::npos);
  EXPECT_EQ(as("dora", "GET", mine).status, 200u);
  EXPECT_EQ(as("dora", "GET", others).code(), "NoSuchUpload");
  EXPECT_EQ(as("dora", "PUT", others + "&partNumber=1", "x").code(), "NoSuchUpload");
  EXPECT_EQ(as("dora", "DELETE", others).code(), "NoSuchUpload");
  EXPECT_EQ(as("alice", "GET", others).status, 200u);
  EXPECT_EQ(as("dora", "DELETE", mine).status, 204u);
  // Nor one of which nobody knows who began it.
  std::string unknown;
  boost::asio::co_spawn(
      context_, store_.create_upload({.bucket = BucketName("research"), .key = ObjectKey("in/u")}),
      [&](const std::exception_ptr&, Result<UploadId> made) { unknown = made->value; });
  context_.restart();
  context_.run();
  EXPECT_EQ(as("dora", "GET", "/research/in/u?uploadId=" + unknown).code(), "NoSuchUpload");
  EXPECT_EQ(as("alice", "GET", "/research/in/u?uploadId=" + unknown).status, 200u);
}

// --- Object Lock and quotas at this door

TEST_F(S3Policy, AFullBucketAnswersQuotaExceeded) {
  boost::asio::co_spawn(context_,
                        store_.set_bucket_document(BucketName("other"),
                                                   store::BucketDocument::quota, R"({"bytes":10})"),
                        [](const std::exception_ptr&, Result<void> done) { EXPECT_TRUE(done); });
  context_.restart();
  context_.run();
  EXPECT_EQ(as("admin", "PUT", "/other/a", "0123456789").status, 200u);
  const Answer full = as("admin", "PUT", "/other/b", "x");
  EXPECT_EQ(full.status, 403u);
  EXPECT_EQ(full.code(), "QuotaExceeded");
}

}  // namespace
}  // namespace holdfast::gateway
