#include "fusefs/access_view.h"

namespace holdfast::fusefs {

bool path_covered(std::string_view prefix, std::string_view path) {
  if (prefix.empty()) return true;
  if (!path.starts_with(prefix)) return false;
  return path.size() == prefix.size() || path[prefix.size()] == '/';
}

AccessView::AccessView(std::vector<store::VisibleEntry> entries) {
  using store::AccessLevel;
  for (auto& entry : entries) {
    std::string prefix = std::move(entry.prefix);
    while (prefix.ends_with('/')) prefix.pop_back();
    const Rights rights{.read = entry.level != AccessLevel::drop,
                        .write = entry.level != AccessLevel::read};
    grants_.push_back({entry.bucket.value, std::move(prefix), rights, entry.not_after});
  }
}

Rights AccessView::rights(const BucketPath& place, TimePoint now) const {
  Rights all;
  for (const auto& grant : grants_) {
    if (grant.bucket != place.bucket || !grant.holds(now)) continue;
    if (!path_covered(grant.prefix, place.path)) continue;
    all.read |= grant.rights.read;
    all.write |= grant.rights.write;
  }
  return all;
}

bool AccessView::leads_to_grant(const BucketPath& place, TimePoint now) const {
  for (const auto& grant : grants_) {
    if (grant.bucket == place.bucket && grant.holds(now) &&
        path_covered(place.path, grant.prefix)) {
      return true;
    }
  }
  return false;
}

std::set<std::string> AccessView::names_below(const BucketPath& place, TimePoint now) const {
  std::set<std::string> names;
  for (const auto& grant : grants_) {
    if (!grant.holds(now)) continue;
    if (place.bucket.empty()) {
      names.insert(grant.bucket);
      continue;
    }
    if (grant.bucket != place.bucket || grant.prefix.size() <= place.path.size() ||
        !path_covered(place.path, grant.prefix)) {
      continue;
    }
    const std::size_t from = place.path.empty() ? 0 : place.path.size() + 1;
    names.insert(grant.prefix.substr(from, grant.prefix.find('/', from) - from));
  }
  return names;
}

}  // namespace holdfast::fusefs
