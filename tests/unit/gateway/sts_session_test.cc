// What a session token has to be to open, asked of the sealer itself.
#include "gateway/sts_session.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace holdfast::gateway {
namespace {

using namespace std::chrono_literals;

const TimePoint noon(std::chrono::hours(500'000));
constexpr const char* narrow =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject",)"
    R"("Resource":"*"}]})";

class SessionTokens : public ::testing::Test {
 protected:
  static TemporarySession wanted() {
    TemporarySession session;
    session.key.principal = PrincipalName("alice");
    session.key.not_after = noon + 1h;
    session.parent = AccessKeyId("AKalice");
    session.name = "test";
    return session;
  }
  static control::PolicyContent content() {
    return {.principals = {{.name = PrincipalName("alice")}, {.name = PrincipalName("bob")}},
            .keys = {{.id = AccessKeyId("AKalice"), .principal = PrincipalName("alice")}}};
  }
  // "ok", or the refusal's name.
  std::string outcome(std::string_view token, const AccessKeyId& id, TimePoint now = noon,
                      const control::PolicyContent& known = content()) const {
    auto opened = sealer_.open(token, id, control::PolicySnapshot(known), now);
    return opened ? "ok" : std::string(s3::describe(opened.error().error).code);
  }
  std::string outcome(const TemporarySession& session, TimePoint now = noon,
                      const control::PolicyContent& known = content()) const {
    return outcome(session.key.session_token, session.key.id, now, known);
  }

  SystemRandom random_;
  SessionSealer sealer_{"a secret of this test", random_};
};

TEST_F(SessionTokens, OpenAsTheyWereSealed) {
  TemporarySession session = wanted();
  session.policy_text = narrow;
  session = sealer_.issue(std::move(session));
  const control::PolicySnapshot policy(content());
  auto opened = sealer_.open(session.key.session_token, session.key.id, policy, noon);
  ASSERT_TRUE(opened);
  EXPECT_EQ((*opened)->key.secret, session.key.secret);
  EXPECT_EQ((*opened)->key.principal.value, "alice");
  EXPECT_EQ((*opened)->key.not_after, noon + 1h);
  EXPECT_EQ((*opened)->name, "test");
  EXPECT_TRUE((*opened)->policy);
}

TEST_F(SessionTokens, EndAtTheirTime) {
  const TemporarySession session = sealer_.issue(wanted());
  EXPECT_EQ(outcome(session, noon + 1h - 1ns), "ok");
  EXPECT_EQ(outcome(session, noon + 1h), "ExpiredToken");
}

TEST_F(SessionTokens, EndWithTheKeyThatAskedForThem) {
  const TemporarySession session = sealer_.issue(wanted());
  auto known = content();
  known.keys[0].not_after = noon + 1min;
  EXPECT_EQ(outcome(session, noon, known), "ok");
  EXPECT_EQ(outcome(session, noon + 1min, known), "InvalidAccessKeyId");
  known = content();
  known.keys[0].principal = PrincipalName("bob");
  EXPECT_EQ(outcome(session, noon, known), "InvalidAccessKeyId");
  known.keys.clear();
  EXPECT_EQ(outcome(session, noon, known), "InvalidAccessKeyId");
}

TEST_F(SessionTokens, HaveTheScopeThatTheirParentHasNow) {
  const TemporarySession session = sealer_.issue(wanted());
  auto known = content();
  known.keys[0].scope = control::KeyScope{};
  const control::PolicySnapshot policy(known);
  auto opened = sealer_.open(session.key.session_token, session.key.id, policy, noon);
  ASSERT_TRUE(opened);
  EXPECT_TRUE((*opened)->key.scope);
}

TEST_F(SessionTokens, OpenForTheirOwnKeyIdAndServerOnly) {
  const TemporarySession session = sealer_.issue(wanted());
  EXPECT_EQ(outcome(session.key.session_token, AccessKeyId("ASIAOTHER")), "InvalidToken");
  const SessionSealer other("another server's", random_);
  auto opened = other.open(session.key.session_token, session.key.id,
                           control::PolicySnapshot(content()), noon);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().error, s3::ApiError::invalid_token);
}

TEST_F(SessionTokens, ThatWereAlteredShortenedOrAreNoneDoNotOpen) {
  const TemporarySession session = sealer_.issue(wanted());
  const std::string& token = session.key.session_token;
  const AccessKeyId& id = session.key.id;
  const std::string sealed = *from_base64url(std::string_view(token).substr(4));
  const auto wrapped = [](std::string_view bytes) {
    return "HF1." + to_base64url(as_bytes(bytes));
  };
  ASSERT_EQ(outcome(wrapped(sealed), id), "ok");
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    std::string altered = sealed;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    ASSERT_EQ(outcome(wrapped(altered), id), "InvalidToken") << at;
  }
  for (std::size_t length = 0; length < sealed.size(); ++length) {
    ASSERT_EQ(outcome(wrapped(sealed.substr(0, length)), id), "InvalidToken") << length;
  }
  EXPECT_EQ(outcome(token.substr(4), id), "InvalidToken");
  EXPECT_EQ(outcome("HF2." + token.substr(4), id), "InvalidToken");
  EXPECT_EQ(outcome("", id), "InvalidToken");
}

// However it came to be sealed: without a policy that can be read there would be no bound.
TEST_F(SessionTokens, WithAPolicyThatCannotBeReadDoNotOpen) {
  TemporarySession session = wanted();
  session.policy_text = R"({"Version":"1999-01-01"})";
  EXPECT_EQ(outcome(sealer_.issue(std::move(session))), "InvalidToken");
}

TEST_F(SessionTokens, NameSomebody) {
  TemporarySession session = wanted();
  session.key.principal = PrincipalName();
  session.parent = AccessKeyId();
  EXPECT_EQ(outcome(sealer_.issue(std::move(session))), "InvalidToken");
}

TEST_F(SessionTokens, AreBounded) {
  TemporarySession session = wanted();
  session.name = std::string(8u << 10, 'x');
  EXPECT_EQ(outcome(sealer_.issue(std::move(session))), "InvalidToken");
}

}  // namespace
}  // namespace holdfast::gateway
