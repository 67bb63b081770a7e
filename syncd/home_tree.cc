#include "syncd/home_tree.h"

#include <dirent.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "syncd/home_engine.h"
#include "syncd/home_paths.h"
#include "syncd/home_tree_place.h"

namespace holdfast::syncd {
namespace {

constexpr std::string_view our_xattrs = "user.holdfast.";

// The attributes of an open (perhaps O_PATH) descriptor, ours told apart.
Result<void> fill_attributes(const std::string& descriptor, Observed& observed) {
  auto all = read_xattrs(descriptor);
  if (!all) return std::unexpected(all.error());
  for (auto& [name, value] : *all) {
    if (name == stub_xattr) {
      observed.stub = true;
      observed.stub_value = value;
    } else if (!name.starts_with(our_xattrs)) {
      observed.xattrs.emplace(name, std::move(value));
    }
  }
  return {};
}

Result<std::string> link_target(int directory, const std::string& name) {
  std::string target(65536, '\0');
  const ssize_t got = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  if (got < 0) return fail_errno(errno, "read the link " + name);
  target.resize(static_cast<std::size_t>(got));
  return target;
}

}  // namespace

HomeTree::~HomeTree() = default;

Result<HomeTree::Place> HomeTree::place_of(const std::string& path) const {
  auto parent = open_beneath(root_.get(), std::string(parent_of(path)), O_RDONLY | O_DIRECTORY);
  if (!parent) return std::unexpected(parent.error());
  return Place{std::move(*parent), std::string(name_of_path(path))};
}

Result<std::string> HomeTree::marker() const {
  char value[256];
  const ssize_t got = ::fgetxattr(root_.get(), marker_xattr, value, sizeof value);
  if (got >= 0) return std::string(value, static_cast<std::size_t>(got));
  if (errno == ENODATA) return std::string();
  return fail_errno(errno, "read the marker of the home " + options_.tree);
}

Result<void> HomeTree::set_marker(std::string_view id) {
  if (::fsetxattr(root_.get(), marker_xattr, id.data(), id.size(), 0) == 0) return {};
  return fail_errno(
      errno, "mark the home " + options_.tree + " (its filesystem must keep extended attributes)");
}

Result<Observed> HomeTree::observe(const std::string& path) const {
  Observed observed;
  observed.looked_ns = tree_clock_ns();
  bool absent = false;
  auto parent =
      open_beneath(root_.get(), std::string(parent_of(path)), O_PATH | O_DIRECTORY, &absent);
  if (!parent && absent) return observed;
  if (!parent) return std::unexpected(parent.error());
  const std::string name(name_of_path(path));
  Fd fd(::openat(parent->get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return observed;
    return fail_errno(errno, "look at " + path);
  }
  auto st = stat_at(fd.get(), "");
  if (!st) return std::unexpected(st.error());
  observed.stamp = stamp_of_stat(*st);
  observed.kind = kind_of_mode(st->stx_mode);
  if (observed.kind == Kind::symlink) {
    auto target = link_target(fd.get(), "");
    if (!target) return std::unexpected(target.error());
    observed.target = std::move(*target);
  } else if (observed.kind != Kind::other) {
    auto filled = fill_attributes(descriptor_path(fd.get()), observed);
    if (!filled) return std::unexpected(filled.error());
  }
  return observed;
}

Result<Fd> HomeTree::open_read(const std::string& path) const {
  return open_beneath(root_.get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

Result<Stamp> HomeTree::stamp_of(int fd) const {
  auto st = stat_at(fd, "");
  if (!st) return std::unexpected(st.error());
  return stamp_of_stat(*st);
}

Result<Fd> HomeTree::open_stub(const std::string& path, const Stamp& expected) const {
  // A mode without the write bit must not keep an unprivileged engine from filling its own stub.
  auto fd = open_beneath(root_.get(), path, O_RDWR);
  if (!fd) return fd;
  auto now = stamp_of(fd->get());
  if (!now) return std::unexpected(now.error());
  if (now->inode != expected.inode || now->size != expected.size) {
    return fail(ErrorCode::conflict, "fill {}: it changed meanwhile", path);
  }
  return fd;
}

bool HomeTree::is_stub(int fd) { return ::fgetxattr(fd, stub_xattr, nullptr, 0) >= 0; }

Result<Stamp> HomeTree::finish_stub(int fd, const Stamp& before) const {
  auto now = stamp_of(fd);
  if (!now) return std::unexpected(now.error());
  if (!is_stub(fd) || now->size != before.size) {
    return fail(ErrorCode::conflict, "fill a stub: it changed meanwhile");
  }
  if (::fdatasync(fd) != 0) return fail_errno(errno, "fill a stub: fdatasync");
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, timespec_of(before.mtime_ns)};
  if (::futimens(fd, times) != 0) return fail_errno(errno, "fill a stub: set its time");
  if (::fremovexattr(fd, stub_xattr) != 0) return fail_errno(errno, "fill a stub: unmark it");
  return stamp_of(fd);
}

Result<void> HomeTree::make_durable() const {
  if (::syncfs(root_.get()) != 0) return fail_errno(errno, "make the home durable (syncfs)");
  return {};
}

Result<Observed> HomeTree::make_directory(const std::string& path, const Looks& looks) {
  auto place = place_of(path);
  if (!place) return std::unexpected(place.error());
  {
    KeptTime kept(place->parent.get());
    if (::mkdirat(place->parent.get(), place->name.c_str(), 0700) != 0) {
      return fail_errno(errno, "make the directory " + path);
    }
  }
  return set_looks(path, Kind::directory, looks);
}

Result<Observed> HomeTree::set_looks(const std::string& path, Kind kind, const Looks& looks) {
  auto place = place_of(path);
  if (!place) return std::unexpected(place.error());
  Fd fd(::openat(place->parent.get(), place->name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "look at " + path);
  auto st = stat_at(fd.get(), "");
  if (!st) return std::unexpected(st.error());
  if (kind_of_mode(st->stx_mode) != kind) {
    return fail(ErrorCode::conflict, "set the attributes of {}: it changed meanwhile", path);
  }
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, timespec_of(looks.mtime_ns)};
  if (kind == Kind::symlink) {
    if (may_chown_) {
      (void)::fchownat(place->parent.get(), place->name.c_str(), options_.uid, options_.gid,
                       AT_SYMLINK_NOFOLLOW);
    }
    ::utimensat(place->parent.get(), place->name.c_str(), times, AT_SYMLINK_NOFOLLOW);
    return observe(path);
  }
  const std::string by_descriptor = descriptor_path(fd.get());
  if (may_chown_) (void)::chown(by_descriptor.c_str(), options_.uid, options_.gid);
  if (::chmod(by_descriptor.c_str(), looks.mode & 07777) != 0) {
    return fail_errno(errno, "set the mode of " + path);
  }
  auto present = read_xattrs(by_descriptor);
  if (!present) return std::unexpected(present.error());
  for (const auto& [name, value] : *present) {
    if (!name.starts_with(our_xattrs) && !looks.xattrs.contains(name)) {
      ::removexattr(by_descriptor.c_str(), name.c_str());
    }
  }
  for (const auto& [name, value] : looks.xattrs) {
    ::setxattr(by_descriptor.c_str(), name.c_str(), value.data(), value.size(), 0);
  }
  if (::utimensat(AT_FDCWD, by_descriptor.c_str(), times, 0) != 0) {
    return fail_errno(errno, "set the time of " + path);
  }
  return observe(path);
}

Result<Observed> HomeTree::set_stub_value(const std::string& path, std::string_view before,
                                          std::string_view value) {
  auto fd = open_beneath(root_.get(), path, O_PATH | O_NOFOLLOW);
  if (!fd) return std::unexpected(fd.error());
  const std::string by_descriptor = descriptor_path(fd->get());
  std::string present(before.size() + 1, '\0');
  const auto length = ::getxattr(by_descriptor.c_str(), stub_xattr, present.data(), present.size());
  if (length < 0 ||
      std::string_view(present).substr(0, static_cast<std::size_t>(length)) != before) {
    return fail(ErrorCode::conflict, "mark the stub {}: it changed meanwhile", path);
  }
  // XATTR_REPLACE: a file that was filled meanwhile must not become a stub again.
  if (::setxattr(by_descriptor.c_str(), stub_xattr, value.data(), value.size(), XATTR_REPLACE) !=
      0) {
    return fail_errno(errno, "mark the stub " + path);
  }
  return observe(path);
}

Result<void> HomeTree::remove_directory(const std::string& path) {
  auto place = place_of(path);
  if (!place) return std::unexpected(place.error());
  KeptTime kept(place->parent.get());
  if (::unlinkat(place->parent.get(), place->name.c_str(), AT_REMOVEDIR) == 0) return {};
  if (errno == ENOTEMPTY || errno == EEXIST) {
    return fail(ErrorCode::bucket_not_empty, "remove the directory {}: it is not empty", path);
  }
  return fail_errno(errno, "remove the directory " + path);
}

}  // namespace holdfast::syncd
