// The catalogue's schema, one migration step a version (see Database::migrate). Any thread.
#pragma once

#include <span>

namespace holdfast::index {

std::span<const char* const> catalogue_steps();
// Counts what buckets hold from their rows.
extern const char* const count_usage_sql;

}  // namespace holdfast::index
