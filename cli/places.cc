#include "cli/places.h"

namespace holdfast::cli {

std::optional<Place> parse_s3_place(std::string_view text) {
  constexpr std::string_view scheme = "s3://";
  if (!text.starts_with(scheme)) return std::nullopt;
  text.remove_prefix(scheme.size());
  const auto slash = text.find('/');
  Place place{std::string(text.substr(0, slash)), {}};
  if (place.bucket.empty()) return std::nullopt;
  if (slash != std::string_view::npos) place.key = text.substr(slash + 1);
  return place;
}

}  // namespace holdfast::cli
