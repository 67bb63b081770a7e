// The catalogue's schema, one migration step a version (see Database::migrate). Any thread.
#pragma once

#include <span>

namespace holdfast::index {

std::span<const char* const> catalogue_steps();

}  // namespace holdfast::index
