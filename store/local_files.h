// What the local store's files look like from outside the writer: open descriptors of segments and
// blobs, kept for a while and shared with readers; blobs that nothing refers to yet. Thread-safe.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "store/blob_files.h"
#include "store/log_record.h"

namespace holdfast::store {

class LocalFiles {
 public:
  // Keeps at most `capacity` files open beside those that readers hold.
  LocalFiles(BlobFiles blobs, std::string log_directory, std::size_t capacity)
      : blobs_(std::move(blobs)), log_directory_(std::move(log_directory)), capacity_(capacity) {}

  const BlobFiles& blobs() const { return blobs_; }
  // The file that holds the piece; not_found when it was removed meanwhile.
  Result<std::shared_ptr<const Fd>> open(const Piece& piece);
  // The blob's name and our descriptor go; readers keep theirs.
  Result<void> remove_blob(const std::string& name);
  // Likewise a log segment, durably.
  Result<void> remove_segment(std::uint64_t number);

 private:
  using Entry = std::pair<std::string, std::shared_ptr<const Fd>>;

  std::shared_ptr<const Fd> find(const std::string& name);
  void forget(const std::string& name);
  void keep(const std::string& name, std::shared_ptr<const Fd> file);

  BlobFiles blobs_;
  std::string log_directory_;
  std::size_t capacity_;
  std::mutex mutex_;
  std::list<Entry> recent_;  // most recent first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_name_;
};

// A blob that is durable but not yet in the log: removed again unless kept.
class PendingBlob {
 public:
  PendingBlob() = default;
  PendingBlob(LocalFiles& files, std::string name) : files_(&files), name_(std::move(name)) {}
  PendingBlob(PendingBlob&& other) noexcept
      : files_(std::exchange(other.files_, nullptr)), name_(std::move(other.name_)) {}
  PendingBlob& operator=(PendingBlob&& other) noexcept {
    std::swap(files_, other.files_);
    std::swap(name_, other.name_);
    return *this;
  }
  ~PendingBlob() {
    if (files_) (void)files_->remove_blob(name_);
  }
  void keep() { files_ = nullptr; }

 private:
  LocalFiles* files_ = nullptr;
  std::string name_;
};

}  // namespace holdfast::store
