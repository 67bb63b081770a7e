// Kills a process that writes, at a moment of no one's choosing, and looks at what it acknowledged.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <map>
#include <thread>

#include "base/encoding.h"
#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {
namespace {

constexpr int writers = 4;
constexpr int keys = 12;

std::string body_of(int writer, int round) {
  // Some inline, some blobs.
  const std::size_t size = round % 7 == 3 ? 200'000 : 50 + static_cast<std::size_t>(round) % 5000;
  return fmt::format("{}/{}:", writer, round) + pattern_text(size, static_cast<unsigned>(round));
}

boost::asio::awaitable<void> write_forever(LocalStore& store, int writer, int first, int pipe) {
  for (int round = first;; ++round) {
    const std::string key = fmt::format("w{}-k{}", writer, round % keys);
    PutRequest put{.bucket = BucketName("data"), .key = ObjectKey(key)};
    auto reader = make_string_reader(body_of(writer, round));
    auto done = co_await store.put(std::move(put), *reader);
    if (!done) ::_exit(3);
    const std::string line = fmt::format("{} {}\n", writer, round);
    if (!write_all(pipe, as_bytes(line))) ::_exit(4);
  }
}

// The child: never returns.
[[noreturn]] void serve_writes(const LocalStoreOptions& options, const std::vector<int>& first,
                               int pipe) {
  SystemClock clock;
  SystemRandom random;
  auto store = LocalStore::open(options, clock, random);
  if (!store) ::_exit(2);
  boost::asio::io_context context;
  for (int writer = 0; writer < writers; ++writer) {
    boost::asio::co_spawn(context, write_forever(**store, writer, first[writer], pipe),
                          [](std::exception_ptr) { ::_exit(5); });
  }
  context.run();
  ::_exit(6);
}

class KillTest : public LocalStoreTest {
 protected:
  // Lets a child write until `answers` writes were acknowledged, kills it, and answers the last
  // acknowledged round of each writer.
  void run_and_kill(std::vector<int>& last, int answers) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    std::vector<int> first;
    for (const int round : last) first.push_back(round + 1);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) serve_writes(options(), first, ends[1]);
    ::close(ends[1]);
    Fd from(ends[0]);
    std::string text;
    char buffer[4096];
    int lines = 0;
    bool killed = false;
    for (;;) {
      const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
      if (got <= 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
      lines += static_cast<int>(std::count(buffer, buffer + got, '\n'));
      if (lines >= answers && !killed) {
        ::kill(child, SIGKILL);
        killed = true;
      }
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself: " << status;
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      int writer = 0;
      int round = 0;
      ASSERT_EQ(std::sscanf(text.c_str() + at, "%d %d", &writer, &round), 2);
      last[static_cast<std::size_t>(writer)] = round;
    }
  }

  // Every key holds its last acknowledged body, or that of the one write that was under way.
  void check(const std::vector<int>& last) {
    for (int writer = 0; writer < writers; ++writer) {
      for (int key = 0; key < keys; ++key) {
        const int top = last[static_cast<std::size_t>(writer)];
        int acknowledged = top - ((top - key) % keys + keys) % keys;
        auto text = get("data", fmt::format("w{}-k{}", writer, key));
        const int pending = top + 1;
        const bool may_be_newer = pending % keys == key;
        if (acknowledged < 0) {
          EXPECT_TRUE(may_be_newer || !text);
          continue;
        }
        ASSERT_TRUE(text) << text.error().context;
        const bool whole = *text == body_of(writer, acknowledged) ||
                           (may_be_newer && *text == body_of(writer, pending));
        EXPECT_TRUE(whole) << writer << "/" << acknowledged << ": " << text->substr(0, 12);
      }
    }
  }
};

TEST_F(KillTest, EveryAcknowledgedWriteIsThereAfterAKill) {
  const int cycles =
      std::getenv("HOLDFAST_KILL_CYCLES") ? std::atoi(std::getenv("HOLDFAST_KILL_CYCLES")) : 20;
  open();
  make_bucket("data");
  close();
  std::vector<int> last(writers, -1);
  for (int cycle = 0; cycle < cycles; ++cycle) {
    run_and_kill(last, 5 + static_cast<int>(random.below(60)));
    if (HasFatalFailure()) return;
    open();
    ASSERT_NE(store, nullptr);
    EXPECT_FALSE(store->recovery().clean);
    check(last);
    // A write that was under way may have happened: its round is not written twice.
    close();
  }
  auto rebuilt = LocalStore::rebuild_index(options(), clock, random);
  ASSERT_TRUE(rebuilt) << rebuilt.error().context;
  open();
  check(last);
  auto scrubbed = run(store->scrub());
  ASSERT_TRUE(scrubbed);
  EXPECT_TRUE(scrubbed->damage.empty());
}

}  // namespace
}  // namespace holdfast::store
