// What the S3 API answers beside the body: versions, markers, checksums of parts, conditions of
// deletes, pages of buckets, and who owns a bucket that was made.
#include <gtest/gtest.h>

#include <chrono>
#include <map>

#include "s3_form_fixture.h"

namespace holdfast::gateway {
namespace {

class RecordedOwners final : public BucketOwners {
 public:
  boost::asio::awaitable<Result<void>> bucket_made(BucketName bucket,
                                                   PrincipalName owner) override {
    if (fails) co_return fail(ErrorCode::io, "the registry is away");
    owner_of[bucket.value] = owner.value;
    if (made) made(bucket, owner);
    co_return Result<void>();
  }
  boost::asio::awaitable<Result<void>> bucket_removed(BucketName bucket) override {
    owner_of.erase(bucket.value);
    co_return Result<void>();
  }
  std::map<std::string, std::string> owner_of;
  std::function<void(BucketName, PrincipalName)> made;
  bool fails = false;
};

class S3AnswersTest : public S3FormFixture {
 protected:
  S3AnswersTest() {
    options_.owners = &owners_;
    owners_.made = [this](const BucketName& bucket, const PrincipalName& owner) {
      content_.grants.push_back({.id = static_cast<std::int64_t>(content_.grants.size()) + 1,
                                 .principal = owner,
                                 .bucket = bucket,
                                 .prefix = {},
                                 .level = control::Level::admin});
      policy_.publish(content_);
    };
    restart();
  }
  void restart() { service_.emplace(store_, policy_, audit_, clock_, random_, options_); }
  void everyone_makes_buckets() {
    for (auto& key : content_.keys) key.purpose = "user";
    policy_.publish(content_);
    options_.bucket_creators = BucketCreators::everyone;
    restart();
  }
  void set_versioning(const std::string& bucket, const std::string& status) {
    const std::string body =
        "<VersioningConfiguration><Status>" + status + "</Status></VersioningConfiguration>";
    EXPECT_EQ(as("admin", "PUT", "/" + bucket + "?versioning", body).status, 200u);
  }
  // A form as SigV2 signs it.
  Answer post_v2(const std::string& secret) {
    const std::string policy = to_base64(as_bytes(std::string_view(
        R"({"expiration":"2026-11-22T06:00:00Z","conditions":[{"bucket":"research"},)"
        R"(["starts-with","$key","f"]]})")));
    return post_form({{"key", "form"},
                      {"AWSAccessKeyId", "AKalice"},
                      {"policy", policy},
                      {"signature", sign_v2(secret, policy)}});
  }

  RecordedOwners owners_;
};

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const auto start = text.find(from);
  if (start == std::string::npos) return {};
  const auto begin = start + from.size();
  return text.substr(begin, text.find(to, begin) - begin);
}

TEST_F(S3AnswersTest, AHiddenKeySaysThatADeleteMarkerHidesIt) {
  set_versioning("research", "Enabled");
  const auto put = as("alice", "PUT", "/research/k", "x");
  const std::string version(put.headers.get("x-amz-version-id"));
  EXPECT_FALSE(version.empty());
  const auto removed = as("alice", "DELETE", "/research/k");
  const std::string marker(removed.headers.get("x-amz-version-id"));
  const auto missing = as("alice", "GET", "/research/k");
  EXPECT_EQ(missing.status, 404u);
  EXPECT_EQ(missing.headers.get("x-amz-delete-marker"), "true");
  EXPECT_EQ(missing.headers.get("x-amz-version-id"), marker);
  EXPECT_EQ(as("alice", "HEAD", "/research/k").headers.get("x-amz-delete-marker"), "true");
  EXPECT_EQ(as("alice", "GET", "/research/k?versionId=" + marker).status, 405u);
  EXPECT_FALSE(as("alice", "GET", "/research/other").headers.has("x-amz-delete-marker"));
  expect_denied(as("bob", "GET", "/research/k"));
  EXPECT_FALSE(as("bob", "GET", "/research/k").headers.has("x-amz-delete-marker"));
}

TEST_F(S3AnswersTest, OnlyEnabledVersioningNamesTheVersionThatWasWritten) {
  EXPECT_FALSE(as("alice", "PUT", "/research/k", "x").headers.has("x-amz-version-id"));
  set_versioning("research", "Suspended");
  EXPECT_FALSE(as("alice", "PUT", "/research/k", "x").headers.has("x-amz-version-id"));
  EXPECT_EQ(as("alice", "DELETE", "/research/k").headers.get("x-amz-version-id"), "null");
  set_versioning("research", "Enabled");
  EXPECT_TRUE(as("alice", "PUT", "/research/k", "x").headers.has("x-amz-version-id"));
}

TEST_F(S3AnswersTest, APartHasTheChecksumThatItWasUploadedWith) {
  net::Headers headers = header("x-amz-checksum-algorithm", "SHA256");
  const auto begun = as("alice", "POST", "/research/m?uploads", {}, headers);
  const std::string upload = between(begun.body, "<UploadId>", "</UploadId>");
  const std::string digest = to_base64(as_bytes(s3::digest_of(s3::Algorithm::sha256, "part")));
  const auto part = as("alice", "PUT", "/research/m?partNumber=1&uploadId=" + upload, "part",
                       header("x-amz-checksum-sha256", digest));
  ASSERT_EQ(part.status, 200u);
  const std::string document = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" +
                               std::string(part.headers.get("etag")) +
                               "</ETag></Part></CompleteMultipartUpload>";
  ASSERT_EQ(as("alice", "POST", "/research/m?uploadId=" + upload, document).status, 200u);

  const auto got =
      as("alice", "GET", "/research/m?partNumber=1", {}, header("x-amz-checksum-mode", "ENABLED"));
  EXPECT_EQ(got.headers.get("x-amz-checksum-sha256"), digest);
  EXPECT_EQ(got.headers.get("x-amz-checksum-type"), "COMPOSITE");
  const auto attributes = as("alice", "GET", "/research/m?attributes", {},
                             header("x-amz-object-attributes", "ObjectParts"));
  EXPECT_EQ(
      between(attributes.body, "<Part>", "</Part>"),
      "<PartNumber>1</PartNumber><Size>4</Size><ChecksumSHA256>" + digest + "</ChecksumSHA256>");
}

TEST_F(S3AnswersTest, ADeleteHoldsToSizeAndTimeToo) {
  ASSERT_EQ(as("alice", "PUT", "/research/k", "four").status, 200u);
  const auto remove = [&](std::string_view name, std::string_view value) {
    return as("alice", "DELETE", "/research/k", {}, header(name, value)).code();
  };
  EXPECT_EQ(remove("x-amz-if-match-size", "5"), "PreconditionFailed");
  EXPECT_EQ(remove("x-amz-if-match-size", "many"), "InvalidArgument");
  EXPECT_EQ(remove("x-amz-if-match-last-modified-time", "Thu, 01 Jan 2015 00:00:00 GMT"),
            "PreconditionFailed");
  EXPECT_EQ(remove("x-amz-if-match-last-modified-time", "yesterday"), "InvalidArgument");
  EXPECT_EQ(remove("If-None-Match", "*"), "NotImplemented");
  const std::string document =
      "<Delete><Object><Key>k</Key><Size>5</Size></Object><Object><Key>gone</Key>"
      "<ETag>x</ETag></Object></Delete>";
  const auto digest = to_base64(as_bytes(s3::digest_of(s3::Algorithm::md5, document)));
  const auto many =
      as("alice", "POST", "/research?delete", document, header("Content-MD5", digest));
  EXPECT_EQ(between(many.body, "<Error>", "<Message>"),
            "<Key>k</Key><Code>PreconditionFailed</Code>");
  EXPECT_EQ(between(many.body, "<Deleted>", "</Deleted>"), "<Key>gone</Key>");
  EXPECT_EQ(as("alice", "GET", "/research/k").body, "four");
  EXPECT_EQ(remove("x-amz-if-match-size", "4"), "");
  EXPECT_EQ(as("alice", "GET", "/research/k").status, 404u);
}

TEST_F(S3AnswersTest, BucketsAreListedInPages) {
  const auto one = as("admin", "GET", "/?max-buckets=1");
  EXPECT_NE(one.body.find("<Name>other</Name>"), std::string::npos);
  EXPECT_EQ(one.body.find("<Name>research</Name>"), std::string::npos);
  const std::string token = between(one.body, "<ContinuationToken>", "</ContinuationToken>");
  ASSERT_FALSE(token.empty());
  const auto two = as("admin", "GET", "/?continuation-token=" + token + "&max-buckets=1");
  EXPECT_NE(two.body.find("<Name>research</Name>"), std::string::npos);
  EXPECT_EQ(two.body.find("<Name>other</Name>"), std::string::npos);
  EXPECT_EQ(two.body.find("<ContinuationToken>"), std::string::npos);
  EXPECT_EQ(as("admin", "GET", "/?max-buckets=0").code(), "InvalidArgument");
  EXPECT_EQ(as("alice", "GET", "/?max-buckets=1").body.find("<Name>other</Name>"),
            std::string::npos);
}

TEST_F(S3AnswersTest, OnlyAdministratorsMakeBucketsUnlessEveryoneMay) {
  expect_denied(as("alice", "PUT", "/mine"));
  everyone_makes_buckets();
  ASSERT_EQ(as("alice", "PUT", "/mine").status, 200u);
  EXPECT_EQ(owners_.owner_of.at("mine"), "alice");
  EXPECT_EQ(as("alice", "PUT", "/mine/k", "x").status, 200u);
  expect_denied(as("bob", "GET", "/mine/k"));
  EXPECT_EQ(as("bob", "PUT", "/mine").code(), "BucketAlreadyExists");
  EXPECT_EQ(as("alice", "PUT", "/mine").status, 200u) << "us-east-1 takes it again";
  EXPECT_EQ(as("alice", "GET", "/mine/k").body, "x");
  ASSERT_EQ(as("alice", "DELETE", "/mine/k").status, 204u);
  expect_denied(as("bob", "DELETE", "/mine"));
  expect_denied(as("alice", "DELETE", "/research"));
  ASSERT_EQ(as("alice", "DELETE", "/mine").status, 204u);
  EXPECT_FALSE(owners_.owner_of.contains("mine")) << "the next of that name is another's";
}

TEST_F(S3AnswersTest, ABucketIsMadeWhileOthersChangeWhatIsAllowed) {
  everyone_makes_buckets();
  const std::string body = "<CreateBucketConfiguration/>";
  MemoryExchange exchange(sign(head_of("PUT", "/mine", {}), signer("alice"), s3::sha256_hex(body)),
                          body);
  exchange.reader.before_read = [&](int) { policy_.publish(content_); };
  EXPECT_EQ(run(exchange).status, 200u);
}

TEST_F(S3AnswersTest, WhereEveryoneMakesBucketsAFreeNameIsSaidToBeFree) {
  expect_denied(as("alice", "GET", "/nowhere"));
  expect_denied(as("alice", "GET", "/other"));
  everyone_makes_buckets();
  EXPECT_EQ(as("alice", "GET", "/nowhere").code(), "NoSuchBucket");
  EXPECT_EQ(as("alice", "PUT", "/research/k", {}, header("x-amz-copy-source", "/nowhere/k")).code(),
            "NoSuchBucket");
  expect_denied(as("alice", "GET", "/other"));
  EXPECT_EQ(send(head_of("GET", "/nowhere", {})).code(), "AccessDenied") << "not to strangers";
}

TEST_F(S3AnswersTest, AKeyThatWasLentMakesNoBuckets) {
  everyone_makes_buckets();
  for (auto& key : content_.keys) {
    if (key.principal.value == "alice") key.scope.emplace();
    if (key.principal.value == "bob") key.purpose = "tool";
  }
  policy_.publish(content_);
  expect_denied(as("alice", "PUT", "/mine"));
  expect_denied(as("bob", "PUT", "/mine"));
  for (auto& key : content_.keys) {
    if (key.principal.value == "dora") key.session_token = "token";
  }
  policy_.publish(content_);
  expect_denied(send(sign(head_of("PUT", "/mine", {}), {"AKdora", "dora-secret", "token"},
                          std::string(s3::empty_sha256_hex))));
}

TEST_F(S3AnswersTest, ABucketThatNobodyWouldAdministerIsNotMade) {
  everyone_makes_buckets();
  owners_.fails = true;
  EXPECT_GE(as("alice", "PUT", "/mine").status, 500u);
  EXPECT_EQ(as("admin", "HEAD", "/mine").status, 404u);
}

TEST_F(S3AnswersTest, OtherRegionsSayThatTheBucketIsTheirOwn) {
  options_.hosts.region = "eu-central-1";
  restart();
  EXPECT_EQ(as("admin", "PUT", "/research").code(), "BucketAlreadyOwnedByYou");
}

TEST_F(S3AnswersTest, OldFormSignaturesCountOnlyWhereTheyAreAskedFor) {
  EXPECT_EQ(post_v2("alice-secret").code(), "InvalidRequest");
  options_.v2_forms = true;
  restart();
  EXPECT_EQ(post_v2("other-secret").code(), "SignatureDoesNotMatch");
  EXPECT_EQ(as("alice", "HEAD", "/research/form").status, 404u);
  EXPECT_EQ(post_v2("alice-secret").status, 204u);
  EXPECT_EQ(as("alice", "GET", "/research/form").body, "hello");
}

TEST_F(S3AnswersTest, AnEmptyContinuationTokenIsNone) {
  ASSERT_EQ(as("alice", "PUT", "/research/k", "x").status, 200u);
  const auto listed = as("alice", "GET", "/research?list-type=2&continuation-token=");
  EXPECT_NE(listed.body.find("<Key>k</Key>"), std::string::npos);
  EXPECT_NE(listed.body.find("<ContinuationToken></ContinuationToken>"), std::string::npos)
      << listed.body;
}

TEST_F(S3AnswersTest, AMultipartUploadThatNobodyFinishedGoesWithItsBucket) {
  ASSERT_EQ(as("admin", "POST", "/other/k?uploads").status, 200u);
  EXPECT_EQ(as("admin", "DELETE", "/other").status, 204u);
}

}  // namespace
}  // namespace holdfast::gateway
