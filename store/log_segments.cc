#include "store/log_segments.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/encoding.h"
#include "store/log_format.h"

namespace holdfast::store {
namespace {

constexpr std::size_t fill_step = 64u << 10;

}  // namespace

std::string segment_path(const std::string& directory, std::uint64_t number) {
  return directory + "/" + segment_file_name(number);
}

Result<std::vector<std::uint64_t>> list_segments(const std::string& directory) {
  std::vector<std::uint64_t> numbers;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (auto number = parse_segment_file_name(at->path().filename().string())) {
      numbers.push_back(*number);
    }
  }
  if (error) return fail_errno(error.value(), "list the log " + directory);
  std::ranges::sort(numbers);
  return numbers;
}

Result<LogWriter> LogWriter::open(LogOptions options, LogPosition end,
                                  std::uint64_t next_sequence) {
  LogWriter writer(std::move(options));
  if (end.segment == 0) {
    auto started = writer.start_segment(1, next_sequence);
    if (!started) return std::unexpected(started.error());
    return writer;
  }
  const std::string path = segment_path(writer.options_.directory, end.segment);
  auto file = open_file(path, O_RDWR);
  if (!file) return std::unexpected(file.error());
  writer.file_ = std::move(*file);
  writer.end_ = end;
  if (auto cut = writer.take_back(end); !cut) return fail_within(path, cut.error());
  writer.may_fill_ = writer.options_.sync;
  return writer;
}

Result<void> LogWriter::start_segment(std::uint64_t number, std::uint64_t next_sequence) {
  const std::string path = segment_path(options_.directory, number);
  auto file = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return std::unexpected(file.error());
  const std::string header = encode_segment_header({number, next_sequence});
  auto ready = write_all_at(file->get(), as_bytes(header), 0);
  if (ready && options_.sync) ready = sync_data(file->get());
  if (ready && options_.sync) ready = sync_directory(options_.directory);
  if (!ready) {
    ::unlink(path.c_str());
    return fail_within("start log segment " + path, ready.error());
  }
  file_ = std::move(*file);
  filled_ = 0;
  may_fill_ = options_.sync;
  end_ = {number, segment_header_bytes};
  return {};
}

Result<void> LogWriter::make_room(std::uint64_t next_sequence) {
  if (broken_) return fail(ErrorCode::read_only, "the log failed earlier: restart to go on");
  if (end_.offset < options_.segment_bytes) return {};
  // Durable before the next one is there: only the last segment may end in something else than
  // records.
  if (filled_ > end_.offset) {
    if (auto cut = cut_at(end_.offset); !cut) return fail_within("close a segment", cut.error());
  }
  return start_segment(end_.segment + 1, next_sequence);
}

Result<void> LogWriter::sync() {
  if (!options_.sync) return {};
  return sync_data(file_.get());
}

// Only a help: where it fails the append itself finds out whether there is room. Long groups would
// pay for writing twice more than they save.
void LogWriter::fill_ahead(std::uint64_t group_bytes) {
  const std::uint64_t end = end_.offset + group_bytes;
  if (!may_fill_ || end <= filled_ || group_bytes > options_.ahead_bytes / 4) return;
  const std::uint64_t until = std::min(end + options_.ahead_bytes, options_.segment_bytes);
  static constexpr std::array<std::byte, fill_step> zeros{};
  for (std::uint64_t at = end; at < until; at = filled_) {
    const auto step = std::min<std::uint64_t>(until - at, zeros.size());
    filled_ = at + step;
    if (!write_all_at(file_.get(), std::span(zeros).first(step), at)) {
      // The last room is not for zeros.
      may_fill_ = false;
      if (::ftruncate(file_.get(), static_cast<off_t>(end_.offset)) == 0) filled_ = 0;
      return;
    }
  }
}

Result<void> LogWriter::append(std::string_view group) {
  if (broken_) return fail(ErrorCode::read_only, "the log failed earlier: restart to go on");
  const LogPosition before = end_;
  fill_ahead(group.size());
  auto written = write_all_at(file_.get(), as_bytes(group), end_.offset);
  if (written) written = sync();
  if (!written) {
    (void)take_back(before);
    return fail_within("append to the log", written.error());
  }
  end_.offset += group.size();
  return {};
}

Result<void> LogWriter::cut_at(std::uint64_t offset) {
  may_fill_ = false;  // whatever failed, room may be short
  if (::ftruncate(file_.get(), static_cast<off_t>(offset)) != 0) {
    return fail_errno(errno, "cut the log");
  }
  auto synced = sync();
  if (synced) filled_ = 0;  // until then who closes the segment has to try again
  return synced;
}

Result<void> LogWriter::take_back(LogPosition before) {
  HOLDFAST_CHECK(before.segment == end_.segment && before.offset <= end_.offset);
  // After a failed fdatasync the kernel forgets dirty pages: nothing behind `before` may stay, and
  // the shorter length itself must be durable before the failure is answered.
  auto cut = cut_at(before.offset);
  if (cut) {
    end_ = before;
  } else {
    broken_ = true;
  }
  return cut;
}

}  // namespace holdfast::store
