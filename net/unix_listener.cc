#include "net/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"

namespace holdfast::net {
namespace {

using boost::asio::ip::tcp;

constexpr int backlog = 4096;  // a connect beyond it fails at once

Result<Fd> make_socket() {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno(errno, "socket");
  return fd;
}

}  // namespace

Result<tcp::acceptor> open_unix_acceptor(boost::asio::io_context& context,
                                         const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::invalid_name, "listen on {}: a socket's path has 1 to {} bytes", path,
                sizeof address.sun_path - 1);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);

  auto probe = make_socket();
  if (!probe) return std::unexpected(probe.error());
  if (::connect(probe->get(), name, sizeof address) == 0) {
    return fail(ErrorCode::conflict, "listen on {}: another process serves it", path);
  }
  ::unlink(path.c_str());

  auto fd = make_socket();
  if (!fd) return std::unexpected(fd.error());
  // The mode must be right from the moment the name exists.
  if (::fchmod(fd->get(), 0600) != 0) return fail_errno(errno, "chmod " + path);
  if (::bind(fd->get(), name, sizeof address) != 0) return fail_errno(errno, "listen on " + path);
  if (::chmod(path.c_str(), 0600) != 0) return fail_errno(errno, "chmod " + path);
  if (::listen(fd->get(), backlog) != 0) return fail_errno(errno, "listen on " + path);
  tcp::acceptor acceptor(context);
  boost::system::error_code error;
  acceptor.assign(tcp::v4(), fd->get(), error);
  if (error) return fail_errno(error.value(), "listen on " + path);
  fd->release();
  return acceptor;
}

}  // namespace holdfast::net
