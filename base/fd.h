// Fd: a move-only file descriptor, and the few file helpers that several folders need.
// Not synchronised; reading from one Fd with pread in several threads is fine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace holdfast {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// open(2) and openat(2) with O_CLOEXEC added, EINTR retried, errno mapped.
Result<Fd> open_file(const std::string& path, int flags, unsigned mode = 0600);
Result<Fd> open_at(int directory, const std::string& path, int flags, unsigned mode = 0600);

// All of the span or an error; short reads at end of file answer fewer bytes.
Result<std::size_t> read_at(int fd, std::span<std::byte> out, std::uint64_t offset);
Result<void> write_all_at(int fd, std::span<const std::byte> data, std::uint64_t offset);
Result<void> write_all(int fd, std::span<const std::byte> data);

// Whole small files. read_file refuses files over `limit` bytes (entity_too_large).
Result<std::string> read_file(const std::string& path, std::size_t limit = 16u << 20);
// Temporary file beside it, fsync, rename, fsync of the directory: old or new, never half.
Result<void> replace_file(const std::string& path, std::string_view content, unsigned mode = 0600);

Result<void> sync_data(int fd);                        // fdatasync(2)
Result<void> sync_directory(const std::string& path);  // fsync(2) of the directory
Result<void> make_directories(const std::string& path, unsigned mode = 0700);  // mkdir -p

}  // namespace holdfast
