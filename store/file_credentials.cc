#include "store/file_credentials.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "base/log.h"

namespace holdfast::store {
namespace {

constexpr std::size_t max_file_bytes = 64u << 10;
constexpr std::chrono::seconds look_every{1};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

}  // namespace

Result<s3::Credentials> parse_credentials(std::string_view text, std::string_view profile) {
  s3::Credentials found;
  bool inside = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
    if (line.starts_with('[') && line.ends_with(']')) {
      inside = trimmed(line.substr(1, line.size() - 2)) == profile;
      continue;
    }
    const auto equals = line.find('=');
    if (!inside || line.starts_with('#') || equals == std::string_view::npos) continue;
    const auto name = trimmed(line.substr(0, equals));
    const auto value = trimmed(line.substr(equals + 1));
    if (name == "aws_access_key_id") found.access_key = value;
    if (name == "aws_secret_access_key") found.secret_key = value;
    if (name == "aws_session_token") found.session_token = value;
  }
  if (found.access_key.empty() || found.secret_key.empty()) {
    return fail(ErrorCode::malformed,
                "there is no profile [{}] with aws_access_key_id and aws_secret_access_key",
                log_field(profile));
  }
  return found;
}

Result<FileCredentials::Seen> FileCredentials::look() const {
  struct ::stat info{};
  if (::stat(path_.c_str(), &info) != 0) return fail_errno(errno, path_);
  if ((info.st_mode & 077) != 0) {
    return fail(ErrorCode::access_denied,
                "{} holds secrets that others than its owner may read: chmod 600 {}", path_, path_);
  }
  return Seen{info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, info.st_ino,
              static_cast<std::uint64_t>(info.st_size)};
}

Result<s3::Credentials> FileCredentials::read() const {
  auto text = read_file(path_, max_file_bytes);
  if (!text) return std::unexpected(text.error());
  auto pair = parse_credentials(*text, profile_);
  if (!pair) return fail_within(path_, pair.error());
  return pair;
}

Result<std::unique_ptr<FileCredentials>> FileCredentials::open(std::string path,
                                                               std::string profile,
                                                               const Clock& clock) {
  std::unique_ptr<FileCredentials> file(
      new FileCredentials(std::move(path), std::move(profile), clock));
  auto seen = file->look();
  if (!seen) return std::unexpected(seen.error());
  auto pair = file->read();
  if (!pair) return std::unexpected(pair.error());
  file->seen_ = *seen;
  file->current_ = std::move(*pair);
  file->next_look_ = clock.monotonic() + look_every;
  return file;
}

void FileCredentials::refresh() {
  const auto now = clock_.monotonic();
  if (now < next_look_) return;
  next_look_ = now + look_every;
  const auto seen = look();
  if (seen && *seen == seen_) return;
  auto pair = seen ? read() : Result<s3::Credentials>(std::unexpected(seen.error()));
  if (!pair) {
    spdlog::warn("store: the credentials as they were are kept: {}", pair.error().context);
    return;
  }
  seen_ = *seen;
  current_ = std::move(*pair);
  spdlog::info("store: the credentials in {} were read again", path_);
}

Async<s3::Credentials> FileCredentials::credentials() {
  const std::lock_guard lock(mutex_);
  refresh();
  co_return current_;
}

}  // namespace holdfast::store
