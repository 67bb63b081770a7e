#include "syncd/home_tree_place.h"

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace holdfast::syncd {
namespace {

timespec to_timespec(const statx_timestamp& t) {
  return {.tv_sec = static_cast<time_t>(t.tv_sec), .tv_nsec = static_cast<long>(t.tv_nsec)};
}

std::int64_t to_ns(const statx_timestamp& t) {
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

KeptTime::KeptTime(int directory) : directory_(directory) {
  struct statx st{};
  if (::statx(directory, "", AT_EMPTY_PATH, STATX_MTIME, &st) != 0) return;
  mtime_ = to_timespec(st.stx_mtime);
  known_ = true;
}

KeptTime::~KeptTime() {
  if (!known_) return;
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, mtime_};
  (void)::futimens(directory_, times);
}

Result<Fd> open_beneath(int root, const std::string& path, int flags, bool* absent) {
  open_how how{};
  how.flags = static_cast<__u64>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const std::string relative = path.empty() ? "." : path;
  for (;;) {
    const auto fd = ::syscall(SYS_openat2, root, relative.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    // EAGAIN: a rename raced with the resolution, see openat2(2).
    const int error = errno;
    if (error == EINTR || error == EAGAIN) continue;
    if (absent) *absent = error == ENOENT || error == ENOTDIR || error == ELOOP;
    return fail_errno(error, "open " + path);
  }
}

Stamp stamp_of_stat(const struct statx& st) {
  return Stamp{.inode = st.stx_ino,
               .size = st.stx_size,
               .mtime_ns = to_ns(st.stx_mtime),
               .ctime_ns = to_ns(st.stx_ctime),
               .mode = st.stx_mode,
               .links = st.stx_nlink};
}

Kind kind_of_mode(std::uint32_t mode) {
  if (S_ISREG(mode)) return Kind::file;
  if (S_ISDIR(mode)) return Kind::directory;
  if (S_ISLNK(mode)) return Kind::symlink;
  return Kind::other;
}

Result<struct statx> stat_at(int directory, const std::string& name) {
  struct statx st{};
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.empty() ? AT_EMPTY_PATH : 0);
  if (::statx(directory, name.c_str(), flags, STATX_BASIC_STATS, &st) != 0) {
    return fail_errno(errno, "look at " + name);
  }
  return st;
}

timespec timespec_of(std::int64_t ns) {
  std::int64_t seconds = ns / 1'000'000'000;
  std::int64_t rest = ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  return {.tv_sec = static_cast<time_t>(seconds), .tv_nsec = static_cast<long>(rest)};
}

// Stamps come from the kernel's clock, so what is compared with them must too.
std::int64_t tree_clock_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

std::string descriptor_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

int rename_at(int from_directory, const std::string& from, int to_directory, const std::string& to,
              unsigned flags) {
  return ::renameat2(from_directory, from.c_str(), to_directory, to.c_str(), flags) == 0 ? 0
                                                                                         : errno;
}

Result<std::map<std::string, std::string>> read_xattrs(const std::string& path) {
  std::map<std::string, std::string> found;
  char names[65536], value[65536];  // the limits of listxattr(2) and getxattr(2)
  const ssize_t length = ::listxattr(path.c_str(), names, sizeof names);
  if (length < 0) {
    if (errno == EOPNOTSUPP) return found;
    return fail_errno(errno, "list attributes");
  }
  for (const char* at = names; at < names + length; at += std::char_traits<char>::length(at) + 1) {
    const std::string_view name = at;
    if (!name.starts_with("user.")) continue;
    const ssize_t got = ::getxattr(path.c_str(), at, value, sizeof value);
    if (got < 0 && errno == ENODATA) continue;
    if (got < 0) return fail_errno(errno, "read an attribute");
    found.emplace(name, std::string(value, static_cast<std::size_t>(got)));
  }
  return found;
}

bool same_but_ctime(const Stamp& a, const Stamp& b) {
  return a.inode == b.inode && a.size == b.size && a.mtime_ns == b.mtime_ns &&
         (a.mode & S_IFMT) == (b.mode & S_IFMT);
}

}  // namespace holdfast::syncd
