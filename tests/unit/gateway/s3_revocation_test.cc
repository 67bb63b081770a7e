// The security checklist of the S3 listener: what was allowed ends with its time, its key, its
// grant and its owner, for requests, presigned URLs and what is under way.
#include "s3_security_fixture.h"

namespace holdfast::gateway {
namespace {

TEST_F(S3Security, RevokedExpiredAndForeignKeysAreRefused) {
  auto& session = add_key("alice", "token");
  session.id = AccessKeyId("AKsession");
  session.secret = "session-secret";
  session.not_after = clock_.now() + std::chrono::minutes(5);
  republish();
  const Signer right{"AKsession", "session-secret", "token"};
  const auto get = [&](const Signer& who) {
    return send(
        sign(head_of("GET", "/research/public/p", {}), who, std::string(s3::empty_sha256_hex)));
  };
  EXPECT_EQ(get(right).status, 200u);
  EXPECT_EQ(get({"AKsession", "session-secret", ""}).code(), "InvalidToken");
  EXPECT_EQ(get({"AKsession", "session-secret", "other"}).code(), "InvalidToken");
  EXPECT_EQ(get({"AKalice", "alice-secret", "token"}).code(), "InvalidToken");
  EXPECT_EQ(get({"AKnobody", "x", ""}).code(), "InvalidAccessKeyId");
  clock_.advance(std::chrono::minutes(6));
  EXPECT_EQ(get(right).code(), "ExpiredToken");
  for (auto& principal : content_.principals) principal.disabled = principal.name.value == "alice";
  republish();
  expect_denied(get(signer("alice")));
  std::erase_if(content_.keys, [](const auto& key) { return key.id.value == "AKbob"; });
  republish();
  EXPECT_EQ(get(signer("bob")).code(), "InvalidAccessKeyId");
}

TEST_F(S3Security, APresignedUrlEndsWithItsGrant) {
  const auto url = presign("GET", "/research/public/p", signer("bob"), std::chrono::hours(1));
  EXPECT_EQ(send(head_of("GET", url, {})).status, 200u);
  std::erase_if(content_.grants, [](const auto& g) { return g.principal.value == "bob"; });
  republish();
  expect_denied(send(head_of("GET", url, {})));
}

TEST_F(S3Security, APresignedUrlEndsWithItsKey) {
  auto& ending = add_key("bob", {});
  ending.id = AccessKeyId("AKending");
  ending.secret = "ending-secret";
  ending.not_after = clock_.now() + std::chrono::minutes(5);
  republish();
  const std::string target = "/research/public/p";
  const auto url = presign("GET", target, {"AKending", "ending-secret", {}}, std::chrono::hours(1));
  const auto other = presign("GET", target, signer("bob"), std::chrono::hours(1));
  EXPECT_EQ(send(head_of("GET", url, {})).status, 200u);
  clock_.advance(std::chrono::minutes(5));
  EXPECT_EQ(send(head_of("GET", url, {})).code(), "InvalidAccessKeyId");
  EXPECT_EQ(send(head_of("GET", other, {})).status, 200u);
  std::erase_if(content_.keys, [](const auto& key) { return key.id.value == "AKbob"; });
  republish();
  EXPECT_EQ(send(head_of("GET", other, {})).code(), "InvalidAccessKeyId");
}

TEST_F(S3Security, ADownloadEndsWithItsKeyAndItsOwner) {
  put("public/large", std::string(2u << 20, 'x'));
  const auto whole = content_;
  const auto cut_by = [&](const std::function<void()>& change) {
    content_ = whole;
    republish();
    MemoryExchange exchange(
        head_of("GET",
                presign("GET", "/research/public/large", signer("bob"), std::chrono::hours(1)), {}),
        {});
    exchange.before_body = [&]() -> boost::asio::awaitable<void> {
      change();
      republish();
      co_return;
    };
    return run(exchange).cut;
  };
  EXPECT_FALSE(cut_by([] {}));
  EXPECT_TRUE(cut_by([&] {
    std::erase_if(content_.keys, [](const auto& key) { return key.id.value == "AKbob"; });
  }));
  EXPECT_TRUE(cut_by([&] {
    for (auto& key : content_.keys) {
      if (key.id.value == "AKbob") key.not_after = clock_.now();
    }
  }));
  EXPECT_TRUE(cut_by([&] {
    for (auto& person : content_.principals) person.disabled |= person.name.value == "bob";
  }));
}

TEST_F(S3Security, AnUploadEndsWithTheGrantThatAllowedIt) {
  const std::string body(1u << 20, 'x');
  MemoryExchange exchange(
      sign(head_of("PUT", "/research/slow", {}), signer("alice"), s3::sha256_hex(body)), body);
  exchange.reader.before_read = [&](int reads) {
    if (reads != 3) return;
    std::erase_if(content_.grants, [](const auto& g) { return g.principal.value == "alice"; });
    republish();
  };
  expect_denied(run(exchange));
  EXPECT_FALSE(exists("/research/slow"));
}

TEST_F(S3Security, ADownloadEndsWithTheGrantThatAllowedIt) {
  put("public/large", std::string(2u << 20, 'x'));
  MemoryExchange exchange(sign(head_of("GET", "/research/public/large", {}), signer("bob"),
                               std::string(s3::empty_sha256_hex)),
                          {});
  exchange.before_body = [&]() -> boost::asio::awaitable<void> {
    std::erase_if(content_.grants, [](const auto& g) { return g.principal.value == "bob"; });
    republish();
    co_return;
  };
  EXPECT_TRUE(run(exchange).cut);
}

}  // namespace
}  // namespace holdfast::gateway
