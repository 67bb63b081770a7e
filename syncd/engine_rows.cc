#include "syncd/engine_rows.h"

#include <array>

#include "syncd/content.h"

namespace holdfast::syncd {

std::string StubOrigin::encode() const { return version + '\n' + etag + '\n' + hash + '\n' + path; }

StubOrigin StubOrigin::decode(std::string_view value) {
  StubOrigin origin;
  for (std::string* part : {&origin.version, &origin.etag, &origin.hash}) {
    const auto end = value.find('\n');
    *part = value.substr(0, end);
    value.remove_prefix(end == std::string_view::npos ? value.size() : end + 1);
  }
  origin.path = value;
  return origin;
}

StubOrigin StubOrigin::of(const std::string& path, const RemoteNode& node) {
  return {.version = node.version, .etag = node.etag, .hash = node.hash, .path = path};
}

bool StubOrigin::is_of(const index::BaseRow& row) const {
  if (!version.empty() && version == row.version) return true;
  if (!hash.empty() || !row.hash.empty()) return hash == row.hash;
  return !etag.empty() && etag == row.etag;
}

void stamp_row(index::BaseRow& row, const Observed& local) {
  row.stub = local.stub;
  row.inode = local.stamp.inode;
  row.local_size = local.stamp.size;
  row.local_mtime_ns = local.stamp.mtime_ns;
  row.local_ctime_ns = local.stamp.ctime_ns;
  row.looked_ns = local.looked_ns;
}

index::BaseRow row_of(const std::string& path, const RemoteNode& node, const Observed& local) {
  index::BaseRow row;
  row.path = path;
  row.kind = static_cast<std::uint8_t>(node.kind);
  row.version = node.version;
  row.etag = node.etag;
  row.sequence = node.sequence;
  row.modified_ns = node.modified_ns;
  row.size = node.size;
  row.mtime_ns = node.mtime_ns;
  row.mode = node.mode;
  row.hash = node.hash;
  row.link = node.link;
  row.xattrs = xattrs_digest(node.xattrs);
  if (local.kind != Kind::absent) stamp_row(row, local);
  return row;
}

Looks looks_of(const RemoteNode& node) {
  return {.mode = node.mode & 07777, .mtime_ns = node.mtime_ns, .xattrs = node.xattrs};
}

}  // namespace holdfast::syncd
