// From a tool's record, template and surroundings to the container that is to run. Pure; any
// thread.
#pragma once

#include <string>
#include <vector>

#include "control/engine_driver.h"
#include "control/launcher.h"
#include "control/mount_supervisor.h"
#include "control/records.h"

namespace holdfast::control {

// Deterministic, so that making a container twice makes one: "holdfast-<id>-jupyter-alice".
std::string container_name(const std::string& instance_id, const ToolId& tool);
// "jupyter-alice.localhost:7080"
std::string tool_host(const ToolId& tool, const std::string& public_domain);

struct SpecInputs {
  ToolRecord record;
  ToolTemplate tool_template;
  std::uint32_t uid = 0;
  MountPaths mounts;
  KeyRecord key;
  BucketName homes_bucket;
  std::string instance_id;
};
// The spec hash is of everything but the key.
ContainerSpec build_spec(const SpecInputs& inputs, const LauncherOptions& options);

}  // namespace holdfast::control
