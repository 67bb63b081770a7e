#include "syncd/tree_scan.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "syncd/home_paths.h"
#include "syncd/home_tree_place.h"

namespace holdfast::syncd {
namespace {

// False when reading ended by an error.
bool read_names(int directory, std::vector<std::string>& names) {
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy >= 0 ? ::fdopendir(copy) : nullptr;
  if (!stream) {
    if (copy >= 0) ::close(copy);
    return false;
  }
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const bool whole = errno == 0;
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  return whole;
}

}  // namespace

struct TreeScan::Level {
  std::string path;
  Fd directory;
  std::vector<std::string> names;
  std::size_t at = 0;
};

TreeScan::TreeScan(const HomeTree& tree, std::string start, std::vector<std::string> exclude)
    : tree_(tree), exclude_(std::move(exclude)) {
  if (auto st = stat_at(tree_.root(), "")) {
    device_ = makedev(st->stx_dev_major, st->stx_dev_minor);
  }
  descend(start);
}

TreeScan::~TreeScan() = default;

bool TreeScan::descend(const std::string& path) {
  auto level = std::make_unique<Level>();
  level->path = path;
  auto directory = levels_.empty()
                       ? open_beneath(tree_.root(), path, O_RDONLY | O_DIRECTORY)
                       : open_at(levels_.back()->directory.get(), std::string(name_of_path(path)),
                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory || !read_names(directory->get(), level->names)) {
    // Gone meanwhile is an answer; anything else is not.
    if (directory || directory.error().code != ErrorCode::not_found) {
      complete_ = false;
      spdlog::warn("syncd: cannot read the directory {}", log_field(path));
    }
    return false;
  }
  level->directory = std::move(*directory);
  levels_.push_back(std::move(level));
  return true;
}

bool TreeScan::take(Level& level, ScanEntry& out) {
  const std::string& name = level.names[level.at++];
  out.path = level.path.empty() ? name : level.path + "/" + name;
  if (is_excluded(exclude_, out.path)) return false;
  auto st = stat_at(level.directory.get(), name);
  if (!st) {
    if (st.error().code != ErrorCode::not_found) complete_ = false;
    return false;
  }
  out.kind = kind_of_mode(st->stx_mode);
  out.stamp = stamp_of_stat(*st);
  if (makedev(st->stx_dev_major, st->stx_dev_minor) != device_) {
    // Another filesystem is mounted here: what it hides is unknown.
    complete_ = false;
    return false;
  }
  return true;
}

std::vector<ScanEntry> TreeScan::next(std::size_t limit) {
  std::vector<ScanEntry> entries;
  while (!levels_.empty() && entries.size() < limit) {
    Level& level = *levels_.back();
    if (level.at == level.names.size()) {
      levels_.pop_back();
      continue;
    }
    ScanEntry entry;
    if (!take(level, entry)) continue;
    const bool directory = entry.kind == Kind::directory;
    entries.push_back(std::move(entry));
    if (directory) descend(entries.back().path);
  }
  return entries;
}

}  // namespace holdfast::syncd
