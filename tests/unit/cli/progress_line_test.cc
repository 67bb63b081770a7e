#include "cli/progress_line.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/fd.h"

namespace holdfast::cli {
namespace {

class StillClock final : public Clock {
 public:
  TimePoint now() const override { return TimePoint(time); }
  MonotonicTime monotonic() const override { return MonotonicTime(time); }
  std::chrono::nanoseconds time{1};
};

// What has been written to `from`'s other end so far.
std::string said(const Fd& from) {
  std::array<char, 4096> text;
  const ssize_t got = ::read(from.get(), text.data(), text.size());
  return got <= 0 ? "" : std::string(text.data(), static_cast<std::size_t>(got));
}

TEST(ProgressLine, IsWrittenOverItselfAndTakenAwayOnATerminal) {
  const Fd terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_EQ(::grantpt(terminal.get()), 0);
  ASSERT_EQ(::unlockpt(terminal.get()), 0);
  const Fd line(::open(::ptsname(terminal.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(line.valid());
  StillClock clock;
  {
    ProgressLine progress(line.get(), clock);
    EXPECT_TRUE(progress.shown());
    progress.show_bytes(1 << 20, 4 << 20);
    EXPECT_EQ(said(terminal), "\r\x1b[K1.0 MiB of 4.0 MiB (25 %) read");
    progress.show_bytes(2 << 20, 4 << 20);
    EXPECT_EQ(said(terminal), "") << "too soon";
    clock.time += std::chrono::milliseconds(100);
    progress.show_bytes(3 << 20, 4 << 20);
    EXPECT_EQ(said(terminal), "\r\x1b[K3.0 MiB of 4.0 MiB (75 %) read");
  }
  EXPECT_EQ(said(terminal), "\r\x1b[K");
}

TEST(ProgressLine, IsSilentElsewhere) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0);
  const Fd out(ends[0]), in(ends[1]);
  StillClock clock;
  {
    ProgressLine progress(in.get(), clock);
    EXPECT_FALSE(progress.shown());
    progress.show_bytes(1, 2);
  }
  EXPECT_EQ(said(out), "");
}

TEST(ProgressLine, NeverClaimsTheWholeBeforeItsEndNorMoreThanAll) {
  EXPECT_EQ(bytes_of_total(999, 1000), "999 B of 1000 B (99 %)");
  EXPECT_EQ(bytes_of_total(1000, 1000), "1000 B of 1000 B (100 %)");
  EXPECT_EQ(bytes_of_total(2000, 1000), "2.0 KiB of 2.0 KiB (100 %)");
  EXPECT_EQ(bytes_of_total(0, 0), "0 B of 0 B (100 %)");
}

}  // namespace
}  // namespace holdfast::cli
