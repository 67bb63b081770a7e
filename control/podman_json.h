// The JSON of podman's API: what we send and what we read. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "control/engine_driver.h"
#include "control/podman_service.h"

namespace holdfast::control {

inline constexpr std::string_view label_instance = "io.holdfast.instance";

struct CreateInputs {
  std::string instance_id, network;
  std::string passwd_file, group_file;  // empty: the image's own
  ProcessLimits limits;
};
// SpecGenerator of POST /libpod/containers/create.
std::string create_body(const ContainerSpec& spec, const CreateInputs& inputs);
// Network of POST /libpod/networks/create. `leases` narrows what addresses containers get; without
// it the engine chooses a free subnet itself.
struct Leases {
  std::string subnet, first, last;
};
std::string network_body(const std::string& name, const std::string& bridge,
                         const std::string& instance_id, ToolTemplate::Network kind,
                         const std::optional<Leases>& leases);

// GET /libpod/containers/json: the names.
Result<std::vector<std::string>> read_names(std::string_view body);
// GET /libpod/containers/NAME/json; nullopt: without our labels.
Result<std::optional<ContainerState>> read_inspection(std::string_view body);
// GET /libpod/networks/NAME/json: the first subnet, "10.89.0.0/24".
Result<std::string> read_subnet(std::string_view body);
// "message" of an error answer, or the start of the body.
std::string error_message(std::string_view body);
// Log frames (a head of 8 bytes: stream, 0, 0, 0, length) as plain text.
std::string read_log_frames(std::string_view body);

}  // namespace holdfast::control
