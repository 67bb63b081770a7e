#include "cli/mount_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>

#include "base/fd.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;
using Deadline = std::chrono::steady_clock::time_point;

constexpr std::size_t answer_limit = 1u << 20;

Result<Fd> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::invalid_name, "{} is too long for a socket's name", path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail_errno(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(ErrorCode::unavailable, "connect to {}: {}", path, std::strerror(errno));
  }
  return fd;
}

Result<std::string> read_line(int fd, Deadline deadline) {
  std::string line;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail(ErrorCode::timed_out, "the mount process did not answer in time");
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read from the mount process");
    if (got == 0) return fail(ErrorCode::unavailable, "the mount process went away");
    line.append(buffer, static_cast<std::size_t>(got));
    if (const auto end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
    if (line.size() > answer_limit) return fail(ErrorCode::malformed, "an endless answer");
  }
}

}  // namespace

Result<json::object> MountClient::call(const json::object& command,
                                       std::chrono::milliseconds limit) const {
  auto fd = connect_unix(socket_);
  if (!fd) return std::unexpected(fd.error());
  const std::string line = json::serialize(command) + "\n";
  auto sent = write_all(fd->get(), std::as_bytes(std::span(line)));
  if (!sent) return fail(ErrorCode::unavailable, "{}: {}", socket_, sent.error().context);
  auto answer = read_line(fd->get(), std::chrono::steady_clock::now() + limit);
  if (!answer) return std::unexpected(answer.error());
  boost::system::error_code error;
  auto value = json::parse(*answer, error);
  if (error || !value.is_object()) {
    return fail(ErrorCode::malformed, "{} answered something that is no JSON object", socket_);
  }
  return std::move(value.get_object());
}

}  // namespace holdfast::cli
