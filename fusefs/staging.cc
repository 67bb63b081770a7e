#include "fusefs/staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/encoding.h"
#include "base/log.h"

namespace holdfast::fusefs {

Result<Fd> make_staging_file(const std::string& directory) {
  auto file = open_file(directory, O_TMPFILE | O_RDWR, 0600);
  if (!file) return fail_within("make a staging file", file.error());
  return file;
}

Result<std::uint64_t> staging_size(const Staging& staging) {
  struct stat status{};
  if (::fstat(staging.file->get(), &status) != 0) return fail_errno(errno, "stat a staging file");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::string> rescue_staging(const Staging& staging, const std::string& directory,
                                   const Rescue& what) {
  if (auto made = make_directories(directory, 0700); !made) return std::unexpected(made.error());
  std::string label = what.key.substr(what.key.rfind('/') + 1).substr(0, 100);
  for (char& c : label) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x21 || byte >= 0x7f) c = '_';
  }
  const std::string open_file_path = fmt::format("/proc/self/fd/{}", staging.file->get());
  for (unsigned attempt = 1; attempt <= 100; ++attempt) {
    const std::string path =
        fmt::format("{}/{}-{}-{}{}", directory, to_amz_date(what.time), what.bucket, label,
                    attempt == 1 ? "" : fmt::format(".{}", attempt));
    if (::linkat(AT_FDCWD, open_file_path.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) !=
        0) {
      if (errno == EEXIST) continue;
      return fail_errno(errno, "name a staging file " + path);
    }
    ::fsync(staging.file->get());
    const std::string text =
        fmt::format("bucket {}\nkey    {}\ntime   {}\nwhy    {}\n", what.bucket,
                    log_field(what.key, 2048), to_rfc3339(what.time), log_field(what.reason, 500));
    (void)replace_file(path + ".txt", text, 0600);  // the file is what matters
    return path;
  }
  return fail(ErrorCode::already_exists, "name a staging file in {}: no free name", directory);
}

}  // namespace holdfast::fusefs
