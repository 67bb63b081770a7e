#include "cli/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>

namespace holdfast::cli {
namespace {

constexpr std::string_view format_line = "holdfast data 1\n";

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

enum class Format { ours, none_yet };

// Only looks. A directory that is not ours is not even given a lock file.
Result<Format> examine(const std::string& path) {
  const std::string file = path + "/FORMAT";
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    auto found = read_file(file, 4096);
    if (!found) return std::unexpected(found.error());
    if (*found == format_line) return Format::ours;
    return fail(ErrorCode::invalid_argument,
                "{} says \"{}\", this program reads \"{}\"; use the version that wrote it, or "
                "another --data directory; nothing was changed",
                file, trimmed(*found), trimmed(std::string(format_line)));
  }
  static const std::set<std::string> ours = {"lock"};
  for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
    if (ours.contains(entry.path().filename().string())) continue;
    return fail(ErrorCode::invalid_argument,
                "{} is no data directory of Holdfast (there is {} in it and no FORMAT file); give "
                "an empty directory with --data; nothing was changed",
                path, entry.path().filename().string());
  }
  return Format::none_yet;
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::string& path) {
  if (auto made = make_directories(path, 0711); !made) {
    return fail_within("data directory", made.error());
  }
  if (auto looked = examine(path); !looked) return std::unexpected(looked.error());
  auto lock = open_file(path + "/lock", O_RDWR | O_CREAT, 0600);
  if (!lock) return fail_within("data directory", lock.error());
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock " + path);
    auto holder = read_file(path + "/lock", 64);
    return fail(ErrorCode::locked,
                "{} is held by another holdfast (process {}); stop that one, or give another "
                "directory with --data",
                path, holder ? trimmed(*holder) : "unknown");
  }
  // Again, now that nobody else can be making it.
  auto format = examine(path);
  if (!format) return std::unexpected(format.error());
  if (*format == Format::none_yet) {
    auto written = replace_file(path + "/FORMAT", format_line, 0644);
    if (!written) return std::unexpected(written.error());
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock->get(), 0) != 0) return fail_errno(errno, "write " + path + "/lock");
  if (auto written = write_all_at(lock->get(), std::as_bytes(std::span(pid)), 0); !written) {
    return std::unexpected(written.error());
  }
  for (const auto* folder : {"/store", "/run", "/log"}) {
    if (auto made = make_directories(path + folder, 0700); !made) {
      return std::unexpected(made.error());
    }
  }
  // Tools reach their mounts through here as their own uid: passable, not listable.
  if (auto made = make_directories(path + "/homes", 0711); !made) {
    return std::unexpected(made.error());
  }
  return DataDirectory(path, std::move(*lock));
}

}  // namespace holdfast::cli
