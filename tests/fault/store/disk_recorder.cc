#include "tests/fault/store/disk_recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace holdfast::store {
namespace {

using Loss = DiskRecorder::Loss;
using Kind = DiskOp::Kind;

constexpr std::size_t sector = 512;

std::atomic<DiskRecorder*>& current() {
  static std::atomic<DiskRecorder*> recorder{nullptr};
  return recorder;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(std::string& content, std::uint64_t offset, std::string_view data) {
  if (content.size() < offset + data.size()) content.resize(offset + data.size(), '\0');
  std::memcpy(content.data() + offset, data.data(), data.size());
}

// One write of which any sectors may have reached the disk.
void put_some(std::string& content, const DiskOp& op, int luck, std::mt19937_64& dice) {
  if (luck == 0) return;
  if (luck == 1) return put(content, op.offset, op.data);
  for (std::uint64_t at = op.offset; at < op.offset + op.data.size();) {
    const auto end =
        std::min<std::uint64_t>((at / sector + 1) * sector, op.offset + op.data.size());
    if (dice() % 2 == 0) {
      put(content, at, std::string_view(op.data).substr(at - op.offset, end - at));
    }
    at = end;
  }
}

}  // namespace

DiskRecorder* DiskRecorder::active() { return current().load(); }

DiskRecorder::DiskRecorder(std::string root) : root_(std::move(root)) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
    const std::string name = relative(entry.path().string());
    if (entry.is_directory()) {
      first_directories_.push_back(name);
      continue;
    }
    first_contents_[next_file_] = read_whole(entry.path().string());
    first_names_[name] = next_file_++;
  }
  std::ranges::sort(first_directories_);
  names_ = first_names_;
  // What is open already is written to, too.
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (!gone) opened(std::stoi(entry.path().filename().string()), target.string(), false);
  }
  if (current().exchange(this) != nullptr) std::abort();
}

DiskRecorder::~DiskRecorder() { current() = nullptr; }

bool DiskRecorder::below(const std::string& path) const {
  return path.size() > root_.size() + 1 && path.starts_with(root_) && path[root_.size()] == '/';
}

std::size_t DiskRecorder::now() const {
  const std::scoped_lock lock(mutex_);
  return operations_.size();
}

void DiskRecorder::opened(int fd, const std::string& path, bool created) {
  open_files_.erase(fd);
  open_directories_.erase(fd);
  struct stat status{};
  if (::fstat(fd, &status) != 0) return;
  if (S_ISDIR(status.st_mode)) {
    if (path == root_) open_directories_[fd] = "";
    if (below(path)) open_directories_[fd] = relative(path);
    return;
  }
  // An unnamed file (O_TMPFILE) is opened by its directory's path.
  const bool unnamed = status.st_nlink == 0;
  if (!below(path) && !(unnamed && path == root_)) return;
  if (unnamed) {
    open_files_[fd] = next_file_++;
    return;
  }
  const std::string name = relative(path);
  const auto known = names_.find(name);
  if (known != names_.end()) {
    open_files_[fd] = known->second;
    return;
  }
  if (!created) return;
  names_[name] = next_file_;
  open_files_[fd] = next_file_;
  add({.kind = Kind::name, .file = next_file_++, .path = name});
}

void DiskRecorder::closed(int fd) {
  open_files_.erase(fd);
  open_directories_.erase(fd);
}

void DiskRecorder::wrote(int fd, const void* data, std::size_t bytes, std::uint64_t offset) {
  const auto file = open_files_.find(fd);
  if (file == open_files_.end() || bytes == 0) return;
  add({.kind = Kind::write,
       .file = file->second,
       .offset = offset,
       .data = std::string(static_cast<const char*>(data), bytes)});
}

void DiskRecorder::truncated(int fd, std::uint64_t size) {
  const auto file = open_files_.find(fd);
  if (file == open_files_.end()) return;
  add({.kind = Kind::truncate, .file = file->second, .offset = size});
}

void DiskRecorder::synced(int fd) {
  if (const auto file = open_files_.find(fd); file != open_files_.end()) {
    add({.kind = Kind::sync, .file = file->second});
  } else if (const auto found = open_directories_.find(fd); found != open_directories_.end()) {
    add({.kind = Kind::sync_directory, .path = found->second});
  }
}

void DiskRecorder::linked(int fd, const std::string& path) {
  const auto file = open_files_.find(fd);
  if (file == open_files_.end() || !below(path)) return;
  names_[relative(path)] = file->second;
  add({.kind = Kind::name, .file = file->second, .path = relative(path)});
}

void DiskRecorder::renamed(const std::string& from, const std::string& to) {
  if (!below(from) || !below(to)) return;
  const auto found = names_.find(relative(from));
  if (found == names_.end()) return;
  if (parent_of(from) != parent_of(to)) std::abort();  // the model knows one directory at a time
  const auto file = found->second;
  names_.erase(found);
  names_[relative(to)] = file;
  // One change of the directory: "name" of a path with a second path in `data` takes that away.
  add({.kind = Kind::name, .file = file, .data = relative(from), .path = relative(to)});
}

void DiskRecorder::removed(const std::string& path) {
  if (!below(path) || names_.erase(relative(path)) == 0) return;
  add({.kind = Kind::unname, .path = relative(path)});
}

void DiskRecorder::made_directory(const std::string& path) {
  if (below(path)) add({.kind = Kind::make_directory, .path = relative(path)});
}

std::string DiskRecorder::instant(std::size_t operation) const {
  const DiskOp& op = operations_[operation];
  // A file's kind is told by the first directory of any name that it ever has.
  std::string path = op.path;
  for (const auto& [name, file] : first_names_) {
    if (path.empty() && op.file != 0 && file == op.file) path = name;
  }
  for (const auto& other : operations_) {
    if (path.empty() && op.file != 0 && other.kind == Kind::name && other.file == op.file)
      path = other.path;
  }
  std::string what = path.substr(0, path.find('/'));
  if (what == "blobs") what = "blob";
  if (what == "index" && path.ends_with("-wal")) what = "index journal";
  switch (op.kind) {
    case Kind::write:
      return what + " written";
    case Kind::truncate:
      return what + " cut";
    case Kind::sync:
      return what + " durable";
    case Kind::name:
      return what + " named";
    case Kind::unname:
      return what + " removed";
    case Kind::make_directory:
      return what + " directory made";
    case Kind::sync_directory:
      return what + " directory durable";
  }
  return what;
}

// What a power cut leaves of the first `moment` operations.
struct DiskRecorder::Image {
  std::map<std::string, std::uint64_t> names;
  std::map<std::uint64_t, std::string> contents;
  std::set<std::string> directories;

  void apply_name(const DiskOp& op) {
    if (op.kind == Kind::make_directory) {
      directories.insert(op.path);
    } else if (op.kind == Kind::unname) {
      names.erase(op.path);
    } else {
      if (!op.data.empty()) names.erase(op.data);
      names[op.path] = op.file;
    }
  }

  // What lies in a directory that is not there is not there either.
  bool reachable(const std::string& path) const {
    const auto parent = parent_of(path);
    return parent.empty() || (directories.contains(parent) && reachable(parent));
  }
};

void DiskRecorder::write_image(const std::string& directory, std::size_t moment, Loss loss,
                               std::mt19937_64& dice) const {
  const std::scoped_lock lock(mutex_);
  Image image{
      first_names_, first_contents_, {first_directories_.begin(), first_directories_.end()}};
  std::unordered_map<std::uint64_t, std::size_t> file_durable;
  std::unordered_map<std::string, std::size_t> directory_durable;
  std::unordered_map<std::string, std::size_t> changes_left;  // that may survive, a directory
  for (std::size_t i = 0; i < moment; ++i) {
    if (operations_[i].kind == Kind::sync) file_durable[operations_[i].file] = i;
    if (operations_[i].kind == Kind::sync_directory) directory_durable[operations_[i].path] = i;
  }
  const int luck = static_cast<int>(dice() % 3);
  for (std::size_t i = 0; i < moment; ++i) {
    const DiskOp& op = operations_[i];
    if (op.kind == Kind::sync || op.kind == Kind::sync_directory) continue;
    if (op.kind == Kind::write || op.kind == Kind::truncate) {
      const auto durable = file_durable.find(op.file);
      const bool kept =
          loss == Loss::nothing || (durable != file_durable.end() && i < durable->second);
      if (!kept && loss == Loss::unsynced) continue;
      std::string& content = image.contents[op.file];
      if (op.kind == Kind::truncate) {
        if (kept || dice() % 2 == 0) content.resize(op.offset, '\0');
      } else {
        put_some(content, op, kept ? 1 : static_cast<int>(luck == 2 ? dice() % 3 : dice() % 2),
                 dice);
      }
      continue;
    }
    const std::string parent = parent_of(op.path);
    const auto durable = directory_durable.find(parent);
    const bool kept =
        loss == Loss::nothing || (durable != directory_durable.end() && i < durable->second);
    if (!kept) {
      // A beginning of the changes, in order: once one is lost, so are those after it.
      auto [left, fresh] =
          changes_left.try_emplace(parent, loss == Loss::unsynced ? 0 : dice() % 8);
      if (left->second == 0) continue;
      --left->second;
    }
    image.apply_name(op);
  }
  std::filesystem::create_directories(directory);
  for (const auto& made : image.directories) {
    if (image.reachable(made)) std::filesystem::create_directories(directory + "/" + made);
  }
  for (const auto& [name, file] : image.names) {
    if (!image.reachable(name)) continue;
    std::ofstream out(directory + "/" + name, std::ios::binary);
    const auto& content = image.contents[file];
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
  }
}

}  // namespace holdfast::store
