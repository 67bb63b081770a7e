// The rules of Object Lock (AWS S3 user guide, "Locking objects with Object Lock") that every store
// carries out inside its commit, so that nothing comes between the check and the change. They fail
// closed: a configuration that cannot be read keeps the write from happening. Pure; any thread.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "store/object_types.h"

namespace holdfast::store {

// Whether the version may be removed at `now`: locked under legal hold, and under retention that
// is not waived. Compliance is never waived.
Result<void> check_unlocked(const ObjectInfo& info, TimePoint now, bool bypass_governance);

// What `present` becomes. locked: it would end sooner or weaker than it is and nothing waives that.
Result<Retention> change_lock(const Retention& present, const LockRequest& request, TimePoint now);

// The default of an ObjectLockConfiguration document, counted from `now`; mode none where it has
// no rule. corrupted: it cannot be read.
Result<Retention> default_retention(std::string_view xml, TimePoint now);

}  // namespace holdfast::store
