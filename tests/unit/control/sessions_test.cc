#include "control/sessions.h"

#include "base/fd.h"

#include "tests/unit/control/fixtures.h"

namespace holdfast::control {
namespace {

using testing::administrator;
using testing::as;
using namespace std::chrono_literals;

class SessionsTest : public testing::RegistryTest {
 protected:
  SessionsTest() {
    user("alice");
    open();
  }
  ~SessionsTest() override { sessions.reset(); }
  void open() {
    sessions.reset();
    auto opened = Sessions::open(*registry, clock, random);
    EXPECT_TRUE(opened);
    sessions = std::move(*opened);
  }
  std::string sign_in() {
    auto link = sessions->create_link(administrator(), PrincipalName("alice"));
    auto made = sessions->sign_in(as(""), link->token);
    EXPECT_TRUE(made) << made.error().context;
    return made->token;
  }
  std::unique_ptr<Sessions> sessions;
};

TEST_F(SessionsTest, ALinkSignsInOnce) {
  auto link = sessions->create_link(administrator(), PrincipalName("alice"));
  ASSERT_TRUE(link);
  auto first = sessions->sign_in(as(""), link->token);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->session.principal.value, "alice");
  EXPECT_EQ(code(sessions->sign_in(as(""), link->token)), ErrorCode::expired);
  EXPECT_EQ(code(sessions->sign_in(as(""), "guess")), ErrorCode::expired);
}

TEST_F(SessionsTest, ALinkExpires) {
  auto link = sessions->create_link(administrator(), PrincipalName("alice"));
  clock.advance(Sessions::link_lifetime);
  EXPECT_EQ(code(sessions->sign_in(as(""), link->token)), ErrorCode::expired);
}

TEST_F(SessionsTest, ASessionIsFoundByItsTokenAloneAndOutlivesARestart) {
  const auto token = sign_in();
  ASSERT_TRUE(sessions->find(token));
  EXPECT_FALSE(sessions->find(token + "x"));
  EXPECT_FALSE(sessions->find(sessions->find(token)->id)) << "the stored hash is no token";
  sessions.reset();
  reopen();
  open();
  ASSERT_TRUE(sessions->find(token));
  clock.advance(Sessions::session_lifetime);
  EXPECT_FALSE(sessions->find(token));
}

TEST_F(SessionsTest, EndedSessionsStayEnded) {
  const auto one = sign_in();
  const auto two = sign_in();
  ASSERT_TRUE(sessions->end(as("alice"), one));
  EXPECT_FALSE(sessions->find(one));
  EXPECT_TRUE(sessions->find(two));
  ASSERT_TRUE(sessions->end_all(as("alice"), PrincipalName("alice")));
  open();
  EXPECT_FALSE(sessions->find(two));
}

TEST_F(SessionsTest, DisablingAUserEndsItsSessionsForGood) {
  const auto token = sign_in();
  ASSERT_TRUE(registry->disable_principal(administrator(), PrincipalName("alice")));
  EXPECT_FALSE(sessions->find(token));
  EXPECT_EQ(code(sessions->create_link(administrator(), PrincipalName("alice"))),
            ErrorCode::conflict);
  ASSERT_TRUE(registry->enable_principal(administrator(), PrincipalName("alice")));
  EXPECT_FALSE(sessions->find(token));
}

TEST_F(SessionsTest, LinksForOthersNeedAnAdministrator) {
  user("bob");
  EXPECT_EQ(code(sessions->create_link(as("bob"), PrincipalName("alice"))),
            ErrorCode::access_denied);
  EXPECT_TRUE(sessions->create_link(as("bob"), PrincipalName("bob")));
}

TEST_F(SessionsTest, NoTokenIsEverStored) {
  auto link = sessions->create_link(administrator(), PrincipalName("alice"));
  const auto token = sign_in();
  sessions.reset();
  registry.reset();
  for (const auto& entry : std::filesystem::directory_iterator(directory.path)) {
    auto bytes = read_file(entry.path().string());
    ASSERT_TRUE(bytes);
    EXPECT_EQ(bytes->find(token), std::string::npos);
    EXPECT_EQ(bytes->find(link->token), std::string::npos);
  }
}

}  // namespace
}  // namespace holdfast::control
