// What a person sees as "deleted": runs of deletions grouped by the topmost directory that vanished
// whole, so that `rm -r thesis` is one row and not two hundred. Internal to gateway/.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "store/history.h"

namespace holdfast::gateway {

struct DeletedGroup {
  std::string path;  // a key, or a directory's prefix that ends in '/'
  bool directory = false;
  std::uint64_t count = 0;  // files; directory objects do not count
  std::uint64_t bytes = 0;
  TimePoint first{}, last{};  // of the deletions
  // The last moment at which all of it was still there.
  TimePoint restore_at() const { return first - std::chrono::nanoseconds(1); }
};

// Newest first. Deletions of one directory with more than a minute between them are separate rows.
store::Async<std::vector<DeletedGroup>> deleted_groups(store::ObjectStore& store, BucketName bucket,
                                                       std::string prefix);

}  // namespace holdfast::gateway
