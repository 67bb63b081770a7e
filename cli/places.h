// Places in a store as commands are given them: s3://BUCKET/KEY.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::cli {

struct Place {
  std::string bucket, key;  // or the beginning of keys; may be empty
};

// nullopt: it is written otherwise, or names no bucket.
std::optional<Place> parse_s3_place(std::string_view text);

}  // namespace holdfast::cli
