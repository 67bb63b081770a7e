// How observations become base rows, and what a stub says of where its content is. Pure.
#pragma once

#include <string>
#include <string_view>

#include "index/journal.h"
#include "syncd/home_tree.h"
#include "syncd/remote_home.h"

namespace holdfast::syncd {

// The value of stub_xattr: version, ETag, hash and path at which the content lies, a line each.
// The path comes last and may hold anything.
struct StubOrigin {
  std::string version, etag, hash, path;

  std::string encode() const;
  static StubOrigin decode(std::string_view value);
  static StubOrigin of(const std::string& path, const RemoteNode& node);
  // True when the row's content is this stub's.
  bool is_of(const index::BaseRow& row) const;
};

void stamp_row(index::BaseRow& row, const Observed& local);
// `local` of kind absent leaves the stamps unset: the next look compares content.
index::BaseRow row_of(const std::string& path, const RemoteNode& node, const Observed& local);
Looks looks_of(const RemoteNode& node);

}  // namespace holdfast::syncd
