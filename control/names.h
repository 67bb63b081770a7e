// Which names, prefixes and times the registry takes. Each refusal is a sentence that says what is
// allowed. Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace holdfast::control {

// Users, groups, apps, services: [a-z_][a-z0-9_-]{0,30}, and none of the reserved words.
Result<void> check_principal_name(std::string_view name);
Result<void> check_template_name(std::string_view name);  // [a-z][a-z0-9]{0,30}
Result<void> check_bucket_name(std::string_view name);    // as S3: 3 to 63 of [a-z0-9.-]
// At most 1,024 bytes, no NUL, no '/' in front.
Result<void> check_prefix(std::string_view prefix);
Result<void> check_not_after(const std::optional<TimePoint>& not_after, TimePoint now);

}  // namespace holdfast::control
