// Multipart uploads under a bucket policy: whose upload it is, and what a policy adds to that.
#include <gtest/gtest.h>

#include "tests/unit/gateway/s3_fixture.h"

namespace holdfast::gateway {
namespace {

using control::Level;

// carol and dave have no grant in the bucket.
class S3Initiator : public S3Fixture {
 protected:
  S3Initiator() {
    add_person("carol", Level::read, "elsewhere", "");
    add_person("dave", Level::read, "elsewhere", "");
    policy_.publish(content_);
  }
  static std::string statement(const std::string& effect, const std::string& who,
                               const std::string& actions) {
    return R"({"Effect":")" + effect + R"(","Principal":)" + who + R"(,"Action":)" + actions +
           R"(,"Resource":"arn:aws:s3:::research/*"})";
  }
  static std::string user(const std::string& name) {
    return R"({"AWS":"arn:aws:iam::000000000000:user/)" + name + "\"}";
  }
  void rule(const std::vector<std::string>& statements) {
    std::string all;
    for (const auto& one : statements) all += (all.empty() ? "" : ",") + one;
    const Answer answer = as("admin", "PUT", "/research?policy",
                             R"({"Version":"2012-10-17","Statement":[)" + all + "]}");
    ASSERT_EQ(answer.status, 204u) << answer.body;
  }
  void let_both_write() {
    rule({statement("Allow", user("carol"), "\"s3:PutObject\""),
          statement("Allow", user("dave"), "\"s3:PutObject\"")});
  }
  std::string begin(const std::string& who) {
    const Answer answer = as(who, "POST", "/research/big?uploads");
    EXPECT_EQ(answer.status, 200u) << answer.body;
    const auto from = answer.body.find("<UploadId>") + 10;
    return "/research/big?uploadId=" +
           answer.body.substr(from, answer.body.find("</UploadId>") - from);
  }
  Answer part(const std::string& who, const std::string& upload) {
    return as(who, "PUT", upload + "&partNumber=1", "x");
  }
  Answer complete(const std::string& who, const std::string& upload, const Answer& put) {
    return as(who, "POST", upload,
              "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" +
                  std::string(put.headers.get("etag")) +
                  "</ETag></Part></CompleteMultipartUpload>");
  }
};

TEST_F(S3Initiator, WhoMayWriteByAPolicyGoesThroughAnUploadOfTheirOwn) {
  let_both_write();
  const auto upload = begin("carol");
  const Answer put = part("carol", upload);
  EXPECT_EQ(put.status, 200u);
  EXPECT_EQ(as("carol", "GET", upload).status, 200u) << "lists its parts";
  EXPECT_EQ(complete("carol", upload, put).status, 200u);
  const auto other = begin("carol");
  EXPECT_EQ(as("carol", "DELETE", other).status, 204u);
}

TEST_F(S3Initiator, UploadsOfOthersAreNotTheirs) {
  let_both_write();
  const auto upload = begin("carol");
  const Answer put = part("carol", upload);
  audit_.events.clear();
  expect_denied(part("dave", upload));
  EXPECT_EQ(
      as("dave", "PUT", upload + "&partNumber=1", {}, header("x-amz-copy-source", "/research/none"))
          .status,
      403u);
  expect_denied(complete("dave", upload, put));
  expect_denied(as("dave", "GET", upload));
  expect_denied(as("dave", "DELETE", upload));
  EXPECT_EQ(audit_.events.size(), 5u) << "every refusal is on record";
  EXPECT_EQ(complete("carol", upload, put).status, 200u);
  EXPECT_EQ(as("dave", "DELETE", "/research/big?uploadId=unknown").status, 403u)
      << "without the right, nothing is told of what there is";
}

TEST_F(S3Initiator, AnUploadOfAGrantHolderIsNoStrangersEither) {
  let_both_write();
  const auto upload = begin("alice");
  const Answer put = part("alice", upload);
  expect_denied(part("dave", upload));
  expect_denied(complete("dave", upload, put));
  expect_denied(as("dave", "DELETE", upload));
}

TEST_F(S3Initiator, OthersMayAbortAndListWhereAPolicyNamesIt) {
  rule({statement("Allow", user("carol"), "\"s3:PutObject\""),
        statement("Allow", user("dave"),
                  R"(["s3:AbortMultipartUpload","s3:ListMultipartUploadParts"])")});
  const auto upload = begin("carol");
  const Answer put = part("carol", upload);
  EXPECT_EQ(as("dave", "GET", upload).status, 200u);
  expect_denied(part("dave", upload));
  expect_denied(complete("dave", upload, put));
  EXPECT_EQ(as("dave", "DELETE", upload).status, 204u);
}

TEST_F(S3Initiator, ADenyStopsTheInitiatorToo) {
  rule({statement("Allow", user("carol"), "\"s3:PutObject\""),
        statement("Deny", user("carol"),
                  R"(["s3:AbortMultipartUpload","s3:ListMultipartUploadParts"])")});
  const auto upload = begin("carol");
  EXPECT_EQ(part("carol", upload).status, 200u);
  expect_denied(as("carol", "GET", upload));
  expect_denied(as("carol", "DELETE", upload));
}

TEST_F(S3Initiator, WhoMayNoLongerWriteHasNoUploadsAnyMore) {
  let_both_write();
  const auto upload = begin("carol");
  EXPECT_EQ(part("carol", upload).status, 200u);
  rule({statement("Allow", user("dave"), "\"s3:PutObject\"")});
  expect_denied(part("carol", upload));
  expect_denied(as("carol", "GET", upload));
  expect_denied(as("carol", "DELETE", upload));
}

TEST_F(S3Initiator, HoldersOfAGrantGoOnWithAnybodysUpload) {
  let_both_write();
  const auto upload = begin("carol");
  const Answer put = part("alice", upload);
  EXPECT_EQ(put.status, 200u);
  EXPECT_EQ(as("alice", "GET", upload).status, 200u);
  EXPECT_EQ(complete("admin", upload, put).status, 200u);
}

TEST_F(S3Initiator, ListingsNameWhoBeganAnUpload) {
  let_both_write();
  const auto upload = begin("carol");
  const std::string initiator =
      "<Initiator><ID>arn:aws:iam::000000000000:user/carol</ID>"
      "<DisplayName>carol</DisplayName></Initiator>";
  const std::string parts = as("carol", "GET", upload).body;
  EXPECT_NE(parts.find(initiator), std::string::npos) << parts;
  EXPECT_NE(parts.find("<Owner><ID>686f6c6466617374"), std::string::npos) << parts;
  const std::string uploads = as("alice", "GET", "/research?uploads").body;
  EXPECT_NE(uploads.find(initiator), std::string::npos) << uploads;
}

TEST_F(S3Initiator, NobodyUploadsInPartsWithoutASignature) {
  options_.block_public_access = false;
  service_.emplace(store_, policy_, audit_, clock_, random_, options_);
  rule({statement("Allow", "\"*\"", "\"s3:PutObject\"")});
  EXPECT_EQ(send(head_of("PUT", "/research/plain", {}), "x").status, 200u);
  expect_denied(send(head_of("POST", "/research/big?uploads", {})));
  const auto upload = begin("carol");
  expect_denied(send(head_of("PUT", upload + "&partNumber=1", {}), "x"));
}

}  // namespace
}  // namespace holdfast::gateway
