#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace holdfast {

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<Fd> open_file(const std::string& path, int flags, unsigned mode) {
  return open_at(AT_FDCWD, path, flags, mode);
}

Result<Fd> open_at(int directory, const std::string& path, int flags, unsigned mode) {
  for (;;) {
    Fd fd(::openat(directory, path.c_str(), flags | O_CLOEXEC, mode));
    if (fd.valid()) return fd;
    if (errno != EINTR) return fail_errno(errno, "open " + path);
  }
}

Result<std::size_t> read_at(int fd, std::span<std::byte> out, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> write_all_at(int fd, std::span<const std::byte> data, std::uint64_t offset) {
  while (!data.empty()) {
    const ssize_t put = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write");
    data = data.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

Result<void> write_all(int fd, std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t put = ::write(fd, data.data(), data.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write");
    data = data.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return std::unexpected(fd.error());
  std::string content;
  constexpr std::size_t step = 64u << 10;
  for (;;) {
    const std::size_t before = content.size();
    content.resize(before + step);
    auto got =
        read_at(fd->get(), std::as_writable_bytes(std::span(content)).subspan(before), before);
    if (!got) return fail_within(path, got.error());
    content.resize(before + *got);
    if (content.size() > limit) {
      return fail(ErrorCode::entity_too_large, "read {}: the file is over {} bytes", path, limit);
    }
    if (*got < step) return content;
  }
}

Result<void> replace_file(const std::string& path, std::string_view content, unsigned mode) {
  const std::string temporary = path + ".new";
  auto fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (!fd) return std::unexpected(fd.error());
  if (::fchmod(fd->get(), mode) != 0) return fail_errno(errno, "chmod " + temporary);
  auto written = write_all(fd->get(), std::as_bytes(std::span(content.data(), content.size())));
  if (!written) return fail_within(temporary, written.error());
  if (::fsync(fd->get()) != 0) return fail_errno(errno, "fsync " + temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno(errno, "rename to " + path);
  const auto parent = std::filesystem::path(path).parent_path();
  return sync_directory(parent.empty() ? "." : parent.string());
}

Result<void> sync_data(int fd) {
  if (::fdatasync(fd) != 0) return fail_errno(errno, "fdatasync");
  return {};
}

Result<void> sync_directory(const std::string& path) {
  auto fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::unexpected(fd.error());
  if (::fsync(fd->get()) != 0) return fail_errno(errno, "fsync " + path);
  return {};
}

Result<void> make_directories(const std::string& path, unsigned mode) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), mode) == 0 || errno == EEXIST) continue;
    return fail_errno(errno, "create directory " + part);
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, "stat " + path);
  if (!S_ISDIR(status.st_mode)) return fail_errno(ENOTDIR, "create directory " + path);
  return {};
}

}  // namespace holdfast
