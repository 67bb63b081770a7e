#include "store/blob_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace holdfast::store {
namespace {

// So much is written before the disk begins with it, rather than with all of it at the end.
constexpr std::uint64_t writeback_bytes = 2u << 20;

bool is_blob_name(std::string_view name) {
  return name.size() == 32 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

Result<void> BlobWriter::write(std::span<const std::byte> bytes) {
  if (auto written = write_all_at(file_.get(), bytes, size_); !written) return written;
  size_ += bytes.size();
  if (!sync_ || size_ - begun_ < writeback_bytes) return {};
  // sync_file_range(2): begins and does not wait. A filesystem without it loses time only.
  const auto from = static_cast<off64_t>(begun_), length = static_cast<off64_t>(size_ - begun_);
  if (::sync_file_range(file_.get(), from, length, SYNC_FILE_RANGE_WRITE) != 0 && errno != ENOSYS &&
      errno != EINVAL && errno != ESPIPE) {
    return fail_errno(errno, "write a blob back");
  }
  begun_ = size_;
  return {};
}

Result<BlobFiles> BlobFiles::open(std::string directory, bool sync) {
  BlobFiles files;
  files.directory_ = std::move(directory);
  files.sync_ = sync;
  auto made = make_directories(files.directory_);
  if (!made) return std::unexpected(made.error());
  return files;
}

std::string BlobFiles::directory_of(const std::string& name) const {
  return directory_ + "/" + name.substr(0, 2);
}

std::string BlobFiles::path_of(const std::string& name) const {
  return directory_of(name) + "/" + name;
}

Result<void> BlobFiles::make_directory(const std::string& name) const {
  const std::string path = directory_of(name);
  if (::mkdir(path.c_str(), 0700) != 0) {
    return errno == EEXIST ? Result<void>() : fail_errno(errno, "create directory " + path);
  }
  return sync_ ? sync_directory(directory_) : Result<void>();
}

Result<BlobWriter> BlobFiles::create() const {
  auto file = open_file(directory_, O_TMPFILE | O_RDWR);
  if (!file) return std::unexpected(file.error());
  BlobWriter writer;
  writer.file_ = std::move(*file);
  writer.sync_ = sync_;
  return writer;
}

Result<void> BlobFiles::finish(BlobWriter& writer, const std::string& name) const {
  HOLDFAST_CHECK(is_blob_name(name) && writer.file_.valid());
  if (sync_) {
    auto synced = sync_data(writer.file_.get());
    if (!synced) return fail_within("write a blob", synced.error());
  }
  if (auto there = make_directory(name); !there) return there;
  // AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH; the link in /proc needs nothing (open(2)).
  const std::string unnamed = fmt::format("/proc/self/fd/{}", writer.file_.get());
  const std::string path = path_of(name);
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno == EEXIST) return fail(ErrorCode::conflict, "blob {} is there already", name);
    return fail_errno(errno, "name blob " + name);
  }
  if (sync_) {
    auto synced = sync_directory(directory_of(name));
    if (!synced) {
      ::unlink(path.c_str());
      return synced;
    }
  }
  writer.file_.reset();
  return {};
}

Result<Fd> BlobFiles::open_blob(const std::string& name) const {
  if (!is_blob_name(name)) return fail(ErrorCode::corrupted, "a blob with a malformed name");
  return open_file(path_of(name), O_RDONLY);
}

Result<void> BlobFiles::remove(const std::string& name) const {
  HOLDFAST_CHECK(is_blob_name(name));
  if (::unlink(path_of(name).c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "remove blob " + name);
}

Result<std::vector<std::string>> BlobFiles::list() const {
  std::vector<std::string> names;
  std::error_code error;
  for (int i = 0; i < 256; ++i) {
    const std::string directory = fmt::format("{}/{:02x}", directory_, i);
    if (!std::filesystem::exists(directory, error)) continue;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
      auto name = at->path().filename().string();
      if (is_blob_name(name)) names.push_back(std::move(name));
    }
    if (error) return fail_errno(error.value(), "list the blobs in " + directory);
  }
  return names;
}

}  // namespace holdfast::store
