#include "store/local_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "store/log_format.h"
#include "store/log_segments.h"

namespace holdfast::store {

std::shared_ptr<const Fd> LocalFiles::find(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, found->second);
  return found->second->second;
}

void LocalFiles::keep(const std::string& name, std::shared_ptr<const Fd> file) {
  const std::lock_guard lock(mutex_);
  if (by_name_.contains(name)) return;
  recent_.emplace_front(name, std::move(file));
  by_name_[name] = recent_.begin();
  while (recent_.size() > capacity_) {
    by_name_.erase(recent_.back().first);
    recent_.pop_back();
  }
}

Result<std::shared_ptr<const Fd>> LocalFiles::open(const Piece& piece) {
  const bool blob = piece.home == Piece::Home::blob;
  const std::string name = blob ? piece.blob : segment_file_name(piece.segment);
  if (auto known = find(name)) return known;
  auto file = blob ? blobs_.open_blob(name) : open_file(log_directory_ + "/" + name, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  auto shared = std::make_shared<const Fd>(std::move(*file));
  keep(name, shared);
  // A removed file that stayed in the cache would hold its space.
  struct stat status{};
  if (::fstat(shared->get(), &status) == 0 && status.st_nlink == 0) forget(name);
  return shared;
}

void LocalFiles::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return;
  recent_.erase(found->second);
  by_name_.erase(found);
}

Result<void> LocalFiles::remove_blob(const std::string& name) {
  // The name goes first: a reader that keeps the file meanwhile then sees that it has none.
  auto removed = blobs_.remove(name);
  forget(name);
  return removed;
}

Result<void> LocalFiles::remove_segment(std::uint64_t number) {
  const std::string path = segment_path(log_directory_, number);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "remove " + path);
  forget(segment_file_name(number));
  return sync_directory(log_directory_);
}

}  // namespace holdfast::store
