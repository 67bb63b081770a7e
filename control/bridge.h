// The host's side of the tools' bridge: made before the first tool, with the address on which serve
// listens for S3 (netdevice(7), ioctls; needs CAP_NET_ADMIN). Blocking but short; any thread.
#pragma once

#include <string>

#include "base/error.h"

namespace holdfast::control {

struct BridgeAddress {
  std::string address;  // "10.89.0.1"
  unsigned prefix_bits = 24;
};

// "10.89.0.0/24" → its first host address, which is the bridge's own.
Result<BridgeAddress> first_host_of(const std::string& subnet);
// What is left for containers: "10.89.0.2" to "10.89.0.254".
struct AddressRange {
  std::string first, last;
};
Result<AddressRange> container_range_of(const std::string& subnet);

// Makes the bridge where it is missing, gives it the address, sets it up. Idempotent.
Result<void> ensure_bridge(const std::string& name, const BridgeAddress& address);
// Ports of an isolated bridge reach the host and nothing else (ip-link(8), "isolated on").
Result<void> isolate_ports(const std::string& name);
Result<void> remove_bridge(const std::string& name);  // gone already is success

}  // namespace holdfast::control
