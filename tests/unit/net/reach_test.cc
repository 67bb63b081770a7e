#include "net/reach.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <string>

namespace holdfast::net {
namespace {

bool reaches(const std::string& text, Reach reach = Reach::not_link_local) {
  sockaddr_storage storage{};
  auto& address = reinterpret_cast<sockaddr&>(storage);
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
  } else {
    ADD_FAILURE() << text;
  }
  return may_reach(reach, address);
}

TEST(Reach, LeavesOutWhereMetadataServicesAnswer) {
  for (const char* ruled_out :
       {"169.254.169.254", "169.254.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250",
        "255.255.255.255", "::", "fe80::1", "febf::1", "ff02::1", "fd00:ec2::254",
        // the same in the clothes of IPv6
        "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::169.254.169.254"}) {
    EXPECT_FALSE(reaches(ruled_out)) << ruled_out;
    EXPECT_TRUE(reaches(ruled_out, Reach::anywhere)) << ruled_out;
  }
}

TEST(Reach, LeavesInWhatServersAndPrivateNetworksHave) {
  for (const char* allowed :
       {"127.0.0.1", "10.0.0.1", "192.168.1.1", "169.253.255.255", "170.0.0.1", "223.255.255.255",
        "240.0.0.1", "::1", "2001:db8::1", "fd00:ec3::1", "fec0::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(reaches(allowed)) << allowed;
  }
}

TEST(Reach, LeavesOutFamiliesThatItDoesNotKnow) {
  sockaddr address{};
  address.sa_family = AF_UNIX;
  EXPECT_FALSE(may_reach(Reach::not_link_local, address));
}

}  // namespace
}  // namespace holdfast::net
