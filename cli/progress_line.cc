#include "cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/fd.h"
#include "cli/output.h"

namespace holdfast::cli {
namespace {

constexpr std::chrono::milliseconds interval{100};
constexpr std::string_view clear_line = "\r\x1b[K";  // ECMA-48: erase to the end of the line

}  // namespace

ProgressLine::ProgressLine(int fd, const Clock& clock)
    : fd_(fd), clock_(clock), terminal_(::isatty(fd) == 1) {}

ProgressLine::~ProgressLine() {
  if (written_) (void)write_all(fd_, std::as_bytes(std::span(clear_line)));
}

void ProgressLine::show_bytes(std::uint64_t done, std::uint64_t total) {
  if (!terminal_ || (written_ && clock_.monotonic() < next_)) return;
  next_ = clock_.monotonic() + interval;
  written_ = true;
  const std::string text = fmt::format("{}{} read", clear_line, bytes_of_total(done, total));
  // A terminal that is gone takes no progress either: what is shown counts for nothing else.
  (void)write_all(fd_, std::as_bytes(std::span(text)));
}

std::string bytes_of_total(std::uint64_t done, std::uint64_t total) {
  total = std::max(done, total);
  const double share = total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
  return fmt::format("{} of {} ({:.0f} %)", human_bytes(done), human_bytes(total),
                     std::min(share * 100, done < total ? 99.0 : 100.0));
}

}  // namespace holdfast::cli
