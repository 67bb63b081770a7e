// One person's mount process, without a server to speak to: the home works, what was written waits,
// and the process ends, dies and comes back cleanly.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "fusefs/mount_runner.h"
#include "fusefs/session.h"
#include "tests/e2e/fusefs/home_fixture.h"

namespace holdfast::fusefs::testing {
namespace {

namespace json = boost::json;

class MountProcess : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-run-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory = pattern;
    std::filesystem::permissions(directory, std::filesystem::perms(0755));
  }
  void TearDown() override {
    if (child > 0) end(SIGTERM);
    std::filesystem::remove_all(directory);
  }

  MountOptions options() const {
    MountOptions wanted;
    wanted.user = "alice";
    wanted.uid = wanted.gid = 4242;
    wanted.home = directory + "/home";
    wanted.buckets = directory + "/buckets";
    wanted.cache = directory + "/cache";
    wanted.endpoint = "http://127.0.0.1:1";  // nobody listens there
    wanted.credentials = {"AKTEST", "secret", ""};
    wanted.drain_limit = wanted.busy_limit = std::chrono::milliseconds(300);
    return wanted;
  }

  // Starts the process and waits for its "ready".
  void start() {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    child = ::fork();
    if (child == 0) {
      ::dup2(ends[1], 1);
      ::close(ends[0]);
      ::close(ends[1]);
      start_logging("info", LogFormat::text);  // standard output is for "ready" alone
      ::_exit(run_mount(options()) ? 0 : 1);
    }
    ::close(ends[1]);
    char line[16] = {};
    EXPECT_EQ(::read(ends[0], line, 6), 6);
    EXPECT_STREQ(line, "ready\n");
    ::close(ends[0]);
  }
  int end(int signal) {
    ::kill(child, signal);
    int status = 0;
    ::waitpid(std::exchange(child, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  json::object ask(const std::string& command) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (directory + "/cache/mount.sock").c_str());
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_GT(::write(fd, (command + "\n").c_str(), command.size() + 1), 0);
    std::string answer;
    char buffer[4096];
    while (!answer.ends_with('\n')) {
      const ssize_t got = ::read(fd, buffer, sizeof(buffer));
      if (got <= 0) break;
      answer.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(fd);
    return json::parse(answer).as_object();
  }

  std::string directory;
  pid_t child = 0;
};

TEST_F(MountProcess, ServesAHomeWithoutAServerAndKeepsWhatWaits) {
  start();
  EXPECT_EQ(as_user(4242,
                    [this] {
                      const int fd =
                          ::open((directory + "/home/f").c_str(), O_CREAT | O_WRONLY, 0644);
                      return fd >= 0 && ::write(fd, "kept", 4) == 4 && ::close(fd) == 0 ? 0 : 1;
                    }),
            0);
  EXPECT_EQ(read_text(directory + "/home/f"), "kept");
  struct stat status{};
  EXPECT_EQ(::stat((directory + "/buckets/research").c_str(), &status), -1);
  EXPECT_EQ(errno, EIO);  // not ENOENT: nobody knows
  const auto drained = ask(R"({"command":"drain","seconds":0.2})");
  EXPECT_FALSE(drained.at("ok").as_bool());
  EXPECT_GT(drained.at("dirty").to_number<int>(), 0);
  const auto told = ask(R"({"command":"status"})");
  EXPECT_TRUE(told.at("ok").as_bool());
  EXPECT_EQ(told.at("user").as_string(), "alice");
  EXPECT_GT(told.at("home").at("dirty").to_number<int>(), 0);
  EXPECT_FALSE(ask(R"({"command":"dance"})").at("ok").as_bool());
  EXPECT_FALSE(ask("no json").at("ok").as_bool());
  EXPECT_EQ(end(SIGTERM), 0);
  EXPECT_THAT(std::filesystem::directory_iterator(directory + "/home"),
              ::testing::Eq(std::filesystem::directory_iterator()));

  start();
  EXPECT_EQ(read_text(directory + "/home/f"), "kept");
  EXPECT_GT(ask(R"({"command":"status"})").at("home").at("dirty").to_number<int>(), 0);
  ask(R"({"command":"stop"})");
  int outcome = 0;
  ::waitpid(std::exchange(child, 0), &outcome, 0);
  EXPECT_EQ(outcome, 0);
}

TEST_F(MountProcess, IsTheOnlyOneOfItsCacheDirectory) {
  start();
  const auto second = run_mount(options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::locked);
}

TEST_F(MountProcess, ComesBackAfterItWasKilled) {
  start();
  write_text(directory + "/home/f", "survives");
  EXPECT_EQ(end(SIGKILL), 128 + SIGKILL);
  EXPECT_TRUE(is_dead_mount(directory + "/home"));
  start();
  EXPECT_EQ(read_text(directory + "/home/f"), "survives");
}

TEST_F(MountProcess, GivesWayInSpiteOfUsers) {
  start();
  write_text(directory + "/home/f", "x");
  const int held = ::open((directory + "/home/f").c_str(), O_RDONLY);
  ASSERT_GE(held, 0);
  EXPECT_EQ(end(SIGTERM), 0);
  EXPECT_FALSE(std::filesystem::exists(directory + "/home/f"));
  ::close(held);
}

}  // namespace
}  // namespace holdfast::fusefs::testing
