#include "s3/post_policy.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "sigv4_samples.h"

namespace holdfast::s3 {
namespace {

using namespace std::chrono_literals;

const TimePoint now = *from_amz_date("20260101T000000Z");

std::string base64(std::string_view text) { return to_base64(as_bytes(text)); }

constexpr std::string_view policy_text = R"({"expiration": "2026-01-01T01:00:00Z", "conditions": [
  {"bucket": "uploads"}, ["starts-with", "$key", "user/alice/"], ["eq", "$Content-Type", "text/csv"],
  ["content-length-range", 2, 10], {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
  ["starts-with", "$x-amz-credential", ""], ["starts-with", "$x-amz-date", ""]]})";

struct Form {
  PostFields fields;
  std::string& operator[](std::string_view name) {
    for (auto& [key, value] : fields) {
      if (key == name) return value;
    }
    return fields.emplace_back(name, "").second;
  }
  void remove(std::string_view name) {
    std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  }
};

Form signed_form(std::string_view policy = policy_text) {
  const auto done = sign_post_policy(policy, sample::credentials, sample::options_at(now));
  Form form;
  form["key"] = "user/alice/data.csv";
  form["content-type"] = "text/csv";
  form["x-amz-algorithm"] = "AWS4-HMAC-SHA256";
  form["x-amz-credential"] = done.credential;
  form["x-amz-date"] = done.amz_date;
  form["policy"] = done.policy_base64;
  form["x-amz-signature"] = done.signature;
  return form;
}

ApiError check(const Form& form, std::string_view bucket = "uploads", TimePoint at = now,
               std::string_view policy = policy_text) {
  const auto parsed = parse_post_policy(base64(policy));
  if (!parsed) return parsed.error().error;
  const auto done = check_post_policy(*parsed, form.fields, bucket, at);
  return done ? ApiError::count_ : done.error().error;
}

ApiError judge(const Form& form, std::string_view secret = sample::credentials.secret_key) {
  const auto parsed = parse_post_authorization(form.fields);
  if (!parsed) return parsed.error().error;
  if (!*parsed) return ApiError::access_denied;
  const auto done = verify_post(**parsed, secret, form.fields, sample::verify_at(now));
  return done ? ApiError::count_ : done.error().error;
}

// AWS S3 API reference, "Example: Browser-Based Upload using HTTP POST (Using AWS Signature V4)".
TEST(PostPolicy, TheDocumentedFormHasTheDocumentedSignature) {
  const std::string policy =
      "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7"
      "ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91"
      "c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3Qi"
      "OiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwi"
      "fSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRh"
      "LXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVT"
      "MjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNy"
      "ZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9"
      "LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAi"
      "MjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
  ASSERT_TRUE(parse_post_policy(policy));
  EXPECT_EQ(parse_post_policy(policy)->conditions.size(), 11u);
  const auto done = sign_post_policy(*from_base64(policy), sample::credentials,
                                     sample::options_at(*from_amz_date("20151229T000000Z")));
  EXPECT_EQ(done.policy_base64, policy);
  EXPECT_EQ(done.signature, "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e");
}

TEST(PostPolicy, AFormThatKeepsToItPasses) {
  EXPECT_EQ(judge(signed_form()), ApiError::count_);
  EXPECT_EQ(check(signed_form()), ApiError::count_);
}

TEST(PostPolicy, ForgedOrPartialSignaturesAreRefused) {
  EXPECT_EQ(judge(signed_form(), "other"), ApiError::signature_does_not_match);
  EXPECT_EQ(judge(signed_form(), ""), ApiError::invalid_access_key_id);
  Form other_policy = signed_form();
  other_policy["policy"] = base64(R"({"expiration":"2030-01-01T00:00:00Z","conditions":[]})");
  EXPECT_EQ(judge(other_policy), ApiError::signature_does_not_match);
  for (const char* field :
       {"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}) {
    Form form = signed_form();
    form.remove(field);
    EXPECT_EQ(judge(form), ApiError::invalid_argument) << field;
    form = signed_form();
    form.fields.emplace_back(field, form[field]);
    EXPECT_EQ(judge(form), ApiError::invalid_argument) << field;
  }
  Form none;
  none["key"] = "k";
  EXPECT_FALSE(*parse_post_authorization(none.fields));
}

TEST(PostPolicy, OnlyAFormsSignatureIsTakenForOne) {
  const Form form = signed_form();
  auto parsed = *parse_post_authorization(form.fields);
  ASSERT_TRUE(parsed);
  for (const AuthKind kind : {AuthKind::anonymous, AuthKind::header, AuthKind::presigned}) {
    parsed->kind = kind;
    const auto done =
        verify_post(*parsed, sample::credentials.secret_key, form.fields, sample::verify_at(now));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().error, ApiError::access_denied);
  }
}

TEST(PostPolicy, EveryConditionIsEnforced) {
  Form form = signed_form();
  form["key"] = "user/bob/data.csv";
  EXPECT_EQ(check(form), ApiError::access_denied);
  form = signed_form();
  form["content-type"] = "text/html";
  EXPECT_EQ(check(form), ApiError::access_denied);
  form = signed_form();
  form.remove("content-type");
  EXPECT_EQ(check(form), ApiError::access_denied);
  form = signed_form();
  form.remove("key");
  EXPECT_EQ(check(form), ApiError::access_denied);
}

TEST(PostPolicy, TheBucketIsThatOfTheUrl) {
  EXPECT_EQ(check(signed_form(), "elsewhere"), ApiError::access_denied);
  Form form = signed_form();
  form["bucket"] = "uploads";
  EXPECT_EQ(check(form, "elsewhere"), ApiError::access_denied);
  EXPECT_EQ(check(form, "uploads"), ApiError::count_);
}

TEST(PostPolicy, ABucketFieldThatContradictsTheUrlIsRefusedWhateverThePolicySays) {
  Form form;
  form["bucket"] = "uploads";
  const char* any = R"({"expiration": "2026-01-01T01:00:00Z",
                        "conditions": [["starts-with", "$bucket", ""]]})";
  EXPECT_EQ(check(form, "uploads", now, any), ApiError::count_);
  EXPECT_EQ(check(form, "elsewhere", now, any), ApiError::access_denied);
}

TEST(PostPolicy, FieldsThatNoConditionNamesAreRefused) {
  Form form = signed_form();
  form["x-amz-meta-role"] = "admin";
  EXPECT_EQ(check(form), ApiError::access_denied);
  form = signed_form();
  form["x-ignore-this"] = "1";
  form["x-amz-checksum-crc32"] = "AAAAAA==";
  EXPECT_EQ(check(form), ApiError::count_);
  form = signed_form();
  form.fields.emplace_back("key", "user/bob/second");
  EXPECT_EQ(check(form), ApiError::access_denied);
}

TEST(PostPolicy, ExpiresWhenItSays) {
  EXPECT_EQ(check(signed_form(), "uploads", now + 59min), ApiError::count_);
  EXPECT_EQ(check(signed_form(), "uploads", now + 60min), ApiError::post_policy_expired);
}

TEST(PostPolicy, TheLengthRangeHoldsAtBothEnds) {
  const auto policy = parse_post_policy(base64(policy_text));
  ASSERT_TRUE(policy);
  EXPECT_TRUE(check_post_length(*policy, 0, false));
  EXPECT_EQ(check_post_length(*policy, 1, true).error().error, ApiError::entity_too_small);
  EXPECT_TRUE(check_post_length(*policy, 2, true));
  EXPECT_TRUE(check_post_length(*policy, 10, true));
  EXPECT_EQ(check_post_length(*policy, 11, false).error().error, ApiError::entity_too_large);
  const auto two = parse_post_policy(
      base64(R"({"expiration":"2030-01-01T00:00:00Z","conditions":[["content-length-range",0,9],)"
             R"(["content-length-range",5,99]]})"));
  EXPECT_EQ(two->min_bytes, 5u);
  EXPECT_EQ(two->max_bytes, 9u);
}

TEST(PostPolicy, MalformedDocumentsAreRefused) {
  for (const std::string_view bad :
       {"", "[]", "{", R"({"conditions":[]})", R"({"expiration":"2030-01-01T00:00:00Z"})",
        R"({"expiration":"soon","conditions":[]})",
        R"({"expiration":"2030-01-01 00:00:00Z","conditions":[]})",
        R"({"expiration":"2030-01-01T00:00:00Z","conditions":{}})",
        R"({"expiration":"2030-01-01T00:00:00Z","conditions":["x"]})",
        R"({"expiration":"2030-01-01T00:00:00Z","conditions":[["like","$key","a"]]})",
        R"({"expiration":"2030-01-01T00:00:00Z","conditions":[["eq","key","a"]]})",
        R"({"expiration":"2030-01-01T00:00:00Z","conditions":[["eq","$key"]]})",
        R"({"expiration":"2030-01-01T00:00:00Z","conditions":[{"a":"1","b":"2"}]})",
        R"({"expiration":"2030-01-01T00:00:00Z","conditions":[{"a":1}]})",
        R"({"expiration":"2030-01-01T00:00:00Z","conditions":[["content-length-range",9,1]]})",
        R"({"expiration":"2030-01-01T00:00:00Z","conditions":[["content-length-range",-1,1]]})"}) {
    EXPECT_EQ(parse_post_policy(base64(bad)).error().error, ApiError::invalid_policy_document)
        << bad;
  }
  EXPECT_FALSE(parse_post_policy("not base64!"));
  EXPECT_FALSE(parse_post_policy(base64(std::string(1000, '['))));
}

}  // namespace
}  // namespace holdfast::s3
