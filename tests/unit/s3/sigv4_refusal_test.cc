// Everything that must not pass: each test fails when its guard is taken out of sigv4_verify.cc.
#include <gtest/gtest.h>

#include "s3/sigv4.h"
#include "sigv4_samples.h"

namespace holdfast::s3 {
namespace {

using namespace std::chrono_literals;
using sample::Message;

Message signed_message() {
  Message message;
  sample::sign(message, sample::options_at(sample::now));
  return message;
}

Message presigned_message(std::chrono::seconds expires = 3600s) {
  Message message;
  message.query = presign_query(message.view(), sample::credentials,
                                sample::options_at(sample::now, unsigned_payload), expires);
  return message;
}

ApiError error_of(Message& message, TimePoint at = sample::now) {
  const auto verdict = sample::judge(message, sample::verify_at(at));
  return verdict ? ApiError::count_ : verdict.error().error;
}

void replace(std::string& text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
}

TEST(SigV4Refusal, AWrongSecretMethodPathQueryOrHeader) {
  Message message = signed_message();
  EXPECT_EQ(sample::judge(message, sample::verify_at(sample::now), "other").error().error,
            ApiError::signature_does_not_match);
  EXPECT_EQ(sample::judge(message, sample::verify_at(sample::now), "").error().error,
            ApiError::invalid_access_key_id);
  message.method = "DELETE";
  EXPECT_EQ(error_of(message), ApiError::signature_does_not_match);
  message = signed_message();
  message.path = "/other.txt";
  EXPECT_EQ(error_of(message), ApiError::signature_does_not_match);
  message = signed_message();
  message.query = "versionId=1";
  EXPECT_EQ(error_of(message), ApiError::signature_does_not_match);
  message = signed_message();
  message.header("host") = "elsewhere";
  EXPECT_EQ(error_of(message), ApiError::signature_does_not_match);
}

TEST(SigV4Refusal, TimesFurtherThanFifteenMinutes) {
  Message message = signed_message();
  EXPECT_EQ(error_of(message, sample::now + 15min), ApiError::count_);
  EXPECT_EQ(error_of(message, sample::now - 15min), ApiError::count_);
  EXPECT_EQ(error_of(message, sample::now + 15min + 1s), ApiError::request_time_too_skewed);
  EXPECT_EQ(error_of(message, sample::now - 15min - 1s), ApiError::request_time_too_skewed);
}

TEST(SigV4Refusal, PresignedUrlsPastTheirTimeOrNotYetValid) {
  Message message = presigned_message();
  EXPECT_EQ(error_of(message, sample::now + 3600s), ApiError::count_);
  EXPECT_EQ(error_of(message, sample::now + 3601s), ApiError::request_expired);
  EXPECT_EQ(error_of(message, sample::now - 16min), ApiError::access_denied);
}

TEST(SigV4Refusal, PresignedUrlsForMoreThanSevenDays) {
  Message week = presigned_message(7 * 24h);
  EXPECT_EQ(error_of(week), ApiError::count_);
  Message longer = presigned_message(7 * 24h + 1s);
  EXPECT_EQ(error_of(longer), ApiError::authorization_query_parameters_error);
  Message never = presigned_message(0s);
  EXPECT_EQ(error_of(never), ApiError::authorization_query_parameters_error);
  Message negative = presigned_message(-1s);
  EXPECT_EQ(error_of(negative), ApiError::authorization_query_parameters_error);
}

TEST(SigV4Refusal, UnsignedAmzHeadersInEitherKind) {
  for (Message message : {signed_message(), presigned_message()}) {
    message.add("X-Amz-Copy-Source", "/other/secret");
    EXPECT_EQ(error_of(message), ApiError::headers_not_signed);
  }
}

TEST(SigV4Refusal, ASecondUnsignedValueOfASignedHeader) {
  Message message;
  message.add("x-amz-meta-a", "1");
  sample::sign(message, sample::options_at(sample::now));
  message.add("x-amz-meta-a", "2");
  EXPECT_EQ(error_of(message), ApiError::signature_does_not_match);
}

TEST(SigV4Refusal, AHostThatIsNotSigned) {
  Message message;
  message.headers.clear();
  message.add("x-amz-meta-a", "1");
  sample::sign(message, sample::options_at(sample::now));
  message.add("Host", "anything");
  EXPECT_EQ(error_of(message), ApiError::headers_not_signed);
}

TEST(SigV4Refusal, ASignedHeaderThatIsMissing) {
  Message message;
  message.add("content-md5", "");
  sample::sign(message, sample::options_at(sample::now));
  EXPECT_EQ(error_of(message), ApiError::count_);
  std::erase_if(message.headers, [](const auto& h) { return h.first == "content-md5"; });
  EXPECT_EQ(error_of(message), ApiError::signature_does_not_match);
}

TEST(SigV4Refusal, MixedAuthentication) {
  Message both = presigned_message();
  both.add("Authorization", signed_message().header("authorization"));
  EXPECT_EQ(error_of(both), ApiError::invalid_argument);
  Message old_query = signed_message();
  old_query.query = "AWSAccessKeyId=A&Signature=b&Expires=1";
  EXPECT_EQ(error_of(old_query), ApiError::invalid_argument);
  Message twice = signed_message();
  twice.add("authorization", twice.header("authorization"));
  EXPECT_EQ(error_of(twice), ApiError::invalid_argument);
  Message part = signed_message();
  part.query = "x-amz-credential=A";
  EXPECT_EQ(error_of(part), ApiError::invalid_argument);
}

TEST(SigV4Refusal, PartialAndDoubledQueryCredentials) {
  for (const char* name : {"X-Amz-Algorithm=", "X-Amz-Credential=", "X-Amz-Date=", "X-Amz-Expires=",
                           "X-Amz-SignedHeaders=", "X-Amz-Signature="}) {
    Message without = presigned_message();
    const auto at = without.query.find(name);
    const auto end = std::min(without.query.find('&', at), without.query.size());
    const std::string parameter = without.query.substr(at, end - at);
    Message doubled = without;
    doubled.query += "&" + parameter;
    EXPECT_EQ(error_of(doubled), ApiError::authorization_query_parameters_error) << name;
    without.query.erase(at, end - at);
    EXPECT_EQ(error_of(without), ApiError::authorization_query_parameters_error) << name;
  }
  Message only{.query = "X-Amz-Credential=A/20130524/us-east-1/s3/aws4_request"};
  EXPECT_EQ(error_of(only), ApiError::authorization_query_parameters_error);
}

TEST(SigV4Refusal, OtherSchemes) {
  for (const char* scheme :
       {"AWS AKIA:abc", "Bearer abc", "Basic abc", "AWS4-ECDSA-P256-SHA256 a", ""}) {
    Message message;
    message.add("Authorization", scheme);
    EXPECT_EQ(error_of(message), ApiError::invalid_request) << scheme;
  }
  Message old_query{.query = "AWSAccessKeyId=A&Signature=b&Expires=1"};
  EXPECT_EQ(error_of(old_query), ApiError::invalid_request);
}

TEST(SigV4Refusal, MalformedAuthorizationHeaders) {
  const std::string good = signed_message().header("authorization");
  const auto with = [&](std::string_view from, std::string_view to) {
    Message message = signed_message();
    replace(message.header("authorization"), from, to);
    return error_of(message);
  };
  const auto malformed = ApiError::authorization_header_malformed;
  EXPECT_EQ(with(",SignedHeaders=", ",X="), malformed);
  EXPECT_EQ(with("Credential=AKIAIOSFODNN7EXAMPLE/", "Credential=/"), malformed);
  EXPECT_EQ(with("/20130524/", "/2013052/"), malformed);
  EXPECT_EQ(with("/s3/", "/iam/"), malformed);
  EXPECT_EQ(with("/s3/", "/s3/s3/"), malformed);
  EXPECT_EQ(with("aws4_request", "aws2_request"), malformed);
  EXPECT_EQ(with("host;", "x;host;"), malformed);     // not sorted
  EXPECT_EQ(with("host;", "host;host;"), malformed);  // doubled
  EXPECT_EQ(with("host;", "Host;"), malformed);       // upper case
  EXPECT_EQ(with("Signature=", "Signature=z"), malformed);
  EXPECT_EQ(with(",Signature=", ",Signature=,Signature="), malformed);
  EXPECT_EQ(with("Credential=", "Credential=a,Credential="), malformed);
}

TEST(SigV4Refusal, AScopeOfAnotherDay) {
  Message message = signed_message();
  replace(message.header("authorization"), "/20130524/", "/20130523/");
  EXPECT_EQ(error_of(message), ApiError::authorization_header_malformed);
}

TEST(SigV4Refusal, MissingOrMalformedDates) {
  Message message = signed_message();
  std::erase_if(message.headers, [](const auto& h) { return h.first == "x-amz-date"; });
  EXPECT_EQ(error_of(message), ApiError::access_denied);
  message = signed_message();
  message.header("x-amz-date") = "yesterday";
  EXPECT_EQ(error_of(message), ApiError::access_denied);
  message = signed_message();
  message.add("x-amz-date", "20130524T000000Z");
  EXPECT_EQ(error_of(message), ApiError::access_denied);
}

TEST(SigV4Refusal, ASecondDateWhereverItStands) {
  Message both = signed_message();
  both.add("x-amz-date", "20130524T000000Z");
  both.add("Date", "Fri, 24 May 2013 00:00:00 GMT");  // never the one that decides
  EXPECT_EQ(error_of(both), ApiError::access_denied);
  Message dates = signed_message();
  std::erase_if(dates.headers, [](const auto& h) { return h.first == "x-amz-date"; });
  dates.add("Date", "Fri, 24 May 2013 00:00:00 GMT");
  dates.add("Date", "Fri, 24 May 2013 00:00:00 GMT");
  EXPECT_EQ(error_of(dates), ApiError::access_denied);
}

TEST(SigV4Refusal, ASecondOrOtherPayloadHash) {
  Message doubled = signed_message();
  doubled.add("x-amz-content-sha256", std::string(empty_sha256_hex));
  EXPECT_EQ(error_of(doubled), ApiError::invalid_request);
  Message both;
  both.query = "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD";
  both.add("x-amz-content-sha256", std::string(empty_sha256_hex));
  both.query = presign_query(both.view(), sample::credentials,
                             sample::options_at(sample::now, unsigned_payload), 60s);
  EXPECT_EQ(error_of(both), ApiError::invalid_request);
}

TEST(SigV4Refusal, AnotherAlgorithmInAUrl) {
  Message message = presigned_message();
  replace(message.query, "X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=none");
  EXPECT_EQ(error_of(message), ApiError::authorization_query_parameters_error);
}

TEST(SigV4Refusal, MoreThanAHundredSignedHeaders) {
  std::string names = "SignedHeaders=";
  for (int i = 100; i < 200; ++i) names += "a" + std::to_string(i) + ";";
  Message message = signed_message();
  replace(message.header("authorization"), "SignedHeaders=", names);
  EXPECT_EQ(error_of(message), ApiError::authorization_header_malformed);
}

TEST(SigV4Refusal, MissingOrUnknownPayloadHash) {
  Message message = signed_message();
  std::erase_if(message.headers, [](const auto& h) { return h.first == "x-amz-content-sha256"; });
  EXPECT_EQ(error_of(message), ApiError::invalid_request);
  for (const char* word : {"STREAMING-SOMETHING-NEW", "abc", "unsigned-payload"}) {
    message = signed_message();
    message.header("x-amz-content-sha256") = word;
    EXPECT_EQ(error_of(message), ApiError::invalid_argument) << word;
  }
}

TEST(SigV4Refusal, SignedChunksWithoutASeedSignature) {
  for (const std::string_view word : {streaming_payload, streaming_payload_trailer}) {
    Message anonymous;
    anonymous.add("x-amz-content-sha256", std::string(word));
    EXPECT_EQ(error_of(anonymous), ApiError::invalid_request);
    Message presigned;
    presigned.add("x-amz-content-sha256", std::string(word));
    presigned.query = presign_query(presigned.view(), sample::credentials,
                                    sample::options_at(sample::now, word), 60s);
    EXPECT_EQ(error_of(presigned), ApiError::invalid_request);
  }
}

// CVE-2025-31489: the unsigned-trailer word must not switch verification off.
TEST(SigV4Refusal, AnUnsignedTrailerBodyStillNeedsAValidSignature) {
  Message message{.method = "PUT"};
  sample::sign(message, sample::options_at(sample::now, streaming_unsigned_trailer));
  EXPECT_EQ(error_of(message), ApiError::count_);
  auto& authorization = message.header("authorization");
  authorization.back() = authorization.back() == '0' ? '1' : '0';
  EXPECT_EQ(error_of(message), ApiError::signature_does_not_match);
}

TEST(SigV4Refusal, AnonymousRequestsCannotBeVerified) {
  Message message;
  const auto parsed = parse_authorization(message.view());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->kind, AuthKind::anonymous);
  EXPECT_EQ(verify(*parsed, "secret", message.view(), sample::verify_at(sample::now)).error().error,
            ApiError::access_denied);
}

TEST(SigV4Refusal, TokensOutsideTheSignature) {
  Message message = signed_message();
  message.query = "X-Amz-Security-Token=t";
  EXPECT_EQ(error_of(message), ApiError::invalid_request);
  Message both = presigned_message();
  both.query += "&X-Amz-Security-Token=t";
  EXPECT_EQ(error_of(both), ApiError::signature_does_not_match);
  both.add("x-amz-security-token", "u");
  EXPECT_EQ(error_of(both), ApiError::invalid_request);
}

TEST(SigV4Refusal, MalformedUrls) {
  for (const char* path : {"/a%", "/a%2", "/a%zz"}) {
    Message message{.path = path};
    EXPECT_EQ(error_of(message), ApiError::invalid_uri) << path;
  }
  Message message{.query = "a=%g0"};
  EXPECT_EQ(error_of(message), ApiError::invalid_uri);
}

}  // namespace
}  // namespace holdfast::s3
