#include <boost/json.hpp>

#include "s3/chunked.h"
#include "s3_fixture.h"

namespace holdfast::gateway {
namespace {

class S3ServiceTest : public S3Fixture {};

std::string element(const std::string& body, const std::string& name) {
  const auto from = body.find("<" + name + ">");
  if (from == std::string::npos) return {};
  const auto start = from + name.size() + 2;
  return body.substr(start, body.find("</" + name + ">") - start);
}

using Trailers = std::vector<std::pair<std::string, std::string>>;

std::string frame(std::string_view data, const Trailers& trailers) {
  std::string out;
  if (!data.empty()) out = s3::chunk_head(data.size()) + std::string(data) + "\r\n";
  return out + s3::chunked_end(trailers);
}

net::Headers trailer_headers(std::size_t decoded) {
  net::Headers headers;
  headers.add("x-amz-decoded-content-length", std::to_string(decoded));
  headers.add("x-amz-trailer", "x-amz-checksum-crc32");
  headers.add("content-encoding", "aws-chunked");
  return headers;
}

TEST_F(S3ServiceTest, EveryAnswerCarriesARequestId) {
  EXPECT_EQ(as("alice", "GET", "/research").headers.get("x-amz-request-id").size(), 16u);
  const auto failed = as("alice", "GET", "/research/none");
  EXPECT_EQ(failed.status, 404u);
  EXPECT_EQ(element(failed.body, "RequestId"), failed.headers.get("x-amz-request-id"));
  EXPECT_EQ(failed.headers.get("x-amz-bucket-region"), "us-east-1");
}

TEST_F(S3ServiceTest, HeadErrorsHaveNoBody) {
  const auto answer = as("alice", "HEAD", "/research/none");
  EXPECT_EQ(answer.status, 404u);
  EXPECT_EQ(answer.body, "");
}

TEST_F(S3ServiceTest, AnUnsignedTrailerIsVerifiedAndItsChecksumKept) {
  const std::string data = "trailing";
  const auto crc = to_base64(as_bytes(s3::digest_of(s3::Algorithm::crc32, data)));
  const auto head = sign(head_of("PUT", "/research/t", trailer_headers(data.size())),
                         signer("alice"), "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
  const auto put = send(head, frame(data, {{"x-amz-checksum-crc32", crc}}));
  EXPECT_EQ(put.status, 200u) << put.body;
  EXPECT_EQ(put.headers.get("x-amz-checksum-crc32"), crc);
  const auto got = as("alice", "GET", "/research/t", {}, header("x-amz-checksum-mode", "ENABLED"));
  EXPECT_EQ(got.body, data);
  EXPECT_EQ(got.headers.get("x-amz-checksum-crc32"), crc);
  EXPECT_FALSE(got.headers.has("content-encoding"));
}

TEST_F(S3ServiceTest, AWrongMissingOrShortTrailerStoresNothing) {
  const std::string data = "trailing";
  const auto wrong = to_base64(as_bytes(s3::digest_of(s3::Algorithm::crc32, "other")));
  for (const std::string& body :
       {frame(data, {{"x-amz-checksum-crc32", wrong}}), frame(data, {}),
        s3::chunk_head(data.size()) + data, s3::chunk_head(data.size()) + data + "\r\n",
        frame("short", {{"x-amz-checksum-crc32", wrong}})}) {
    const auto head = sign(head_of("PUT", "/research/t", trailer_headers(data.size())),
                           signer("alice"), "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    const auto answer = send(head, body);
    EXPECT_EQ(answer.status, 400u) << answer.body;
    EXPECT_EQ(as("alice", "HEAD", "/research/t").status, 404u);
  }
}

TEST_F(S3ServiceTest, ChunksAreChainedBySignature) {
  const std::string data(70'000, 'c');
  auto unsigned_head = head_of("PUT", "/research/chunked",
                               header("x-amz-decoded-content-length", std::to_string(data.size())));
  const auto& all = unsigned_head.headers.items();
  s3::SignOptions options;
  options.now = clock_.now();
  options.payload_hash = s3::streaming_payload;
  const auto made = s3::sign_headers({"PUT", unsigned_head.path(), {}, all},
                                     {"AKalice", "alice-secret", ""}, options);
  auto head = unsigned_head;
  for (const auto& [name, value] : made.headers) head.headers.add(name, value);
  std::string previous = made.signature;
  std::string body;
  for (const std::string& chunk : {data.substr(0, 65'536), data.substr(65'536), std::string()}) {
    previous =
        s3::chunk_signature(made.key, made.amz_date, made.scope, previous, s3::sha256_hex(chunk));
    char size[32];
    std::snprintf(size, sizeof size, "%zx", chunk.size());
    body += std::string(size) + ";chunk-signature=" + previous + "\r\n" + chunk + "\r\n";
  }
  auto altered = body;
  altered[body.find("cccc") + 100] = 'd';
  EXPECT_EQ(send(head, altered).code(), "SignatureDoesNotMatch");
  EXPECT_EQ(as("alice", "HEAD", "/research/chunked").status, 404u);
  EXPECT_EQ(send(head, body).status, 200u);
  EXPECT_EQ(as("alice", "GET", "/research/chunked").body, data);
}

TEST_F(S3ServiceTest, ShortAndLongBodiesStoreNothing) {
  const auto head = sign(head_of("PUT", "/research/s", {}), signer("alice"), "UNSIGNED-PAYLOAD");
  MemoryExchange unsized(head, "x");
  unsized.reader.sized = false;
  EXPECT_EQ(run(unsized).status, 200u) << "the framing tells the end";
  options_.max_put_bytes = 3;
  service_.emplace(store_, policy_, audit_, clock_, random_, options_);
  const auto other = sign(head_of("PUT", "/research/t", {}), signer("alice"), "UNSIGNED-PAYLOAD");
  MemoryExchange long_one(other, "four");
  long_one.reader.sized = false;
  EXPECT_EQ(run(long_one).code(), "EntityTooLarge");
  EXPECT_EQ(as("alice", "HEAD", "/research/t").status, 404u);
}

TEST_F(S3ServiceTest, DigestsOfTheBodyAreHeldTo) {
  const auto zeros = to_base64(as_bytes(std::string(16, '\0')));
  EXPECT_EQ(as("alice", "PUT", "/research/d", "x", header("Content-MD5", zeros)).code(),
            "BadDigest");
  EXPECT_EQ(as("alice", "PUT", "/research/d", "x", header("Content-MD5", "no")).code(),
            "InvalidDigest");
  EXPECT_EQ(
      as("alice", "PUT", "/research/d", "x", header("x-amz-checksum-crc32", "AAAAAA==")).code(),
      "BadDigest");
  EXPECT_EQ(as("alice", "PUT", "/research/d", "x", header("x-amz-checksum-crc32", "AA==")).code(),
            "BadDigest");
  EXPECT_EQ(as("alice", "HEAD", "/research/d").status, 404u);
}

TEST_F(S3ServiceTest, ConditionsDecideWrites) {
  EXPECT_EQ(as("alice", "PUT", "/research/c", "1", header("If-None-Match", "*")).status, 200u);
  EXPECT_EQ(as("alice", "PUT", "/research/c", "2", header("If-None-Match", "*")).code(),
            "PreconditionFailed");
  const std::string etag(as("alice", "HEAD", "/research/c").headers.get("etag"));
  EXPECT_EQ(as("alice", "PUT", "/research/c", "3", header("If-Match", "\"no\"")).status, 412u);
  EXPECT_EQ(as("alice", "PUT", "/research/c", "4", header("If-Match", etag)).status, 200u);
  EXPECT_EQ(as("alice", "DELETE", "/research/c", {}, header("If-Match", etag)).status, 412u);
  EXPECT_EQ(as("alice", "GET", "/research/c").body, "4");
}

TEST_F(S3ServiceTest, ARangeHoldsOnlyForTheObjectThatIsKnown) {
  EXPECT_EQ(as("alice", "PUT", "/research/r", "0123456789").status, 200u);
  const std::string etag(as("alice", "HEAD", "/research/r").headers.get("etag"));
  net::Headers headers = header("Range", "bytes=2-3");
  headers.add("If-Range", etag);
  EXPECT_EQ(as("alice", "GET", "/research/r", {}, headers).body, "23");
  headers.set("If-Range", "\"other\"");
  const auto whole = as("alice", "GET", "/research/r", {}, headers);
  EXPECT_EQ(whole.status, 200u);
  EXPECT_EQ(whole.body, "0123456789");
}

TEST_F(S3ServiceTest, AnUnchangedObjectIsNotSentAgain) {
  EXPECT_EQ(as("alice", "PUT", "/research/n", "x").status, 200u);
  const std::string etag(as("alice", "HEAD", "/research/n").headers.get("etag"));
  const auto answer = as("alice", "GET", "/research/n", {}, header("If-None-Match", etag));
  EXPECT_EQ(answer.status, 304u);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.headers.get("etag"), etag);
}

TEST_F(S3ServiceTest, HostsAndPathsNameTheSameBucket) {
  EXPECT_EQ(as("alice", "PUT", "/research/h", "x").status, 200u);
  EXPECT_EQ(as("alice", "GET", "/h", {}, header("Host", "research.localhost:7070")).body, "x");
  EXPECT_EQ(as("alice", "GET", "/research/h", {}, header("Host", "us-east-1.localhost:7070")).body,
            "x");
  EXPECT_EQ(as("bob", "GET", "/h", {}, header("Host", "research.localhost")).status, 403u);
}

TEST_F(S3ServiceTest, HealthNeedsNoKey) {
  EXPECT_EQ(send(head_of("GET", "/-/health", {})).status, 200u);
  EXPECT_GE(send(head_of("PUT", "/-/health", {})).status, 400u);
  // In a bucket of that host it is a key like any other.
  EXPECT_EQ(send(head_of("GET", "/-/health", header("Host", "research.localhost"))).status, 403u);
}

TEST_F(S3ServiceTest, WhatIsNotThereSaysSo) {
  EXPECT_EQ(as("admin", "GET", "/no-such-bucket/k").code(), "NoSuchBucket");
  EXPECT_EQ(as("admin", "HEAD", "/no-such-bucket").status, 404u);
  EXPECT_EQ(as("admin", "DELETE", "/research/none").status, 204u);
  EXPECT_EQ(as("admin", "GET", "/research/none?uploadId=x").code(), "NoSuchUpload");
  EXPECT_EQ(as("admin", "PUT", "/Bad_Name").code(), "InvalidBucketName");
  EXPECT_EQ(as("admin", "GET", "/research?max-keys=-1").code(), "InvalidArgument");
  EXPECT_EQ(as("admin", "GET", "/research?encoding-type=base64").code(), "InvalidArgument");
}

TEST_F(S3ServiceTest, TenThousandPartsAreTheLimit) {
  const auto upload = element(as("alice", "POST", "/research/m?uploads").body, "UploadId");
  const auto part = [&](const std::string& number) {
    return as("alice", "PUT", "/research/m?uploadId=" + upload + "&partNumber=" + number, "x");
  };
  EXPECT_EQ(part("10000").status, 200u);
  EXPECT_EQ(part("10001").code(), "InvalidArgument");
  EXPECT_EQ(part("0").code(), "InvalidArgument");
  EXPECT_EQ(part("-1").code(), "InvalidArgument");
  const auto etag = std::string(32, 'a');
  const std::string twice = "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>" +
                            etag + "</ETag></Part><Part><PartNumber>2</PartNumber><ETag>" + etag +
                            "</ETag></Part></CompleteMultipartUpload>";
  EXPECT_EQ(as("alice", "POST", "/research/m?uploadId=" + upload, twice).code(),
            "InvalidPartOrder");
  EXPECT_EQ(
      as("alice", "POST", "/research/m?uploadId=" + upload, "<CompleteMultipartUpload/>").code(),
      "MalformedXML");
}

TEST_F(S3ServiceTest, ABucketsDefaultRetentionHoldsForPlainWrites) {
  EXPECT_EQ(
      as("admin", "PUT", "/locked", {}, header("x-amz-bucket-object-lock-enabled", "true")).status,
      200u);
  EXPECT_EQ(as("admin", "PUT", "/locked/before", "x").status, 200u);
  const std::string rule =
      "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
      "<DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
      "</ObjectLockConfiguration>";
  EXPECT_EQ(as("admin", "PUT", "/locked?object-lock", rule).status, 200u);
  const auto put = as("admin", "PUT", "/locked/kept", "x");
  const std::string version(put.headers.get("x-amz-version-id"));
  const auto got = as("admin", "GET", "/locked/kept");
  EXPECT_EQ(got.headers.get("x-amz-object-lock-mode"), "COMPLIANCE");
  EXPECT_EQ(as("admin", "DELETE", "/locked/kept?versionId=" + version).status, 403u);
  clock_.advance(std::chrono::hours(25));
  EXPECT_EQ(as("admin", "DELETE", "/locked/kept?versionId=" + version).status, 204u);
}

TEST_F(S3ServiceTest, EncryptionThatIsNotDoneIsNotPromised) {
  EXPECT_EQ(as("alice", "PUT", "/research/e", "x", header("x-amz-server-side-encryption", "AES256"))
                .code(),
            "NotImplemented");
  EXPECT_EQ(as("alice", "HEAD", "/research/e").status, 404u);
}

TEST_F(S3ServiceTest, TheChangeFeedGivesKeysAsBytes) {
  const auto start = as("alice", "GET", "/research?events=s3%3A%2A");
  EXPECT_EQ(start.body, "");
  EXPECT_EQ(as("alice", "PUT", "/research/a%FFb", "x").status, 200u);
  const auto since = std::string(start.headers.get("x-holdfast-next"));
  const auto page = as("alice", "GET", "/research?events=s3%3A%2A&since=" + since);
  const auto line = boost::json::parse(page.body).as_object();
  EXPECT_EQ(from_base64(line.at("key").as_string()),
            "a\xff"
            "b");
  EXPECT_EQ(line.at("kind").as_string(), "put");
  EXPECT_EQ(as("alice", "GET", "/research?events=s3:ObjectRemoved:*&since=" + since).body, "");
}

TEST_F(S3ServiceTest, TheAccessFeedWaitsForTheNextEpoch) {
  const auto now = boost::json::parse(as("bob", "GET", "/?holdfast-access").body).as_object();
  EXPECT_EQ(now.at("principal").as_string(), "bob");
  ASSERT_EQ(now.at("visible").as_array().size(), 1u);
  EXPECT_EQ(now.at("visible").as_array()[0].as_object().at("prefix").as_string(), "public/");
  const auto epoch = std::to_string(now.at("epoch").to_number<std::uint64_t>());
  boost::asio::steady_timer later(context_, std::chrono::milliseconds(20));
  later.async_wait([&](boost::system::error_code) {
    std::erase_if(content_.grants, [](const auto& g) { return g.principal.value == "bob"; });
    policy_.publish(content_);
  });
  const auto next = as("bob", "GET", "/?holdfast-access&wait=30&epoch=" + epoch);
  EXPECT_EQ(boost::json::parse(next.body).as_object().at("visible").as_array().size(), 0u);
}

TEST_F(S3ServiceTest, TheAccessFeedShowsWhatItsKeyReaches) {
  auto& key = add_key("alice", {});
  key.id = AccessKeyId("AKscoped");
  key.scope = control::KeyScope{{{.bucket = BucketName("other")}}};
  policy_.publish(content_);
  const auto visible = [&](const Signer& who) {
    const auto answer =
        send(sign(head_of("GET", "/?holdfast-access", {}), who, std::string(s3::empty_sha256_hex)));
    return boost::json::parse(answer.body).as_object().at("visible").as_array().size();
  };
  EXPECT_EQ(visible(signer("alice")), 1u);
  EXPECT_EQ(visible({"AKscoped", "alice-secret", {}}), 0u);
}

TEST_F(S3ServiceTest, TheAccessFeedEndsWithItsKeyAndItsOwner) {
  const auto whole = content_;
  const auto ended_by = [&](const std::function<void()>& change) {
    content_ = whole;
    policy_.publish(content_);
    const auto epoch = std::to_string(policy_.current()->epoch());
    boost::asio::steady_timer later(context_, std::chrono::milliseconds(5));
    later.async_wait([&](boost::system::error_code) {
      change();
      policy_.publish(content_);
    });
    return as("bob", "GET", "/?holdfast-access&wait=30&epoch=" + epoch).code();
  };
  const auto bobs_key = [&]() -> control::KeyRecord& {
    return *std::ranges::find(content_.keys, AccessKeyId("AKbob"), &control::KeyRecord::id);
  };
  EXPECT_EQ(ended_by([] {}), "");
  EXPECT_EQ(ended_by([&] {
              std::erase_if(content_.keys, [](const auto& key) { return key.id.value == "AKbob"; });
            }),
            "AccessDenied");
  EXPECT_EQ(ended_by([&] { bobs_key().not_after = clock_.now(); }), "AccessDenied");
  EXPECT_EQ(ended_by([&] { bobs_key().principal = PrincipalName("alice"); }), "AccessDenied");
  EXPECT_EQ(ended_by([&] {
              for (auto& person : content_.principals)
                person.disabled |= person.name.value == "bob";
            }),
            "AccessDenied");
}

TEST_F(S3ServiceTest, TheAccessFeedIsNotForTheDisabled) {
  for (auto& person : content_.principals) person.disabled = person.name.value == "bob";
  policy_.publish(content_);
  expect_denied(as("bob", "GET", "/?holdfast-access"));
}

TEST_F(S3ServiceTest, CountersTellRequestsErrorsAndBytes) {
  as("alice", "PUT", "/research/n", "12345");
  as("alice", "GET", "/research/n");
  as("alice", "GET", "/research/none");
  const auto& counters = service_->counters();
  const auto get = static_cast<std::size_t>(Operation::get_object);
  EXPECT_EQ(counters.requests[get], 2u);
  EXPECT_EQ(counters.errors[get], 1u);
  EXPECT_EQ(counters.bytes_in, 5u);
  EXPECT_GE(counters.bytes_out, 5u);
}

}  // namespace
}  // namespace holdfast::gateway
