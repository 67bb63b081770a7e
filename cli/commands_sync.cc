// holdfast sync: the sidecar.
#include "cli/commands.h"

namespace holdfast::cli {

void add_sync_command(CLI::App&, Invocation&) {}

}  // namespace holdfast::cli
