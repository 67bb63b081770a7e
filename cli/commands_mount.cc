// holdfast mount, holdfast sync.
#include "cli/commands.h"

namespace holdfast::cli {

void add_mount_command(CLI::App&, Invocation&) {}
void add_sync_command(CLI::App&, Invocation&) {}

}  // namespace holdfast::cli
