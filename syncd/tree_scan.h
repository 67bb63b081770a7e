// TreeScan: walks a tree in tree order (a directory, then what is below it; siblings by the bytes
// of their names), openat-relative, through no symlink and no other filesystem. One thread at a
// time; next() blocks on local file work. Memory: the names of the directories on the way.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "syncd/home_tree.h"

namespace holdfast::syncd {

struct ScanEntry {
  std::string path;
  Kind kind = Kind::absent;
  Stamp stamp;
};

class TreeScan {
 public:
  // Walks what lies below `start` ("" is the whole tree), without `start` itself.
  TreeScan(const HomeTree& tree, std::string start, std::vector<std::string> exclude);
  ~TreeScan();

  // Up to `limit` entries; empty at the end. An error does not end the walk, it makes it
  // incomplete.
  std::vector<ScanEntry> next(std::size_t limit);
  // Only of use at the end: false when a directory could not be read, so absence proves nothing.
  bool complete() const { return complete_; }

 private:
  struct Level;
  bool descend(const std::string& path);
  bool take(Level& level, ScanEntry& out);

  const HomeTree& tree_;
  std::vector<std::string> exclude_;
  std::vector<std::unique_ptr<Level>> levels_;
  std::uint64_t device_ = 0;
  bool complete_ = true;
};

}  // namespace holdfast::syncd
