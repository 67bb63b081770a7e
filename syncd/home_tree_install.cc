// Temporary files and how they take a name, or what had one is taken away.
#include <dirent.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "syncd/home_engine.h"
#include "syncd/home_paths.h"
#include "syncd/home_tree.h"
#include "syncd/home_tree_place.h"

namespace holdfast::syncd {
namespace {

constexpr std::string_view place_suffix = ".path";

// What is expected to be displaced, as one line before the path.
std::string place_stamp(const Stamp& stamp) {
  return fmt::format("{} {} {} {}\n", stamp.inode, stamp.size, stamp.mtime_ns, stamp.mode & S_IFMT);
}

std::vector<std::string> names_in(int directory) {
  std::vector<std::string> names;
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy >= 0 ? ::fdopendir(copy) : nullptr;
  if (!stream) return names;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(stream);
  return names;
}

}  // namespace

TemporaryFile::~TemporaryFile() {
  if (!name_.empty()) ::unlinkat(directory_, name_.c_str(), 0);
}

Result<std::unique_ptr<HomeTree>> HomeTree::open(TreeOptions options, Clock& clock,
                                                 Random& random) {
  std::unique_ptr<HomeTree> tree(new HomeTree(std::move(options), clock, random));
  auto root = open_file(tree->options_.tree, O_RDONLY | O_DIRECTORY);
  if (!root) return fail_within("open the home's tree", root.error());
  const std::string temporary = tree->options_.state + "/tmp";
  if (auto made = make_directories(temporary); !made) return std::unexpected(made.error());
  auto directory = open_file(temporary, O_RDONLY | O_DIRECTORY);
  if (!directory) return std::unexpected(directory.error());
  auto here = stat_at(root->get(), "");
  auto there = stat_at(directory->get(), "");
  if (!here) return std::unexpected(here.error());
  if (!there) return std::unexpected(there.error());
  if (here->stx_dev_major != there->stx_dev_major || here->stx_dev_minor != there->stx_dev_minor) {
    return fail(ErrorCode::invalid_argument,
                "the state directory {} must be on the filesystem of the tree {}",
                tree->options_.state, tree->options_.tree);
  }
  tree->root_ = std::move(*root);
  tree->temporary_ = std::move(*directory);
  tree->may_chown_ = ::geteuid() == 0;
  if (auto done = tree->recover(); !done) return std::unexpected(done.error());
  return tree;
}

std::string HomeTree::temporary_name() { return random_.hex(12); }

Result<void> HomeTree::dress(int fd, const Looks& looks) const {
  if (may_chown_) (void)::fchown(fd, options_.uid, options_.gid);
  if (::fchmod(fd, looks.mode & 07777) != 0) return fail_errno(errno, "set a mode");
  for (const auto& [name, value] : looks.xattrs) {
    ::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0);
  }
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, timespec_of(looks.mtime_ns)};
  if (::futimens(fd, times) != 0) return fail_errno(errno, "set a time");
  return {};
}

Result<TemporaryFile> HomeTree::make_file(const Looks& looks) {
  const std::string name = temporary_name();
  auto fd = open_at(temporary_.get(), name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!fd) return std::unexpected(fd.error());
  TemporaryFile file(temporary_.get(), name, std::move(*fd));
  if (::fsetxattr(file.fd(), temporary_xattr, "1", 1, 0) != 0) {
    return fail_errno(errno, "mark a temporary file");
  }
  if (auto done = dress(file.fd(), looks); !done) return std::unexpected(done.error());
  return file;
}

Result<TemporaryFile> HomeTree::make_stub(std::uint64_t size, std::string_view value,
                                          const Looks& looks) {
  auto file = make_file(looks);
  if (!file) return file;
  if (::ftruncate(file->fd(), static_cast<off_t>(size)) != 0) {
    return fail_errno(errno, "make a stub");
  }
  if (::fsetxattr(file->fd(), stub_xattr, value.data(), value.size(), 0) != 0) {
    return fail_errno(errno, "mark a stub");
  }
  if (auto done = dress(file->fd(), looks); !done) return std::unexpected(done.error());
  return file;
}

Result<void> HomeTree::finish_file(TemporaryFile& file, const Looks& looks) {
  if (auto done = dress(file.fd(), looks); !done) return done;
  if (::fsync(file.fd()) != 0) return fail_errno(errno, "fsync a download");
  return {};
}

Result<TemporaryFile> HomeTree::make_symlink(const std::string& target, const Looks& looks) {
  const std::string name = temporary_name();
  if (::symlinkat(target.c_str(), temporary_.get(), name.c_str()) != 0) {
    return fail_errno(errno, "make a symlink");
  }
  TemporaryFile file(temporary_.get(), name, Fd());
  if (may_chown_) {
    (void)::fchownat(temporary_.get(), name.c_str(), options_.uid, options_.gid,
                     AT_SYMLINK_NOFOLLOW);
  }
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, timespec_of(looks.mtime_ns)};
  ::utimensat(temporary_.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  return file;
}

Result<TemporaryFile> HomeTree::make_link(const std::string& existing) {
  auto place = place_of(existing);
  if (!place) return std::unexpected(place.error());
  const std::string name = temporary_name();
  if (::linkat(place->parent.get(), place->name.c_str(), temporary_.get(), name.c_str(), 0) != 0) {
    return fail_errno(errno, "link " + existing);
  }
  return TemporaryFile(temporary_.get(), name, Fd());
}

// Written before a name may come into the state directory that is not ours, so that a crash right
// then can still say where it belongs.
Result<void> HomeTree::remember_place(const std::string& temporary, const std::string& path,
                                      const Stamp& expected) {
  auto fd = open_at(temporary_.get(), temporary + std::string(place_suffix),
                    O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!fd) return std::unexpected(fd.error());
  const std::string text = place_stamp(expected) + path;
  return write_all(fd->get(), std::as_bytes(std::span(text)));
}

void HomeTree::forget_place(const std::string& temporary) {
  ::unlinkat(temporary_.get(), (temporary + std::string(place_suffix)).c_str(), 0);
}

Result<std::string> HomeTree::keep_displaced(const std::string& temporary,
                                             const std::string& path) {
  for (unsigned attempt = 1; attempt <= 100; ++attempt) {
    std::string name = conflict_path(path, options_.host, clock_.now(), attempt);
    auto place = place_of(name);
    if (!place) {
      // The directory it lay in is gone: the home itself takes it.
      name = std::string(name_of_path(name));
      place = place_of(name);
    }
    if (!place) return std::unexpected(place.error());
    const int error =
        rename_at(temporary_.get(), temporary, place->parent.get(), place->name, RENAME_NOREPLACE);
    if (error == 0) return name;
    if (error != EEXIST) return fail_errno(error, "keep a conflict copy of " + path);
  }
  return fail(ErrorCode::already_exists, "keep a conflict copy of {}: no free name", path);
}

Result<Installed> HomeTree::install(TemporaryFile file, const std::string& path,
                                    const std::optional<Stamp>& expected) {
  auto place = place_of(path);
  if (!place) return std::unexpected(place.error());
  Installed result;
  const std::string temporary = file.name();
  const bool regular = file.fd() >= 0;
  {
    KeptTime kept(place->parent.get());
    if (expected) {
      if (auto done = remember_place(temporary, path, *expected); !done)
        return std::unexpected(done.error());
    }
    const int error = rename_at(temporary_.get(), temporary, place->parent.get(), place->name,
                                expected ? RENAME_EXCHANGE : RENAME_NOREPLACE);
    if (error != 0) {
      if (expected) forget_place(temporary);
      return fail_errno(error, "put in place " + path);
    }
    file.release();
    if (regular) ::fremovexattr(file.fd(), temporary_xattr);
    if (expected) {
      auto displaced = stat_at(temporary_.get(), temporary);
      if (!displaced) return std::unexpected(displaced.error());
      if (same_but_ctime(stamp_of_stat(*displaced), *expected)) {
        ::unlinkat(temporary_.get(), temporary.c_str(), 0);
      } else {
        auto copy = keep_displaced(temporary, path);
        if (!copy) return std::unexpected(copy.error());
        result.kept = std::move(*copy);
      }
      forget_place(temporary);
    }
  }
  auto now = observe(path);
  if (!now) return std::unexpected(now.error());
  result.now = std::move(*now);
  return result;
}

Result<void> HomeTree::remove_file(const std::string& path, const Stamp& expected) {
  auto place = place_of(path);
  if (!place) return std::unexpected(place.error());
  KeptTime kept(place->parent.get());
  const std::string temporary = temporary_name();
  if (auto done = remember_place(temporary, path, expected); !done) return done;
  const int error =
      rename_at(place->parent.get(), place->name, temporary_.get(), temporary, RENAME_NOREPLACE);
  if (error != 0) {
    forget_place(temporary);
    return fail_errno(error, "remove " + path);
  }
  auto taken = stat_at(temporary_.get(), temporary);
  if (taken && same_but_ctime(stamp_of_stat(*taken), expected)) {
    ::unlinkat(temporary_.get(), temporary.c_str(), 0);
    forget_place(temporary);
    return {};
  }
  // Somebody wrote between look and removal: it goes back.
  if (rename_at(temporary_.get(), temporary, place->parent.get(), place->name, RENAME_NOREPLACE)) {
    if (auto copy = keep_displaced(temporary, path); !copy) return std::unexpected(copy.error());
  }
  forget_place(temporary);
  return fail(ErrorCode::conflict, "remove {}: it changed meanwhile", path);
}

Result<std::string> HomeTree::set_aside(const std::string& path) {
  auto place = place_of(path);
  if (!place) return std::unexpected(place.error());
  KeptTime kept(place->parent.get());
  for (unsigned attempt = 1; attempt <= 100; ++attempt) {
    std::string name = conflict_path(path, options_.host, clock_.now(), attempt);
    const int error = rename_at(place->parent.get(), place->name, place->parent.get(),
                                std::string(name_of_path(name)), RENAME_NOREPLACE);
    if (error == 0) return name;
    if (error != EEXIST) return fail_errno(error, "set aside " + path);
  }
  return fail(ErrorCode::already_exists, "set aside {}: no free name", path);
}

Result<void> HomeTree::recover() {
  const auto names = names_in(temporary_.get());
  for (const auto& name : names) {
    if (name.ends_with(place_suffix)) continue;
    char value[8];
    Fd fd(::openat(temporary_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    const bool ours = fd.valid() && ::getxattr(descriptor_path(fd.get()).c_str(), temporary_xattr,
                                               value, sizeof value) >= 0;
    const std::string place_file = options_.state + "/tmp/" + name + std::string(place_suffix);
    auto text = read_file(place_file, 65536);
    auto st = stat_at(temporary_.get(), name);
    const bool expected = text && st && text->starts_with(place_stamp(stamp_of_stat(*st)));
    if (ours || !text || expected || text->find('\n') == std::string::npos) {
      ::unlinkat(temporary_.get(), name.c_str(), 0);
      continue;
    }
    auto copy = keep_displaced(name, text->substr(text->find('\n') + 1));
    if (!copy) return std::unexpected(copy.error());
    spdlog::warn("syncd: an interrupted replacement left a file, kept as {}", log_field(*copy));
    recovered_.push_back(std::move(*copy));
  }
  for (const auto& name : names) {
    if (name.ends_with(place_suffix)) ::unlinkat(temporary_.get(), name.c_str(), 0);
  }
  return {};
}

}  // namespace holdfast::syncd
