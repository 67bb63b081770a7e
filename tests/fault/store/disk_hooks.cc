// The C library's file functions, replaced in this program: they do the system call and tell the
// recorder, in one step, so that the order recorded is the order done. Linked symbols of a program
// come before those of its libraries, so SQLite uses these, too. Not for sanitizer builds, which
// replace the same functions. With 64-bit offsets (_FILE_OFFSET_BITS) open() here is the symbol
// open64, and so on: what our code and Debian's SQLite call.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

#include "tests/fault/store/disk_recorder.h"

namespace {

using holdfast::store::DiskRecorder;

template <class Call, class Tell>
auto done(Call call, Tell tell) {
  auto* recorder = DiskRecorder::active();
  if (recorder == nullptr) return call();
  const std::scoped_lock lock(recorder->mutex());
  auto result = call();
  if (result >= 0) {
    const int saved = errno;
    tell(*recorder, result);
    errno = saved;
  }
  return result;
}

int open_any(int directory, const char* path, int flags, unsigned mode) {
  const bool may_create = (flags & O_CREAT) != 0;
  return done(
      [&] {
        return static_cast<int>(::syscall(SYS_openat, directory, path, flags | O_LARGEFILE, mode));
      },
      [&](DiskRecorder& recorder, int fd) {
        if (directory != AT_FDCWD && path[0] != '/') std::abort();  // no such call is made here
        recorder.opened(fd, path, may_create);
        if ((flags & O_TRUNC) != 0) recorder.truncated(fd, 0);
      });
}

unsigned mode_of(int flags, va_list& arguments) {
  return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, unsigned) : 0u;
}

ssize_t write_at(int fd, const void* data, size_t bytes, off_t offset) {
  return done(
      [&] { return static_cast<ssize_t>(::syscall(SYS_pwrite64, fd, data, bytes, offset)); },
      [&](DiskRecorder& recorder, ssize_t put) {
        recorder.wrote(fd, data, static_cast<std::size_t>(put), static_cast<std::uint64_t>(offset));
      });
}

int cut(int fd, off_t size) {
  return done([&] { return static_cast<int>(::syscall(SYS_ftruncate, fd, size)); },
              [&](DiskRecorder& recorder, int) {
                recorder.truncated(fd, static_cast<std::uint64_t>(size));
              });
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_any(AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_any(directory, path, flags, mode);
}
int close(int fd) {
  auto* recorder = DiskRecorder::active();
  if (recorder == nullptr) return static_cast<int>(::syscall(SYS_close, fd));
  const std::scoped_lock lock(recorder->mutex());
  recorder->closed(fd);
  return static_cast<int>(::syscall(SYS_close, fd));
}
ssize_t pwrite(int fd, const void* data, size_t bytes, off_t offset) {
  return write_at(fd, data, bytes, offset);
}
ssize_t write(int fd, const void* data, size_t bytes) {
  return done([&] { return static_cast<ssize_t>(::syscall(SYS_write, fd, data, bytes)); },
              [&](DiskRecorder& recorder, ssize_t put) {
                const long end = ::syscall(SYS_lseek, fd, 0L, SEEK_CUR);
                if (end < put) return;
                recorder.wrote(fd, data, static_cast<std::size_t>(put),
                               static_cast<std::uint64_t>(end - put));
              });
}
int ftruncate(int fd, off_t size) noexcept { return cut(fd, size); }
// While a recorder looks, no disk need turn: what is durable is the model's to say.
int fsync(int fd) {
  return done(
      [&] { return DiskRecorder::active() ? 0 : static_cast<int>(::syscall(SYS_fsync, fd)); },
      [&](DiskRecorder& recorder, int) { recorder.synced(fd); });
}
int fdatasync(int fd) {
  return done(
      [&] { return DiskRecorder::active() ? 0 : static_cast<int>(::syscall(SYS_fdatasync, fd)); },
      [&](DiskRecorder& recorder, int) { recorder.synced(fd); });
}
int linkat(int from_directory, const char* from, int to_directory, const char* to,
           int flags) noexcept {
  return done(
      [&] {
        return static_cast<int>(
            ::syscall(SYS_linkat, from_directory, from, to_directory, to, flags));
      },
      [&](DiskRecorder& recorder, int) {
        constexpr std::string_view own = "/proc/self/fd/";
        const std::string_view source(from);
        if (!source.starts_with(own)) std::abort();  // no other link is made here
        recorder.linked(std::atoi(from + own.size()), to);
      });
}
int rename(const char* from, const char* to) noexcept {
  return done(
      [&] { return static_cast<int>(::syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to)); },
      [&](DiskRecorder& recorder, int) { recorder.renamed(from, to); });
}
int unlink(const char* path) noexcept {
  return done([&] { return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0)); },
              [&](DiskRecorder& recorder, int) { recorder.removed(path); });
}
int mkdir(const char* path, mode_t mode) noexcept {
  return done([&] { return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode)); },
              [&](DiskRecorder& recorder, int) { recorder.made_directory(path); });
}

}  // extern "C"
