#include "fusefs/staging.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

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

}  // namespace holdfast::fusefs
