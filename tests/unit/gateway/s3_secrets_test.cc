// What a request that fails is told, and what is kept and logged of it: never a secret, a key that
// signs, the signature that would have been right, or the one that was sent.
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "gateway/sts_session.h"
#include "s3/chunked.h"
#include "s3/post_policy.h"
#include "s3_form_fixture.h"

namespace holdfast::gateway {
namespace {

using std::chrono::seconds;

class S3Secrets : public S3FormFixture {
 protected:
  S3Secrets() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    auto logger = std::make_shared<spdlog::logger>("test", std::move(sink));
    logger->set_level(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
    options_.audit = AuditLevel::everything;
    options_.session_secret = "the instance's secret";
    options_.v2_forms = true;
    service_.emplace(store_, policy_, audit_, clock_, random_, options_);
    EXPECT_EQ(as("alice", "PUT", "/research/k", "text").status, 200u);
    hide("alice-secret");
    hide(options_.session_secret);
    const s3::Scope scope{"20261122", "us-east-1", "s3"};
    const auto key = s3::derive_signing_key("alice-secret", scope);
    hide(to_hex(std::as_bytes(std::span(key))));
    hide(to_base64(std::as_bytes(std::span(key))));
    hide(std::string(reinterpret_cast<const char*>(key.data()), key.size()));
  }
  ~S3Secrets() override { spdlog::set_default_logger(before_); }

  void hide(std::string secret) { hidden_.push_back(std::move(secret)); }

  // Fails, and tells nothing: the answer, the audit and the log.
  void expect_silent(const Answer& answer, const std::string& code) {
    EXPECT_EQ(answer.code(), code) << answer.body;
    spdlog::default_logger()->flush();
    std::string told = answer.body + "\n" + log_.str();
    for (const auto& [name, value] : answer.headers.items()) {
      told += fmt::format("{}: {}\n", name, value);
    }
    for (const AuditEvent& event : audit_.events) {
      told += event.principal + "\n" + event.access_key + "\n" + event.operation + "\n" +
              event.bucket + "\n" + event.path + "\n" + event.peer + "\n" + event.reason + "\n";
    }
    for (const std::string& secret : hidden_) {
      EXPECT_EQ(told.find(secret), std::string::npos) << code << " tells " << secret;
    }
  }

  net::RequestHead signed_head(const std::string& method, const std::string& target,
                               const Signer& who, std::string hash) {
    return sign(head_of(method, target, {}), who, std::move(hash));
  }
  // Takes the right signature out, and hides it and what is put in its place.
  std::string spoil(const std::string& text, const std::string& mark) {
    const auto at = text.find(mark);
    EXPECT_NE(at, std::string::npos) << text;
    const std::string right = text.substr(at + mark.size(), 64);
    std::string wrong = right;
    std::ranges::reverse(wrong);
    hide(right);
    hide(wrong);
    return text.substr(0, at + mark.size()) + wrong + text.substr(at + mark.size() + 64);
  }
  void spoil_header(net::RequestHead& head) {
    head.headers.set("authorization",
                     spoil(std::string(head.headers.get("authorization")), "Signature="));
  }

 private:
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> before_;
  std::vector<std::string> hidden_;
};

TEST_F(S3Secrets, AreNotToldToAWrongSignature) {
  auto head = signed_head("GET", "/research/k", signer("alice"), s3::sha256_hex(""));
  spoil_header(head);
  expect_silent(send(head), "SignatureDoesNotMatch");
  const auto url =
      spoil(presign("GET", "/research/k", signer("alice"), seconds(60)), "X-Amz-Signature=");
  expect_silent(send(head_of("GET", url, {})), "SignatureDoesNotMatch");
  expect_silent(send(head_of("GET", url + "&versionId=x", {})), "SignatureDoesNotMatch");
}

TEST_F(S3Secrets, AreNotToldToARequestThatIsRefusedOtherwise) {
  const auto hash = s3::sha256_hex("");
  auto late = signed_head("GET", "/research/k", signer("alice"), hash);
  auto url = presign("GET", "/research/k", signer("alice"), seconds(60));
  hide(std::string(late.headers.get("authorization"))
           .substr(late.headers.get("authorization").size() - 64));
  hide(url.substr(url.find("X-Amz-Signature=") + 16, 64));
  clock_.advance(std::chrono::hours(1));
  expect_silent(send(late), "RequestTimeTooSkewed");
  expect_silent(send(head_of("GET", url, {})), "AccessDenied");
  url = presign("GET", "/other/k", signer("alice"), seconds(60));
  hide(url.substr(url.find("X-Amz-Signature=") + 16, 64));
  expect_silent(send(head_of("GET", url, {})), "AccessDenied");
  expect_silent(send(signed_head("GET", "/research/k", {"AKnobody", "alice-secret", {}}, hash)),
                "InvalidAccessKeyId");
  expect_silent(send(signed_head("GET", "/research/none", signer("alice"), hash)), "NoSuchKey");
}

TEST_F(S3Secrets, AreNotToldToAWrongForm) {
  s3::SignOptions options;
  options.now = clock_.now();
  const auto policy =
      s3::sign_post_policy(R"({"expiration":"2026-11-22T06:00:00Z","conditions":[]})",
                           {"AKalice", "alice-secret", {}}, options);
  expect_silent(post_form({{"key", "form"},
                           {"x-amz-algorithm", "AWS4-HMAC-SHA256"},
                           {"x-amz-credential", policy.credential},
                           {"x-amz-date", policy.amz_date},
                           {"policy", policy.policy_base64},
                           {"x-amz-signature", spoil("=" + policy.signature, "=").substr(1)}}),
                "SignatureDoesNotMatch");
  hide(sign_v2("alice-secret", policy.policy_base64));
  expect_silent(post_form({{"key", "form"},
                           {"AWSAccessKeyId", "AKalice"},
                           {"policy", policy.policy_base64},
                           {"signature", "d3Jvbmc="}}),
                "SignatureDoesNotMatch");
}

TEST_F(S3Secrets, AreNotToldToAWrongChunk) {
  net::Headers headers;
  headers.add("x-amz-decoded-content-length", "4");
  auto head = sign(head_of("PUT", "/research/chunked", headers), signer("alice"),
                   "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  const std::string authorization(head.headers.get("authorization"));
  const std::string seed = authorization.substr(authorization.size() - 64);
  const s3::Scope scope{"20261122", "us-east-1", "s3"};
  hide(s3::chunk_signature(s3::derive_signing_key("alice-secret", scope), "20261122T050000Z",
                           scope.text(), seed, s3::sha256_hex("text")));
  const std::string wrong(64, 'a');
  expect_silent(send(head, "4;chunk-signature=" + wrong + "\r\ntext\r\n0;chunk-signature=" + wrong +
                               "\r\n\r\n"),
                "SignatureDoesNotMatch");
}

TEST_F(S3Secrets, OfTemporaryKeysAreNotToldEither) {
  TemporarySession wanted;
  wanted.key.principal = PrincipalName("alice");
  wanted.key.not_after = clock_.now() + std::chrono::minutes(5);
  const auto made = SessionSealer(options_.session_secret, random_).issue(std::move(wanted));
  const Signer pair{made.key.id.value, made.key.secret, made.key.session_token};
  hide(pair.secret);
  hide(pair.token);
  const auto hash = s3::sha256_hex("");
  EXPECT_EQ(send(signed_head("GET", "/research/k", pair, hash)).status, 200u);
  auto head = signed_head("GET", "/research/k", pair, hash);
  spoil_header(head);
  expect_silent(send(head), "SignatureDoesNotMatch");
  Signer altered = pair;
  altered.token[10] = altered.token[10] == 'A' ? 'B' : 'A';
  expect_silent(send(signed_head("GET", "/research/k", altered, hash)), "InvalidToken");
  expect_silent(send(signed_head("GET", "/other/k", pair, hash)), "AccessDenied");
  const auto url = presign("GET", "/other/k", pair, seconds(60));
  expect_silent(send(head_of("GET", url, {})), "AccessDenied");
  clock_.advance(std::chrono::minutes(5));
  expect_silent(send(signed_head("GET", "/research/k", pair, hash)), "ExpiredToken");
}

TEST_F(S3Secrets, NoPairWorksThatNobodyMade) {
  content_.keys.clear();
  policy_.publish(content_);
  for (const char* word : {"minioadmin", "rustfsadmin", "admin", "root", "test", "holdfast", ""}) {
    const Answer answer = send(signed_head("GET", "/", {word, word, {}}, s3::sha256_hex("")));
    EXPECT_GE(answer.status, 400u) << word;
    EXPECT_EQ(answer.body.find("<Buckets>"), std::string::npos) << word;
  }
}

}  // namespace
}  // namespace holdfast::gateway
