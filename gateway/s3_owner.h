// The one owner that a store without ACLs shows: every object is the store's, rights are grants'.
#pragma once

#include "s3/results.h"

namespace holdfast::gateway {

inline constexpr const char* store_owner_id =
    "686f6c6466617374686f6c6466617374686f6c6466617374686f6c6466617374";

inline s3::Owner store_owner() { return {store_owner_id, "holdfast"}; }

}  // namespace holdfast::gateway
