// The rows and queries of the catalogue. Plain values; any thread. Times: nanoseconds since 1970.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace holdfast::index {

struct AppliedState {
  std::uint64_t segment = 0, offset = 0;  // behind the last applied record
  std::uint64_t sequence = 0;             // of it
  std::uint64_t feed_after = 0;           // the change feed is complete above this sequence
  bool clean = false;                     // closed in order, nothing to sweep
  std::uint64_t dropped = 0;              // the log has no segments up to this one any more
  std::int64_t row_bytes = 0;             // what the live records take beside their bodies, about
};

struct QuotaRow {
  std::optional<std::uint64_t> bytes, objects;
};
struct UsageRow {
  std::uint64_t bytes = 0, objects = 0;
};
struct BucketRow {
  std::uint64_t id = 0;
  std::string name;
  std::int64_t created = 0;
  int versioning = 0;
  bool object_lock = false;
  QuotaRow quota{};
};

struct VersionRow {
  std::uint64_t bucket = 0;
  std::string key;
  std::uint64_t sequence = 0;
  std::string version;
  bool delete_marker = false;
  std::string etag;
  std::uint64_t size = 0;
  std::int64_t modified = 0;
  std::string meta, extents;
  bool latest = false;  // of the key; filled in by the listing of versions only
};
struct UploadRow {
  std::string id;
  std::uint64_t bucket = 0;
  std::string key;
  std::int64_t started = 0;
  std::string meta;
};
struct PartRow {
  std::string upload;
  std::uint32_t number = 0;
  std::string etag;
  std::uint64_t size = 0;
  std::int64_t modified = 0;
  std::string checksums, extents;
};

struct BlobRow {
  std::string name;
  std::uint64_t bytes = 0, checksum = 0;
  bool damaged = false;
};
struct SegmentRow {
  std::uint64_t number = 0;
  std::int64_t live_bytes = 0;  // of bodies
};

// A version or part with a body in the record of another one (copies share bodies).
struct LodgerRow {
  std::uint64_t segment = 0, offset = 0;  // of the body
  std::uint64_t bucket = 0, sequence = 0;
  std::string key;
  std::string upload;  // of a part: then bucket, sequence and key are empty
  std::uint32_t number = 0;
};

// Of std::string when it is read, of std::string_view when it is about to be written.
template <class Text>
struct BasicChange {
  std::uint64_t bucket = 0, sequence = 0;
  int kind = 0;
  Text key, version, etag;
  std::uint64_t size = 0;
  std::int64_t time = 0;
};
using ChangeRow = BasicChange<std::string>;
using NewChange = BasicChange<std::string_view>;

// --- Queries. `marker` is exclusive; one that is a common prefix skips all below it.
struct KeyQuery {
  std::uint64_t bucket = 0;
  std::string prefix, delimiter, marker;
  std::uint32_t limit = 1000;  // of keys and common prefixes together
};
struct KeyPage {
  std::vector<VersionRow> versions;  // without extents
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next;
};
struct VersionQuery {
  std::uint64_t bucket = 0;
  std::string prefix, delimiter, key_marker;
  std::optional<std::uint64_t> sequence_marker;  // goes on within key_marker, below this sequence
  std::uint32_t limit = 1000;
};
struct VersionPage {
  std::vector<VersionRow> versions;  // a key's newest first, without extents
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next_key, next_version;
};
struct UploadQuery {
  std::uint64_t bucket = 0;
  std::string prefix, delimiter, key_marker, upload_marker;
  std::uint32_t limit = 1000;
};
struct UploadPage {
  std::vector<UploadRow> uploads;  // by key, then by id
  std::vector<std::string> common_prefixes;
  bool truncated = false;
  std::string next_key, next_upload;
};
struct ChangeQuery {
  std::uint64_t bucket = 0, after = 0;
  std::string prefix;
  std::uint32_t limit = 1000;
};
struct ChangeRows {
  std::vector<ChangeRow> changes;
  bool more = false;  // the limit was reached
};

struct ExtentOwner {
  std::uint64_t bucket = 0;
  std::string_view key, version, upload;  // of a part: only the upload is set
  std::string_view extents;
};
using ExtentVisitor = std::function<Result<void>(const ExtentOwner&)>;

}  // namespace holdfast::index
