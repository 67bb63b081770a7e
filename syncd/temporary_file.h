// TemporaryFile: a file that the engine makes in the state directory before it takes a name in the
// tree. Move-only; one thread at a time.
#pragma once

#include <string>
#include <utility>

#include "base/fd.h"

namespace holdfast::syncd {

// A finished or growing file of our own in the state directory; removed unless installed.
class TemporaryFile {
 public:
  TemporaryFile(int directory, std::string name, Fd fd)
      : directory_(directory), name_(std::move(name)), fd_(std::move(fd)) {}
  TemporaryFile(TemporaryFile&& other) noexcept
      : directory_(other.directory_), name_(std::move(other.name_)), fd_(std::move(other.fd_)) {
    other.name_.clear();
  }
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile();
  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }
  void release() { name_.clear(); }

 private:
  int directory_;
  std::string name_;
  Fd fd_;  // of a regular file only
};

}  // namespace holdfast::syncd
