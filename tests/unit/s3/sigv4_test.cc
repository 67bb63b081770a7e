#include "s3/sigv4.h"

#include <gtest/gtest.h>

#include "sigv4_samples.h"

namespace holdfast::s3 {
namespace {

using namespace std::chrono_literals;
using sample::Message;

TEST(SigV4, SignsTheDocumentedGetObject) {
  Message message;
  message.add("Range", "bytes=0-9");
  EXPECT_EQ(sample::sign(message, sample::options_at(sample::now)).signature,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_TRUE(sample::judge(message, sample::verify_at(sample::now)));
}

TEST(SigV4, SignsTheDocumentedPutObject) {
  Message message{.method = "PUT", .path = "/test$file.text"};
  message.add("Date", "Fri, 24 May 2013 00:00:00 GMT");
  message.add("x-amz-storage-class", "REDUCED_REDUNDANCY");
  const auto hash = sha256_hex("Welcome to Amazon S3.");
  EXPECT_EQ(sample::sign(message, sample::options_at(sample::now, hash)).signature,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  const auto verified = sample::judge(message, sample::verify_at(sample::now));
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->payload, PayloadMode::hashed);
  EXPECT_EQ(verified->payload_hash, hash);
}

TEST(SigV4, SignsTheDocumentedSubresourceAndList) {
  Message lifecycle{.path = "/", .query = "lifecycle"};
  EXPECT_EQ(sample::sign(lifecycle, sample::options_at(sample::now)).signature,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  Message list{.path = "/", .query = "prefix=J&max-keys=2"};
  EXPECT_EQ(sample::sign(list, sample::options_at(sample::now)).signature,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  EXPECT_TRUE(sample::judge(list, sample::verify_at(sample::now)));
}

TEST(SigV4, PresignsTheDocumentedUrlAndAcceptsIt) {
  Message message;
  message.query = presign_query(message.view(), sample::credentials,
                                sample::options_at(sample::now, unsigned_payload), 86400s);
  EXPECT_TRUE(message.query.ends_with(
      "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"));
  const auto verified = sample::judge(message, sample::verify_at(sample::now + 23h));
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->kind, AuthKind::presigned);
  EXPECT_EQ(verified->payload, PayloadMode::unsigned_payload);
}

TEST(SigV4, SignsTheDocumentedChunkedSeed) {
  Message message = sample::chunked_message(streaming_payload);
  EXPECT_EQ(sample::sign(message, sample::options_at(sample::now, streaming_payload)).signature,
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
  const auto verified = sample::judge(message, sample::verify_at(sample::now));
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->payload, PayloadMode::streaming_signed);
  EXPECT_EQ(verified->scope, "20130524/us-east-1/s3/aws4_request");
}

TEST(SigV4, SignsTheDocumentedSeedWithTrailer) {
  Message message = sample::chunked_message(streaming_payload_trailer);
  EXPECT_EQ(
      sample::sign(message, sample::options_at(sample::now, streaming_payload_trailer)).signature,
      "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
}

// AWS General Reference, "Deriving the signing key".
TEST(SigV4, DerivesTheDocumentedSigningKey) {
  const auto key = derive_signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                      {"20150830", "us-east-1", "iam"});
  EXPECT_EQ(to_hex(key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

TEST(SigV4, HmacMatchesRfc4231) {
  const std::string key(131, '\xaa');  // longer than a block
  EXPECT_EQ(
      to_hex(hmac_sha256(as_bytes(key), "Test Using Larger Than Block-Size Key - Hash Key First")),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(SigV4, TheKeyCacheGivesTheSameKeysAndStaysBounded) {
  SigningKeyCache cache(4);
  for (int day = 10; day < 30; ++day) {
    const Scope scope{"201305" + std::to_string(day), "us-east-1", "s3"};
    EXPECT_EQ(cache.get("secret", scope), derive_signing_key("secret", scope));
    EXPECT_EQ(cache.get("secret", scope), derive_signing_key("secret", scope));
    EXPECT_LE(cache.size(), 4u);
  }
  // Parts must not run together: "ab"+"c" is not "a"+"bc".
  EXPECT_NE(cache.get("a", {"20130524", "bc", "s3"}), cache.get("ab", {"20130524", "c", "s3"}));
}

TEST(SigV4, VerifiesWithACacheAndAnyRegionUnlessOneIsAsked) {
  SigningKeyCache cache;
  Message message;
  auto options = sample::options_at(sample::now);
  options.region = "eu-somewhere-9";
  options.cache = &cache;
  sample::sign(message, options);
  auto verify_options = sample::verify_at(sample::now);
  verify_options.cache = &cache;
  EXPECT_TRUE(sample::judge(message, verify_options));
  verify_options.region = "us-east-1";
  EXPECT_FALSE(sample::judge(message, verify_options));
}

TEST(SigV4, OneDecodedPathHoweverItIsWritten) {
  // The signer encodes canonically; the wire may write the same bytes another way.
  Message message{.path = "/bucket/a%2Fb%20c+d~e"};
  sample::sign(message, sample::options_at(sample::now));
  for (const char* same : {"/bucket/a/b%20c+d~e", "/bucket/a%2fb%20c%2Bd%7Ee"}) {
    message.path = same;
    EXPECT_TRUE(sample::judge(message, sample::verify_at(sample::now))) << same;
  }
  for (const char* other :
       {"/bucket/a%252Fb%20c+d~e", "/bucket/a/b+c+d~e", "/bucket//a/b%20c+d~e"}) {
    message.path = other;
    EXPECT_FALSE(sample::judge(message, sample::verify_at(sample::now))) << other;
  }
}

TEST(SigV4, NoPathIsNormalisedAway) {
  for (const char* path : {"/b/../a", "/b/./a", "/b//a", "/b/a/"}) {
    Message message{.path = path};
    sample::sign(message, sample::options_at(sample::now));
    EXPECT_TRUE(sample::judge(message, sample::verify_at(sample::now))) << path;
    message.path = "/b/a";
    EXPECT_FALSE(sample::judge(message, sample::verify_at(sample::now))) << path;
  }
}

TEST(SigV4, HeaderValuesAreTrimmedAndFolded) {
  Message message;
  message.add("x-amz-meta-note", "two  words");
  sample::sign(message, sample::options_at(sample::now));
  message.header("x-amz-meta-note") = "   two words ";
  EXPECT_TRUE(sample::judge(message, sample::verify_at(sample::now)));
  message.header("x-amz-meta-note") = "twowords";
  EXPECT_FALSE(sample::judge(message, sample::verify_at(sample::now)));
}

TEST(SigV4, AcceptsADateHeaderInPlaceOfXAmzDate) {
  Message message;
  message.add("Date", "Fri, 24 May 2013 00:00:00 GMT");
  message.add("x-amz-content-sha256", std::string(empty_sha256_hex));
  const std::vector<std::string> names{"date", "host", "x-amz-content-sha256"};
  const std::string scope = "20130524/us-east-1/s3/aws4_request";
  const auto canonical = canonical_request(message.view(), {}, names, empty_sha256_hex);
  const auto key =
      derive_signing_key(sample::credentials.secret_key, {"20130524", "us-east-1", "s3"});
  message.add("Authorization",
              "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/" + scope +
                  ", SignedHeaders=date;host;x-amz-content-sha256, Signature=" +
                  sign_hex(key, string_to_sign("20130524T000000Z", scope, canonical)));
  EXPECT_TRUE(sample::judge(message, sample::verify_at(sample::now)));
}

TEST(SigV4, SessionTokensTravelInHeaderOrQuery) {
  Credentials credentials = sample::credentials;
  credentials.session_token = "to/ken==";
  Message in_header;
  for (const auto& [name, value] :
       sign_headers(in_header.view(), credentials, sample::options_at(sample::now)).headers) {
    in_header.add(name, value);
  }
  EXPECT_EQ(parse_authorization(in_header.view())->session_token, "to/ken==");
  EXPECT_TRUE(sample::judge(in_header, sample::verify_at(sample::now)));
  Message in_query;
  in_query.query = presign_query(in_query.view(), credentials,
                                 sample::options_at(sample::now, unsigned_payload), 60s);
  EXPECT_EQ(parse_authorization(in_query.view())->session_token, "to/ken==");
  EXPECT_TRUE(sample::judge(in_query, sample::verify_at(sample::now)));
}

TEST(SigV4, StsRequestsAreSignedOverTheirBody) {
  Message message{.method = "POST", .path = "/"};
  const auto hash = sha256_hex("Action=AssumeRole");
  auto options = sample::options_at(sample::now, hash);
  options.service = "sts";
  auto done = sign_headers(message.view(), sample::credentials, options);
  for (const auto& [name, value] : done.headers) message.add(name, value);
  const auto parsed = parse_authorization(message.view(), hash);
  ASSERT_TRUE(parsed);
  auto verify_options = sample::verify_at(sample::now);
  EXPECT_FALSE(verify(*parsed, sample::credentials.secret_key, message.view(), verify_options));
  verify_options.service = "sts";
  EXPECT_TRUE(verify(*parsed, sample::credentials.secret_key, message.view(), verify_options));
}

}  // namespace
}  // namespace holdfast::s3
