// Our values in the kernel's layout. Included by sources of this folder only. Pure; any thread.
#pragma once

#include "fusefs/protocol.h"
#include "fusefs/reply.h"

namespace holdfast::fusefs {

fuse_attr to_wire(const struct stat& attributes);
fuse_entry_out to_wire(const Entry& entry);
protocol::OpenOut to_wire(const Opened& opened);

}  // namespace holdfast::fusefs
