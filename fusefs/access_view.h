// AccessView: which buckets and prefixes are visible, and with what right, as a tree of
// directories. Prefixes match on component boundaries: "data/" and "data" cover "data" and
// "data/x", never "database". Immutable; any thread.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "store/access_feed.h"

namespace holdfast::fusefs {

// A place in the view. path: the key without a trailing slash; "" is the bucket itself.
struct BucketPath {
  std::string bucket;
  std::string path;
  bool operator==(const BucketPath&) const = default;
};

struct Rights {
  bool read = false, write = false;
  bool operator==(const Rights&) const = default;
};

class AccessView {
 public:
  AccessView() = default;
  explicit AccessView(std::vector<store::VisibleEntry> entries);

  // Rights at this place; both false where it is not covered by a grant.
  Rights rights(const BucketPath& place, TimePoint now) const;
  // Not covered itself, but leads to something that is; or is a granted prefix: a directory that
  // exists whatever the store holds.
  bool leads_to_grant(const BucketPath& place, TimePoint now) const;
  // The names below a place that lead to grants. With an empty bucket: the buckets.
  std::set<std::string> names_below(const BucketPath& place, TimePoint now) const;

 private:
  struct Grant {
    std::string bucket, prefix;  // without trailing slash
    Rights rights;
    std::optional<TimePoint> not_after;
    bool holds(TimePoint now) const { return !not_after || now < *not_after; }
  };
  std::vector<Grant> grants_;
};

// True where `path` is `prefix` or lies below it.
bool path_covered(std::string_view prefix, std::string_view path);

}  // namespace holdfast::fusefs
