#include "net/reach.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace holdfast::net {
namespace {

bool may_reach_v4(std::uint32_t address) {  // host order
  const bool unspecified = address >> 24 == 0;
  const bool link_local = address >> 16 == 0xA9FE;  // 169.254.0.0/16
  const bool multicast = address >> 28 == 0xE;      // 224.0.0.0/4
  return !unspecified && !link_local && !multicast && address != 0xFFFFFFFF;
}

bool may_reach_v6(const in6_addr& address) {
  if (IN6_IS_ADDR_V4MAPPED(&address) || IN6_IS_ADDR_V4COMPAT(&address)) {
    if (IN6_IS_ADDR_LOOPBACK(&address)) return true;
    std::uint32_t inner = 0;
    std::memcpy(&inner, address.s6_addr + 12, sizeof inner);
    return may_reach_v4(ntohl(inner));
  }
  // fd00:ec2::/32, where Amazon's metadata service answers in IPv6.
  constexpr std::array<std::uint8_t, 4> metadata = {0xfd, 0x00, 0x0e, 0xc2};
  return !IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_LINKLOCAL(&address) &&
         !IN6_IS_ADDR_MULTICAST(&address) &&
         !std::equal(metadata.begin(), metadata.end(), address.s6_addr);
}

}  // namespace

bool may_reach(Reach reach, const sockaddr& address) {
  if (reach == Reach::anywhere) return true;
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return may_reach_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    return may_reach_v6(v6.sin6_addr);
  }
  return false;
}

}  // namespace holdfast::net
