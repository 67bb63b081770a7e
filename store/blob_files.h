// Blob files: bodies too large for a log record, one file each, named by 32 random hex digits in a
// fan-out of 256 directories (never by a key). A blob exists whole and durable, or not at all.
// BlobFiles is thread-safe; a BlobWriter is used by one thread at a time. All of it blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace holdfast::store {

// An unnamed file until finish(); destroying it before that leaves nothing behind.
class BlobWriter {
 public:
  BlobWriter() = default;
  BlobWriter(BlobWriter&& other) noexcept = default;
  BlobWriter& operator=(BlobWriter&& other) noexcept = default;

  Result<void> write(std::span<const std::byte> bytes);
  std::uint64_t size() const { return size_; }

 private:
  friend class BlobFiles;
  Fd file_;
  std::uint64_t size_ = 0;
  bool sync_ = false;
  std::uint64_t begun_ = 0;  // the disk was told to write what lies before
};

class BlobFiles {
 public:
  // Creates the directory where it is missing; those of the fan-out come with their first blob.
  static Result<BlobFiles> open(std::string directory, bool sync);

  Result<BlobWriter> create() const;
  // Makes it durable under this name. conflict: the name is taken.
  Result<void> finish(BlobWriter& writer, const std::string& name) const;
  Result<Fd> open_blob(const std::string& name) const;  // not_found
  Result<void> remove(const std::string& name) const;   // what is not there is removed
  Result<std::vector<std::string>> list() const;

 private:
  Result<void> make_directory(const std::string& name) const;
  std::string directory_of(const std::string& name) const;
  std::string path_of(const std::string& name) const;

  std::string directory_;
  bool sync_ = true;
};

}  // namespace holdfast::store
