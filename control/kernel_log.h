// What the kernel's log says about a control group that ran out of memory (dev-kmsg, ABI/testing).
// Engines miss some of these kills. Short blocking reads; any thread.
#pragma once

#include <string_view>

namespace holdfast::control {

// Whether the log still holds an "oom-kill:" line that names the container. False where the log
// may not be read.
bool kernel_killed_for_memory(std::string_view container_id);
// One record of the log. Pure.
bool is_memory_kill_of(std::string_view record, std::string_view container_id);

}  // namespace holdfast::control
