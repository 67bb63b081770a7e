// x-amz-server-side-encryption: what may be asked for, and what answers say of which bodies.
#include <gtest/gtest.h>

#include "tests/unit/gateway/s3_fixture.h"

namespace holdfast::gateway {
namespace {

constexpr std::string_view name = "x-amz-server-side-encryption";

class S3EncryptionTest : public S3Fixture {
 protected:
  void restart(BodyEncryption encryption) {
    options_.encryption = encryption;
    service_.emplace(store_, policy_, audit_, clock_, random_, options_);
  }
  static net::Headers asking(std::string_view value) { return header(name, value); }
  static std::string told(const Answer& answer) { return std::string(answer.headers.get(name)); }
  std::string begin_upload(const std::string& path, net::Headers headers = {}) {
    const auto begun = as("alice", "POST", path + "?uploads", "", std::move(headers));
    EXPECT_EQ(begun.status, 200u) << begun.body;
    const auto from = begun.body.find("<UploadId>") + 10;
    return begun.body.substr(from, begun.body.find("</UploadId>") - from);
  }
  Answer form(const std::string& fields) {
    net::Headers headers;
    headers.add("Content-Type", "multipart/form-data; boundary=B");
    return send(head_of("POST", "/research", std::move(headers)),
                fields +
                    "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
                    "x\r\n--B--\r\n");
  }
};

TEST_F(S3EncryptionTest, AStoreThatEncryptsTakesAES256AndSaysSoInEveryAnswer) {
  restart(BodyEncryption::all_bodies);
  EXPECT_EQ(told(as("alice", "PUT", "/research/a", "x", asking("AES256"))), "AES256");
  EXPECT_EQ(told(as("alice", "PUT", "/research/b", "x")), "AES256") << "asked for or not";
  EXPECT_EQ(told(as("alice", "GET", "/research/a")), "AES256");
  EXPECT_EQ(told(as("alice", "GET", "/research/a", "", header("Range", "bytes=0-0"))), "AES256");
  EXPECT_EQ(told(as("alice", "HEAD", "/research/b")), "AES256");
  auto copy = asking("AES256");
  copy.add("x-amz-copy-source", "/research/a");
  EXPECT_EQ(told(as("alice", "PUT", "/research/c", "", copy)), "AES256");

  const auto begun = as("alice", "POST", "/research/m?uploads", "", asking("AES256"));
  EXPECT_EQ(told(begun), "AES256");
  const auto from = begun.body.find("<UploadId>") + 10;
  const auto upload = begun.body.substr(from, begun.body.find("</UploadId>") - from);
  const auto part = as("alice", "PUT", "/research/m?partNumber=1&uploadId=" + upload, "x");
  EXPECT_EQ(told(part), "AES256");
  const auto done =
      as("alice", "POST", "/research/m?uploadId=" + upload,
         "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" +
             std::string(part.headers.get("etag")) + "</ETag></Part></CompleteMultipartUpload>");
  EXPECT_EQ(done.status, 200u) << done.body;
  EXPECT_EQ(told(done), "AES256");
  EXPECT_EQ(told(as("alice", "GET", "/research/missing")), "");
}

TEST_F(S3EncryptionTest, WhatIsNotDoneIsRefusedAlsoByAStoreThatEncrypts) {
  restart(BodyEncryption::all_bodies);
  for (const char* value : {"aws:kms", "aws:kms:dsse", "aws:fsx"}) {
    const auto answer = as("alice", "PUT", "/research/k", "x", asking(value));
    EXPECT_EQ(answer.status, 501u) << value;
    EXPECT_EQ(answer.code(), "NotImplemented") << value;
  }
  const auto unknown = as("alice", "PUT", "/research/k", "x", asking("AES512"));
  EXPECT_EQ(unknown.status, 400u);
  EXPECT_EQ(unknown.code(), "InvalidEncryptionAlgorithmError");
  for (const char* more : {"x-amz-server-side-encryption-aws-kms-key-id",
                           "x-amz-server-side-encryption-bucket-key-enabled",
                           "x-amz-server-side-encryption-customer-algorithm",
                           "x-amz-copy-source-server-side-encryption-customer-algorithm"}) {
    auto headers = asking("AES256");
    headers.add(more, "AES256");
    EXPECT_EQ(as("alice", "PUT", "/research/k", "x", headers).status, 501u) << more;
    EXPECT_EQ(as("alice", "POST", "/research/k?uploads", "", headers).status, 501u) << more;
  }
  EXPECT_EQ(as("alice", "HEAD", "/research/k").status, 404u);
}

TEST_F(S3EncryptionTest, AStoreThatDoesNotEncryptRefusesItAndSaysNothing) {
  for (const char* value : {"AES256", "aws:kms", "AES512"}) {
    EXPECT_EQ(as("alice", "PUT", "/research/e", "x", asking(value)).status, 501u) << value;
    EXPECT_EQ(as("alice", "POST", "/research/e?uploads", "", asking(value)).status, 501u) << value;
  }
  EXPECT_EQ(told(as("alice", "PUT", "/research/e", "x")), "");
  EXPECT_EQ(told(as("alice", "GET", "/research/e")), "");
}

TEST_F(S3EncryptionTest, AQueryAsksAsAHeaderDoes) {
  const auto url = presign("PUT", "/research/q?x-amz-server-side-encryption=AES256",
                           signer("alice"), std::chrono::seconds(60));
  EXPECT_EQ(send(head_of("PUT", url, {}), "x").status, 501u);
  restart(BodyEncryption::all_bodies);
  EXPECT_EQ(send(head_of("PUT", url, {}), "x").status, 200u);
  const auto kms = presign("PUT", "/research/q?x-amz-server-side-encryption=aws:kms",
                           signer("alice"), std::chrono::seconds(60));
  EXPECT_EQ(send(head_of("PUT", kms, {}), "x").status, 501u);
}

// Bodies from before encryption may lie there: nothing is said of what was not written just now.
TEST_F(S3EncryptionTest, OnlyWhatIsCertainIsSaidWhereOldBodiesAreInTheClear) {
  EXPECT_EQ(as("alice", "PUT", "/research/old", "x").status, 200u);
  restart(BodyEncryption::new_bodies);
  EXPECT_EQ(told(as("alice", "PUT", "/research/new", "x", asking("AES256"))), "AES256");
  EXPECT_EQ(told(as("alice", "GET", "/research/new")), "");
  EXPECT_EQ(told(as("alice", "GET", "/research/old")), "");
  auto copy = header("x-amz-copy-source", "/research/old");
  EXPECT_EQ(told(as("alice", "PUT", "/research/copy", "", copy)), "");
  copy.add(name, "AES256");
  const auto refused = as("alice", "PUT", "/research/asked", "", copy);
  EXPECT_EQ(refused.status, 501u) << "a copy shares its source's body";
  EXPECT_EQ(as("alice", "HEAD", "/research/asked").status, 404u);
  const auto upload = begin_upload("/research/m", asking("AES256"));
  const auto part = as("alice", "PUT", "/research/m?partNumber=1&uploadId=" + upload, "x");
  EXPECT_EQ(told(part), "AES256");
}

TEST_F(S3EncryptionTest, ABucketsConfigurationIsWhatItsStoreDoes) {
  const auto asks = [](std::string_view algorithm) {
    return fmt::format(
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
        "<SSEAlgorithm>{}</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
        "</ServerSideEncryptionConfiguration>",
        algorithm);
  };
  const std::string path = "/research?encryption";
  restart(BodyEncryption::none);
  EXPECT_EQ(as("admin", "GET", path).code(), "ServerSideEncryptionConfigurationNotFoundError");
  EXPECT_EQ(as("admin", "PUT", path, asks("AES256")).status, 501u);
  restart(BodyEncryption::new_bodies);
  const auto told = as("admin", "GET", path);
  EXPECT_EQ(told.status, 200u);
  EXPECT_NE(told.body.find("<SSEAlgorithm>AES256</SSEAlgorithm>"), std::string::npos) << told.body;
  EXPECT_EQ(as("admin", "PUT", path, asks("AES256")).status, 200u);
  EXPECT_EQ(as("admin", "PUT", path, asks("aws:kms")).status, 501u);
  EXPECT_EQ(as("admin", "PUT", path, "<ServerSideEncryptionConfiguration/>").status, 400u);
  EXPECT_EQ(as("admin", "DELETE", path).status, 204u);
  EXPECT_EQ(as("admin", "GET", path).body, told.body) << "deleting leaves the default";
  EXPECT_EQ(as("admin", "GET", "/missing?encryption").code(), "NoSuchBucket");
}

TEST_F(S3EncryptionTest, FormsAskInAField) {
  content_.principals.push_back({.name = PrincipalName("everyone")});
  options_.block_public_access = false;
  restart(BodyEncryption::none);
  ASSERT_EQ(as("admin", "PUT", "/research?policy",
               R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",)"
               R"("Action":"s3:PutObject","Resource":"arn:aws:s3:::research/*"}]})")
                .status,
            204u);
  const std::string key = "--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nform\r\n";
  const auto field = [&](const std::string& value) {
    return key +
           "--B\r\nContent-Disposition: form-data; name=\"x-amz-server-side-encryption\"\r\n\r\n" +
           value + "\r\n";
  };
  EXPECT_EQ(form(field("AES256")).status, 501u);
  restart(BodyEncryption::all_bodies);
  EXPECT_EQ(told(form(field("AES256"))), "AES256");
  EXPECT_EQ(told(form(key)), "AES256");
  EXPECT_EQ(form(field("aws:kms")).status, 501u);
}

}  // namespace
}  // namespace holdfast::gateway
