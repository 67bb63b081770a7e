// Which addresses a client may connect to. Judged on the address itself at the moment of the
// connection, whatever a name resolved to before. Pure; any thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>

namespace holdfast::net {

enum class Reach : std::uint8_t {
  anywhere,
  // Not link-local, unspecified or multicast: there the metadata services of clouds answer, which
  // hand out credentials. For addresses that come from a configuration or a person.
  not_link_local,
};

bool may_reach(Reach reach, const sockaddr& address);

}  // namespace holdfast::net
