#include "control/bridge.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/fd.h"

namespace holdfast::control {
namespace {

ifreq request_for(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

Result<Fd> control_socket() {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail_errno(errno, "open a socket for the tools' bridge");
  return socket;
}

Result<void> call(int socket, unsigned long what, ifreq& request, std::string_view sentence) {
  if (ioctl(socket, what, &request) == 0) return {};
  return fail_errno(errno, sentence);
}

void set_address(ifreq& request, std::uint32_t network_order) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = network_order;
  std::memcpy(&request.ifr_addr, &address, sizeof address);
}

Result<void> set_flags(int socket, const std::string& name, short add, short take) {
  auto request = request_for(name);
  auto got = call(socket, SIOCGIFFLAGS, request, "read the flags of the bridge " + name);
  if (!got) return got;
  request.ifr_flags = static_cast<short>((request.ifr_flags | add) & ~take);
  return call(socket, SIOCSIFFLAGS, request, "set the flags of the bridge " + name);
}

}  // namespace

Result<BridgeAddress> first_host_of(const std::string& subnet) {
  const auto slash = subnet.find('/');
  in_addr base{};
  unsigned bits = 0;
  if (slash == std::string::npos ||
      inet_pton(AF_INET, subnet.substr(0, slash).c_str(), &base) != 1 ||
      std::from_chars(subnet.data() + slash + 1, subnet.data() + subnet.size(), bits).ec !=
          std::errc() ||
      bits < 8 || bits > 30) {
    return fail(ErrorCode::malformed, "the tools' network has the subnet \"{}\"", subnet);
  }
  const std::uint32_t mask = ~0u << (32 - bits);
  base.s_addr = htonl((ntohl(base.s_addr) & mask) + 1);
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &base, text, sizeof text);
  return BridgeAddress{text, bits};
}

Result<AddressRange> container_range_of(const std::string& subnet) {
  const auto host = first_host_of(subnet);
  if (!host) return std::unexpected(host.error());
  in_addr first{};
  inet_pton(AF_INET, host->address.c_str(), &first);
  const std::uint32_t hosts = (1u << (32 - host->prefix_bits)) - 2;
  const auto text = [&first](std::uint32_t above) {
    const in_addr address{.s_addr = htonl(ntohl(first.s_addr) + above)};
    char out[INET_ADDRSTRLEN] = {};
    return std::string(inet_ntop(AF_INET, &address, out, sizeof out));
  };
  return AddressRange{text(1), text(hosts - 1)};
}

Result<void> ensure_bridge(const std::string& name, const BridgeAddress& address) {
  auto socket = control_socket();
  if (!socket) return std::unexpected(socket.error());
  if (ioctl(socket->get(), SIOCBRADDBR, name.c_str()) != 0 && errno != EEXIST) {
    return fail_errno(errno, "make the tools' bridge " + name);
  }
  auto request = request_for(name);
  in_addr value{};
  inet_pton(AF_INET, address.address.c_str(), &value);
  set_address(request, value.s_addr);
  auto done = call(socket->get(), SIOCSIFADDR, request, "give the bridge " + name + " its address");
  if (!done) return done;
  request = request_for(name);
  set_address(request, htonl(~0u << (32 - address.prefix_bits)));
  done = call(socket->get(), SIOCSIFNETMASK, request, "give the bridge " + name + " its netmask");
  if (!done) return done;
  return set_flags(socket->get(), name, IFF_UP | IFF_RUNNING, 0);
}

Result<void> isolate_ports(const std::string& name) {
  std::error_code failed;
  const std::filesystem::path ports = "/sys/class/net/" + name + "/brif";
  for (const auto& port : std::filesystem::directory_iterator(ports, failed)) {
    auto file = open_file((port.path() / "isolated").string(), O_WRONLY);
    if (!file) {
      if (file.error().code == ErrorCode::not_found) continue;  // the port went meanwhile
      return fail_within("isolate the tools from each other", file.error());
    }
    auto done = write_all(file->get(), std::as_bytes(std::span("1", 1)));
    if (!done) return fail_within("isolate the tools from each other", done.error());
  }
  if (failed) {
    return fail(ErrorCode::io, "list the ports of the bridge {}: {}", name, failed.message());
  }
  return {};
}

Result<void> remove_bridge(const std::string& name) {
  auto socket = control_socket();
  if (!socket) return std::unexpected(socket.error());
  auto request = request_for(name);
  if (ioctl(socket->get(), SIOCGIFFLAGS, &request) != 0 && errno == ENODEV) return {};
  if (auto down = set_flags(socket->get(), name, 0, IFF_UP); !down) return down;
  if (ioctl(socket->get(), SIOCBRDELBR, name.c_str()) == 0 || errno == ENXIO) return {};
  return fail_errno(errno, "remove the tools' bridge " + name);
}

}  // namespace holdfast::control
