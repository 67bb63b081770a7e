// Temporary credentials: made on the S3 listener, narrowed, expiring, revoked with their parent.
#include "gateway/web_identities.h"
#include "s3_fixture.h"
#include "web_token_fixture.h"

namespace holdfast::gateway {
namespace {

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const auto start = text.find(from);
  if (start == std::string::npos) return {};
  const auto begin = start + from.size();
  return text.substr(begin, text.find(to, begin) - begin);
}

class S3Sts : public S3Fixture {
 protected:
  S3Sts()
      : provider_(
            {.issuer = "https://id.example", .audience = "holdfast"},
            [this]() -> boost::asio::awaitable<Result<std::string>> {
              ++key_reads_;
              co_return issuer_.key_set();
            },
            clock_) {
    options_.session_secret = "a secret of this test";
    options_.web_identities = &provider_;
    restart();
    EXPECT_EQ(as("alice", "PUT", "/research/a/k", "text").status, 200u);
    EXPECT_EQ(as("alice", "PUT", "/research/b/k", "text").status, 200u);
  }
  void restart() { service_.emplace(store_, policy_, audit_, clock_, random_, options_); }

  Answer ask(const Signer& who, const std::string& form, const std::string& service = "sts",
             const std::string& payload_hash = {}) {
    net::Headers headers;
    headers.add("Content-Type", "application/x-www-form-urlencoded");
    auto head = head_of("POST", "/", headers);
    const auto& all = head.headers.items();
    s3::SignOptions options;
    options.now = clock_.now();
    options.service = service;
    options.payload_hash = payload_hash.empty() ? s3::sha256_hex(form) : payload_hash;
    const auto made = s3::sign_headers({head.method, head.path(), head.query(), all},
                                       {who.key, who.secret, who.token}, options);
    for (const auto& [name, value] : made.headers) head.headers.add(name, value);
    return send(std::move(head), form);
  }
  Answer unsigned_form(const std::string& form) {
    net::Headers headers;
    headers.add("Content-Type", "application/x-www-form-urlencoded");
    return send(head_of("POST", "/", headers), form);
  }
  static Signer pair_of(const Answer& answer) {
    return {between(answer.body, "<AccessKeyId>", "<"),
            between(answer.body, "<SecretAccessKey>", "<"),
            between(answer.body, "<SessionToken>", "<")};
  }
  static std::string role(const std::string& more = {}) {
    return "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A%3Arole%2Fany&"
           "RoleSessionName=test" +
           more;
  }
  Answer get(const Signer& who, const std::string& target) {
    return send(sign(head_of("GET", target, {}), who, s3::sha256_hex("")));
  }

  WebTokenIssuer issuer_;
  int key_reads_ = 0;
  WebIdentities provider_;
};

TEST_F(S3Sts, ARoleIsTheCallersOwnForAWhile) {
  const Answer answer = ask(signer("alice"), role("&DurationSeconds=900"));
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const Signer pair = pair_of(answer);
  EXPECT_TRUE(pair.key.starts_with("ASIA"));
  EXPECT_EQ(get(pair, "/research/a/k").body, "text");
  expect_denied(get(pair, "/other/k"));
  restart();
  EXPECT_EQ(get(pair, "/research/a/k").status, 200u);
  clock_.advance(std::chrono::seconds(901));
  EXPECT_EQ(get(pair, "/research/a/k").code(), "ExpiredToken");
}

TEST_F(S3Sts, ASessionPolicyIntersectsWhatTheCallerMay) {
  const std::string policy =
      "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C"
      "%22Action%22%3A%22s3%3AGetObject%22%2C%22Resource%22%3A%5B%22arn%3Aaws%3As3%3A%3A%3Aresearch"
      "%2Fa%2F*%22%2C%22arn%3Aaws%3As3%3A%3A%3Aother%2F*%22%5D%7D%5D%7D";
  const Signer pair = pair_of(ask(signer("alice"), role("&Policy=" + policy)));
  EXPECT_EQ(get(pair, "/research/a/k").status, 200u);
  expect_denied(get(pair, "/research/b/k"));
  expect_denied(get(pair, "/research?prefix=a%2F"));
  expect_denied(get(pair, "/other/k"));  // the policy allows it, no grant does
  expect_denied(get(pair, "/"));
  expect_denied(send(sign(head_of("DELETE", "/research/a/k", {}), pair, s3::sha256_hex(""))));
  const Signer admin = pair_of(ask(signer("admin"), role("&Policy=" + policy)));
  expect_denied(get(admin, "/research/b/k"));
}

TEST_F(S3Sts, AnAclDoesNotWidenASession) {
  options_.block_public_access = false;
  restart();
  for (const char* key : {"/research/a/k", "/research/b/k"}) {
    EXPECT_EQ(as("admin", "PUT", std::string(key) + "?acl", {}, header("x-amz-acl", "public-read"))
                  .status,
              200u);
  }
  const std::string policy =
      "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C"
      "%22Action%22%3A%22s3%3AGetObject%22%2C%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Aresearch"
      "%2Fa%2F*%22%7D%5D%7D";
  const Signer pair = pair_of(ask(signer("bob"), role("&Policy=" + policy)));
  EXPECT_EQ(get(pair, "/research/a/k").body, "text") << "by the ACL, within the session's policy";
  expect_denied(get(pair, "/research/b/k"));
  EXPECT_EQ(as("bob", "GET", "/research/b/k").body, "text");
}

TEST_F(S3Sts, TemporaryKeysEndWithWhatTheyStandOn) {
  const Signer pair = pair_of(ask(signer("alice"), role()));
  EXPECT_EQ(get(pair, "/research/a/k").status, 200u);
  auto revoked = content_;
  std::erase_if(revoked.keys, [](const auto& key) { return key.principal.value == "alice"; });
  policy_.publish(revoked);
  EXPECT_EQ(get(pair, "/research/a/k").code(), "InvalidAccessKeyId");
  auto disabled = content_;
  for (auto& principal : disabled.principals) {
    if (principal.name.value == "alice") principal.disabled = true;
  }
  policy_.publish(disabled);
  expect_denied(get(pair, "/research/a/k"));
  policy_.publish(content_);
  EXPECT_EQ(get(pair, "/research/a/k").status, 200u);
}

TEST_F(S3Sts, ADownloadEndsWithItsSession) {
  EXPECT_EQ(as("alice", "PUT", "/research/large", std::string(2u << 20, 'x')).status, 200u);
  const auto cut_by = [&](const std::function<void()>& change) {
    policy_.publish(content_);
    const Signer pair = pair_of(ask(signer("alice"), role("&DurationSeconds=900")));
    MemoryExchange exchange(sign(head_of("GET", "/research/large", {}), pair, s3::sha256_hex("")),
                            {});
    exchange.before_body = [&]() -> boost::asio::awaitable<void> {
      change();
      co_return;
    };
    return run(exchange).cut;
  };
  EXPECT_FALSE(cut_by([] {}));
  EXPECT_TRUE(cut_by([&] { clock_.advance(std::chrono::seconds(900)); }));
  EXPECT_TRUE(cut_by([&] {
    auto revoked = content_;
    std::erase_if(revoked.keys, [](const auto& key) { return key.principal.value == "alice"; });
    policy_.publish(revoked);
  }));
}

TEST_F(S3Sts, AnUploadEndsWithItsSessionAlsoAfterAnotherChange) {
  const Signer pair = pair_of(ask(signer("alice"), role("&DurationSeconds=900")));
  const std::string body(1u << 20, 'x');
  MemoryExchange exchange(sign(head_of("PUT", "/research/slow", {}), pair, s3::sha256_hex(body)),
                          body);
  exchange.reader.before_read = [&](int reads) {
    if (reads == 3) policy_.publish(content_);  // judged anew, and still allowed
    if (reads == 6) clock_.advance(std::chrono::seconds(900));
  };
  expect_denied(run(exchange));
  EXPECT_EQ(as("alice", "HEAD", "/research/slow").status, 404u);
}

TEST_F(S3Sts, TheAccessFeedEndsWithTheKeyThatAskedForTheSession) {
  const Signer pair = pair_of(ask(signer("alice"), role()));
  const auto epoch = std::to_string(policy_.current()->epoch());
  boost::asio::steady_timer later(context_, std::chrono::milliseconds(5));
  later.async_wait([&](boost::system::error_code) {
    auto revoked = content_;
    std::erase_if(revoked.keys, [](const auto& key) { return key.principal.value == "alice"; });
    policy_.publish(revoked);
  });
  expect_denied(get(pair, "/?holdfast-access&wait=30&epoch=" + epoch));
}

TEST_F(S3Sts, TheAccessFeedIsNarrowedByASessionsPolicy) {
  const std::string other =
      "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C"
      "%22Action%22%3A%22s3%3A*%22%2C%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Aother%2F*%22%7D%5D"
      "%7D";
  const Signer pair = pair_of(ask(signer("alice"), role()));
  const Signer narrow = pair_of(ask(signer("alice"), role("&Policy=" + other)));
  EXPECT_NE(get(pair, "/?holdfast-access").body.find("research"), std::string::npos);
  EXPECT_EQ(get(narrow, "/?holdfast-access").status, 200u);
  EXPECT_EQ(get(narrow, "/?holdfast-access").body.find("research"), std::string::npos);
}

TEST_F(S3Sts, TheDisabledBeginNoSessions) {
  for (auto& person : content_.principals) person.disabled = person.name.value == "alice";
  policy_.publish(content_);
  EXPECT_EQ(ask(signer("alice"), role()).code(), "AccessDenied");
  EXPECT_EQ(ask(signer("alice"), "Action=GetCallerIdentity").code(), "AccessDenied");
  EXPECT_EQ(unsigned_form("Action=AssumeRoleWithWebIdentity&RoleSessionName=web&WebIdentityToken=" +
                          issuer_.rsa_token("alice", clock_.now()))
                .code(),
            "AccessDenied");
}

TEST_F(S3Sts, NoSessionOutlivesTheKeyThatAskedForIt) {
  for (auto& key : content_.keys) {
    if (key.principal.value == "alice") key.not_after = clock_.now() + std::chrono::minutes(20);
  }
  policy_.publish(content_);
  const Answer answer = ask(signer("alice"), role());
  EXPECT_EQ(between(answer.body, "<Expiration>", "<"),
            to_rfc3339(clock_.now() + std::chrono::minutes(20)));
}

TEST_F(S3Sts, RequestsAreBoundedAndNamesArePlain) {
  EXPECT_EQ(ask(signer("alice"), role("&X=" + std::string(64u << 10, 'x'))).code(),
            "EntityTooLarge");
  EXPECT_EQ(ask(signer("alice"), role("&Policy=" + std::string(2049, 'x'))).code(),
            "PackedPolicyTooLarge");
  for (const std::string& name : {std::string(), std::string("x"), std::string(65, 'x'),
                                  std::string("a%0Ab"), std::string("a%2Fb")}) {
    EXPECT_EQ(ask(signer("alice"), "Action=AssumeRole&RoleSessionName=" + name).code(),
              "ValidationError")
        << name;
  }
}

TEST_F(S3Sts, AParentsScopeHoldsForItsTemporaryKeys) {
  for (auto& key : content_.keys) {
    if (key.principal.value == "alice") {
      key.scope = control::KeyScope{{{.bucket = BucketName("research"), .prefix = "a/"}}};
    }
  }
  policy_.publish(content_);
  const Signer pair = pair_of(ask(signer("alice"), role()));
  EXPECT_EQ(get(pair, "/research/a/k").status, 200u);
  expect_denied(get(pair, "/research/b/k"));
}

TEST_F(S3Sts, ATokenIsBoundToItsKeyAndSealed) {
  const Signer one = pair_of(ask(signer("alice"), role()));
  const Signer two = pair_of(ask(signer("alice"), role()));
  EXPECT_EQ(get({one.key, one.secret, two.token}, "/research/a/k").code(), "InvalidToken");
  EXPECT_EQ(get({one.key, one.secret, ""}, "/research/a/k").code(), "InvalidAccessKeyId");
  for (std::size_t at = 4; at + 2 < one.token.size(); at += 17) {
    Signer altered = one;
    altered.token[at] = altered.token[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(get(altered, "/research/a/k").code(), "InvalidToken") << at;
  }
  options_.session_secret = "another server's";
  restart();
  EXPECT_EQ(get(one, "/research/a/k").code(), "InvalidToken");
}

TEST_F(S3Sts, TheTokenHasToBeSigned) {
  const Signer pair = pair_of(ask(signer("alice"), role()));
  auto head =
      sign(head_of("GET", "/research/a/k", {}), {pair.key, pair.secret, ""}, s3::sha256_hex(""));
  head.headers.add("x-amz-security-token", pair.token);
  EXPECT_EQ(send(std::move(head)).status, 403u);
  const auto url = presign("GET", "/research/a/k", pair, std::chrono::seconds(60));
  EXPECT_EQ(send(head_of("GET", url, {})).body, "text");
}

TEST_F(S3Sts, OnlyProvenPermanentCallersBeginSessions) {
  EXPECT_EQ(unsigned_form(role()).code(), "AccessDenied");
  EXPECT_EQ(ask({"AKalice", "wrong", ""}, role()).code(), "SignatureDoesNotMatch");
  EXPECT_EQ(ask(signer("alice"), role(), "s3").status, 400u);  // signed for another service
  const Signer pair = pair_of(ask(signer("alice"), role()));
  EXPECT_EQ(ask(pair, role()).code(), "AccessDenied");
  EXPECT_EQ(ask(signer("alice"), role("&DurationSeconds=60")).code(), "ValidationError");
  EXPECT_EQ(ask(signer("alice"), role("&DurationSeconds=43201")).code(), "ValidationError");
  EXPECT_EQ(ask(signer("alice"), role("&Policy=%7B%7D")).code(), "MalformedPolicyDocument");
  EXPECT_EQ(ask(signer("alice"), role("&RoleSessionName=again")).code(), "MalformedQueryString");
  EXPECT_EQ(ask(signer("alice"), role("&PolicyArns.member.1.arn=x")).code(), "ValidationError");
  EXPECT_EQ(ask(signer("alice"), "Action=Nothing").code(), "InvalidAction");
}

// Also where the signature itself says that it does not cover it.
TEST_F(S3Sts, TheBodyIsPartOfTheSignature) {
  for (const std::string& said :
       {s3::sha256_hex(role()), std::string(s3::unsigned_payload),
        std::string(s3::streaming_payload), std::string(s3::streaming_payload_trailer),
        std::string(s3::streaming_unsigned_trailer)}) {
    const Answer answer = ask(signer("alice"), role("&DurationSeconds=900"), "sts", said);
    EXPECT_EQ(answer.code(), "XAmzContentSHA256Mismatch") << said;
    EXPECT_EQ(answer.body.find("<SecretAccessKey>"), std::string::npos) << said;
  }
}

TEST_F(S3Sts, CallersLearnWhoTheyAre) {
  const Answer mine = ask(signer("alice"), "Action=GetCallerIdentity&Version=2011-06-15");
  EXPECT_NE(mine.body.find("arn:aws:iam::000000000000:user/alice"), std::string::npos);
  const Signer pair = pair_of(ask(signer("alice"), role()));
  const Answer assumed = ask(pair, "Action=GetCallerIdentity&Version=2011-06-15");
  EXPECT_NE(assumed.body.find("arn:aws:sts::000000000000:assumed-role/alice/test"),
            std::string::npos)
      << assumed.body;
}

TEST_F(S3Sts, WithoutASecretThereAreNoTemporaryKeys) {
  const Signer pair = pair_of(ask(signer("alice"), role()));
  options_.session_secret.clear();
  restart();
  EXPECT_EQ(ask(signer("alice"), role()).status, 501u);
  EXPECT_EQ(get(pair, "/research/a/k").code(), "InvalidAccessKeyId");
}

// --- web identities

TEST_F(S3Sts, AProvidersWordIsTakenForAKnownPrincipal) {
  const auto form = [&](const std::string& token) {
    return "Action=AssumeRoleWithWebIdentity&RoleArn=any&RoleSessionName=web&WebIdentityToken=" +
           token;
  };
  const Answer answer = unsigned_form(form(issuer_.rsa_token("alice", clock_.now())));
  ASSERT_EQ(answer.status, 200u) << answer.body;
  EXPECT_EQ(get(pair_of(answer), "/research/a/k").body, "text");
  EXPECT_EQ(unsigned_form(form(issuer_.ec_token("alice", clock_.now()))).status, 200u);
  EXPECT_EQ(unsigned_form(form(issuer_.rsa_token("nobody", clock_.now()))).code(), "AccessDenied");
  EXPECT_EQ(unsigned_form(form("a.b.c")).code(), "InvalidIdentityToken");
  EXPECT_EQ(key_reads_, 1);
}

TEST_F(S3Sts, AForgedKeyIdReadsTheKeysOnceInAWhileOnly) {
  for (int i = 0; i < 5; ++i) {
    const auto token = issuer_.rsa_token("alice", clock_.now(), "forged-" + std::to_string(i));
    EXPECT_EQ(unsigned_form("Action=AssumeRoleWithWebIdentity&RoleSessionName=web&"
                            "WebIdentityToken=" +
                            token)
                  .code(),
              "InvalidIdentityToken");
  }
  EXPECT_LE(key_reads_, 2);
}

class WebToken : public ::testing::Test {
 protected:
  std::string outcome(const std::string& token) const {
    auto identity = verify_web_token(token, issuer_.key_set(), options_, now_);
    return identity ? identity->principal : std::string(to_string(identity.error().code));
  }
  const TimePoint now_ = *from_amz_date("20261122T050000Z");
  WebTokenIssuer issuer_;
  WebIdentityOptions options_{.issuer = "https://id.example", .audience = "holdfast"};
};

TEST_F(WebToken, TheSignatureHasToBeOneOfTheProviders) {
  EXPECT_EQ(outcome(issuer_.rsa_token("alice", now_)), "alice");
  EXPECT_EQ(outcome(issuer_.ec_token("alice", now_)), "alice");
  EXPECT_EQ(outcome(WebTokenIssuer().rsa_token("alice", now_)), "unauthenticated");
  std::string altered = issuer_.ec_token("alice", now_);
  altered[altered.find('.') + 3] ^= 1;
  EXPECT_EQ(outcome(altered), "unauthenticated");
  EXPECT_EQ(outcome(issuer_.rsa_token("alice", now_, "unknown")), "not found");
}

TEST_F(WebToken, NoOtherAlgorithmCounts) {
  const std::string claims = issuer_.claims("alice", now_);
  EXPECT_EQ(outcome(issuer_.unsigned_token(R"({"alg":"none"})", claims)), "unauthenticated");
  EXPECT_EQ(outcome(issuer_.unsigned_token(R"({"alg":"HS256","kid":"rsa"})", claims)),
            "unauthenticated");
  // An RSA key's signature under the name of another algorithm.
  EXPECT_EQ(outcome(issuer_.rsa_token_with_header(R"({"alg":"ES256","kid":"rsa"})", claims)),
            "not found");
  EXPECT_EQ(
      outcome(issuer_.rsa_token_with_header(R"({"alg":"RS256","kid":"rsa","crit":["x"]})", claims)),
      "unauthenticated");
}

TEST_F(WebToken, AShortRsaKeyIsNone) {
  const WebTokenIssuer weak(1024);
  const auto identity =
      verify_web_token(weak.rsa_token("alice", now_), weak.key_set(), options_, now_);
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::not_found);
}

TEST_F(WebToken, AreBounded) {
  const std::string claims = issuer_.claims("alice", now_);
  EXPECT_EQ(
      outcome(issuer_.rsa_token_with_header(
          R"({"alg":"RS256","kid":"rsa","x":")" + std::string(20u << 10, 'x') + "\"}", claims)),
      "unauthenticated");
}

TEST_F(WebToken, ItsClaimsHaveToFit) {
  const auto with = [&](const std::string& claims) {
    return outcome(issuer_.rsa_token_with_header(R"({"alg":"RS256","kid":"rsa"})", claims));
  };
  const auto seconds = std::to_string(
      std::chrono::duration_cast<std::chrono::seconds>(now_.time_since_epoch()).count() + 60);
  const std::string iss = R"("iss":"https://id.example",)", aud = R"("aud":["x","holdfast"],)",
                    exp = R"("exp":)" + seconds + ",", sub = R"("sub":"alice")";
  EXPECT_EQ(with("{" + iss + aud + exp + sub + "}"), "alice");
  EXPECT_EQ(with("{" + aud + exp + sub + "}"), "unauthenticated");
  EXPECT_EQ(with("{" + iss + exp + sub + "}"), "unauthenticated");
  EXPECT_EQ(with("{" + iss + R"("aud":"other",)" + exp + sub + "}"), "unauthenticated");
  EXPECT_EQ(with("{" + iss + aud + sub + "}"), "unauthenticated");
  EXPECT_EQ(with("{" + iss + aud + R"("exp":1,)" + sub + "}"), "expired");
  EXPECT_EQ(with("{" + iss + aud + exp + R"("nbf":99999999999,)" + sub + "}"), "unauthenticated");
  EXPECT_EQ(with("{" + iss + aud + exp + R"("sub":""})"), "unauthenticated");
}

}  // namespace
}  // namespace holdfast::gateway
