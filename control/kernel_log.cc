#include "control/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"

namespace holdfast::control {

bool is_memory_kill_of(std::string_view record, std::string_view container_id) {
  return !container_id.empty() && record.find("oom-kill:") != std::string_view::npos &&
         record.find(container_id) != std::string_view::npos;
}

bool kernel_killed_for_memory(std::string_view container_id) {
  auto log = open_file("/dev/kmsg", O_RDONLY | O_NONBLOCK);
  if (!log) return false;
  char record[8192];
  for (;;) {
    const auto got = ::read(log->get(), record, sizeof record);   // one record a read
    if (got < 0 && (errno == EPIPE || errno == EINTR)) continue;  // overwritten meanwhile
    if (got <= 0) return false;
    if (is_memory_kill_of({record, static_cast<std::size_t>(got)}, container_id)) return true;
  }
}

}  // namespace holdfast::control
