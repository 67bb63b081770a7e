// Tool templates: what the registry takes, and those that every data directory starts with.
// Pure; any thread.
#pragma once

#include <vector>

#include "base/error.h"
#include "control/records.h"

namespace holdfast::control {

Result<void> check_template(const ToolTemplate& tool_template);
std::vector<ToolTemplate> built_in_templates();

}  // namespace holdfast::control
