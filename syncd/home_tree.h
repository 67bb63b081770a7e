// HomeTree: the mirror tree as the engine touches it. Every path is resolved beneath the tree's own
// descriptor and through no symlink (openat2(2)), so that nobody can lead the engine out of the
// home. Any thread; calls block on local file work only. The engine's own changes keep the mtime of
// the directory they happen in.
//
// Replacing is: a finished temporary file in the state directory, then renameat2(2) with NOREPLACE
// or EXCHANGE. What an exchange displaced is compared with what was expected; if it was something
// else, somebody wrote meanwhile, and it is kept beside as a conflict copy.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/random.h"
#include "syncd/planner.h"
#include "syncd/temporary_file.h"

namespace holdfast::syncd {

// What tells one state of a file from the next without reading it.
struct Stamp {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  std::uint32_t mode = 0;  // full st_mode
  std::uint32_t links = 0;
  bool operator==(const Stamp&) const = default;
};

struct Observed {
  Kind kind = Kind::absent;
  Stamp stamp;
  std::int64_t looked_ns = 0;  // just before the stamp was read, on the tree's clock
  bool stub = false;
  std::string stub_value;
  std::string target;                         // of a symlink
  std::map<std::string, std::string> xattrs;  // user.* but not ours
};

// Mode, times and attributes that the engine gives to what it makes.
struct Looks {
  std::uint32_t mode = 0;  // permission bits used
  std::int64_t mtime_ns = 0;
  std::map<std::string, std::string> xattrs;
};

struct Installed {
  Observed now;
  std::optional<std::string> kept;  // the conflict copy that the displaced file became
};

struct TreeOptions {
  std::string tree, state, host;
  std::uint32_t uid = 0, gid = 0;
};

class HomeTree {
 public:
  // `random` is used under a lock. Recovers what a crash left in the state directory: displaced
  // files that nobody had judged yet return as conflict copies, named in recovered().
  static Result<std::unique_ptr<HomeTree>> open(TreeOptions options, Clock& clock, Random& random);
  ~HomeTree();

  const std::vector<std::string>& recovered() const { return recovered_; }
  int root() const { return root_.get(); }
  // The id in the root's marker attribute; empty when it has none.
  Result<std::string> marker() const;
  Result<void> set_marker(std::string_view id);

  // Kind::absent when the name or a parent directory does not exist; an error is never absence.
  Result<Observed> observe(const std::string& path) const;
  Result<Fd> open_read(const std::string& path) const;
  Result<Stamp> stamp_of(int fd) const;

  // Temporary files carry the right owner, mode, times and attributes already.
  Result<TemporaryFile> make_stub(std::uint64_t size, std::string_view value, const Looks& looks);
  Result<TemporaryFile> make_file(const Looks& looks);  // then write, then finish_file
  Result<void> finish_file(TemporaryFile& file, const Looks& looks);  // times, fsync
  Result<TemporaryFile> make_symlink(const std::string& target, const Looks& looks);
  Result<TemporaryFile> make_link(const std::string& existing);

  // Puts the file at `path`. `expected` is what is there now (nullopt: nothing). already_exists or
  // not_found when it is otherwise; conflict when a directory is in the way.
  Result<Installed> install(TemporaryFile file, const std::string& path,
                            const std::optional<Stamp>& expected);
  // Removes the file that `expected` describes; another one there stays (conflict).
  Result<void> remove_file(const std::string& path, const Stamp& expected);
  // bucket_not_empty when it still has entries.
  Result<void> remove_directory(const std::string& path);
  // Makes the directory; already_exists when something is there.
  Result<Observed> make_directory(const std::string& path, const Looks& looks);
  Result<Observed> set_looks(const std::string& path, Kind kind, const Looks& looks);
  // conflict: no stub of the value `before` is there.
  Result<Observed> set_stub_value(const std::string& path, std::string_view before,
                                  std::string_view value);
  // Moves what is at `path` to a conflict name beside it; answers that name.
  Result<std::string> set_aside(const std::string& path);

  // Filling a stub in place: open, write, then finish. finish answers conflict when the file is no
  // longer the stub it was.
  Result<Fd> open_stub(const std::string& path, const Stamp& expected) const;
  Result<Stamp> finish_stub(int fd, const Stamp& before) const;
  static bool is_stub(int fd);

  // Everything done to the tree so far is durable (syncfs(2)).
  Result<void> make_durable() const;

 private:
  HomeTree(TreeOptions options, Clock& clock, Random& random)
      : options_(std::move(options)), clock_(clock), random_(random) {}
  struct Place;  // an open parent directory and a name in it
  Result<Place> place_of(const std::string& path) const;
  std::string temporary_name();
  Result<void> dress(int fd, const Looks& looks) const;
  Result<std::string> keep_displaced(const std::string& temporary, const std::string& path);
  Result<void> remember_place(const std::string& temporary, const std::string& path,
                              const Stamp& expected);
  void forget_place(const std::string& temporary);
  Result<void> recover();

  TreeOptions options_;
  Clock& clock_;
  Random& random_;
  Fd root_, temporary_;
  bool may_chown_ = false;
  std::vector<std::string> recovered_;
};

}  // namespace holdfast::syncd
