// Inside of home_tree*.cc: descriptors of parent directories, and stat as the engine keeps it.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "syncd/home_tree.h"

namespace holdfast::syncd {

// While it lives, what happens to the directory leaves its mtime as it was.
class KeptTime {
 public:
  explicit KeptTime(int directory);
  ~KeptTime();
  KeptTime(const KeptTime&) = delete;
  KeptTime& operator=(const KeptTime&) = delete;

 private:
  int directory_;
  bool known_ = false;
  timespec mtime_{};
};

struct HomeTree::Place {
  Fd parent;
  std::string name;
};

inline constexpr const char* marker_xattr = "user.holdfast.home";
// On our own temporary files. What lies in the state directory without it was somebody's file.
inline constexpr const char* temporary_xattr = "user.holdfast.temporary";

// `absent`, where given, tells that the name is not there (or lies below a file or a symlink).
Result<Fd> open_beneath(int root, const std::string& path, int flags, bool* absent = nullptr);
Stamp stamp_of_stat(const struct statx& st);
Kind kind_of_mode(std::uint32_t mode);
Result<struct statx> stat_at(int directory, const std::string& name);
timespec timespec_of(std::int64_t ns);
std::int64_t tree_clock_ns();
std::string descriptor_path(int fd);  // /proc/self/fd/N
int rename_at(int from_directory, const std::string& from, int to_directory, const std::string& to,
              unsigned flags);
Result<std::map<std::string, std::string>> read_xattrs(const std::string& path);
bool same_but_ctime(const Stamp& a, const Stamp& b);

}  // namespace holdfast::syncd
