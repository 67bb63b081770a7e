// A process that changes the registry is killed at random moments: what it acknowledged is there,
// each change is there with its event or not at all, and the chain holds.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <set>

#include "base/fd.h"
#include "tests/unit/control/fixtures.h"

namespace holdfast::control {
namespace {

using testing::administrator;

// Grants access to bob on p0/, p1/, …, and tells each that was acknowledged through the pipe.
[[noreturn]] void grant_until_killed(const std::string& path, int first, int acknowledged) {
  SystemClock clock;
  SystemRandom random;
  auto registry = Registry::open({.path = path}, clock, random);
  if (!registry) _exit(1);
  for (int i = first;; ++i) {
    auto grant = (*registry)->add_grant(administrator(), {.principal = PrincipalName("bob"),
                                                          .bucket = BucketName("research"),
                                                          .prefix = fmt::format("p{}/", i),
                                                          .level = Level::read});
    if (!grant) _exit(2);
    (*registry)->audit().record({.action = "s3.denied", .target = fmt::format("p{}/", i)});
    if (write(acknowledged, &i, sizeof i) != sizeof i) _exit(3);
  }
}

TEST(RegistryKilled, NothingAcknowledgedIsLostAndTheChainHolds) {
  testing::TemporaryDirectory directory;
  const auto path = directory.path + "/registry.db";
  SystemClock clock;
  SystemRandom random;
  {
    auto registry = Registry::open({.path = path}, clock, random);
    ASSERT_TRUE(registry);
    ASSERT_TRUE((*registry)->create_principal(administrator(), {PrincipalName("bob")}));
  }
  int next = 0;
  std::set<int> acknowledged;
  for (int round = 0; round < 15; ++round) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) grant_until_killed(path, next, ends[1]);
    close(ends[1]);
    // Let a few through, then kill somewhere within the next ones.
    int last = next;
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(read(ends[0], &last, sizeof last), ssize_t(sizeof last));
      acknowledged.insert(last);
    }
    const timespec moment{.tv_sec = 0, .tv_nsec = long(random.below(3'000'000))};
    nanosleep(&moment, nullptr);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read(ends[0], &last, sizeof last) == ssize_t(sizeof last)) acknowledged.insert(last);
    close(ends[0]);

    auto registry = Registry::open({.path = path}, clock, random);
    ASSERT_TRUE(registry) << registry.error().context;
    auto verdict = (*registry)->audit().verify();
    ASSERT_TRUE(verdict);
    EXPECT_TRUE(verdict->ok()) << verdict->reason;
    std::set<std::string> present;
    auto grants = (*registry)->grants({});
    for (const auto& grant : *grants) present.insert(grant.prefix);
    for (const int one : acknowledged) EXPECT_TRUE(present.contains(fmt::format("p{}/", one)));
    auto told = (*registry)->audit().tail(100'000, {.action = "grant.add"});
    EXPECT_EQ(told->size(), grants->size()) << "a change and its event are one";
    next = static_cast<int>(grants->size());
  }
}

}  // namespace
}  // namespace holdfast::control
