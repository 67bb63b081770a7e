// Restore: a key, a directory or a whole home as it was at a moment, from the versions that the
// store keeps. plan_restore() only reads; apply_restore() copies old versions over the present and
// makes delete markers, so that a restore is itself a version and can be undone.
//
// A root hash names a tree: XXH3-128 over the leaves in key order, a leaf being XXH3-128 of (key
// relative to the path, content, size, mtime, mode). Content is x-amz-meta-holdfast-hash where it
// is there, else the ETag. The plan knows the expected root, the actual one is read back.
//
// Executor: one that does not run handlers in parallel. Memory: some 250 bytes a row.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/object_store.h"

namespace holdfast::store {

// A path without a trailing slash covers the key itself, "path/" and all below, never "path2". One
// with a trailing slash, or the empty one, is a prefix.
struct RestoreScope {
  BucketName bucket;
  std::string path;
};

enum class RestoreAction : std::uint8_t { keep, copy, remove };
enum class RestoreReason : std::uint8_t {
  unchanged,      // keep: the same version
  same_content,   // keep: another version of equal content and attributes
  changed_since,  // copy
  deleted_since,  // copy
  needed_parent,  // copy: a directory above the path, deleted since
  created_since,  // remove: it was not there then
};

struct RestoreRow {
  ObjectKey key;
  RestoreAction action = RestoreAction::keep;
  RestoreReason reason = RestoreReason::unchanged;
  std::uint64_t size = 0;  // then; 0 for what was not there
  VersionId wanted;        // the version of then; empty: it was not there
  TimePoint wanted_modified{};
  ETag current;                  // of now; empty: it is not there
  TimePoint current_modified{};  // of now, deletion included
  std::array<std::byte, 16> leaf{};
};

struct RestorePlan {
  RestoreScope scope;
  TimePoint at{};
  std::vector<RestoreRow> rows;                                 // in key order; kept ones too
  std::uint64_t copies = 0, removals = 0, kept = 0, bytes = 0;  // bytes of the copies
  std::string expected_root;                                    // 32 hex digits
};

// By commit time up to and with `at`; of versions with the same time the later sequence counts.
// no_such_key: nothing was ever there.
Async<RestorePlan> plan_restore(ObjectStore& store, RestoreScope scope, TimePoint at);

std::string_view to_string(RestoreAction action);
std::string explain(
    const RestoreRow& row);  // "deleted 2026-11-22T05:00:00.000Z; was there since …"

struct RestoreOptions {
  // Copies everything of then below this prefix instead ("alice/restored 2026-11-22/"), and touches
  // nothing else. Ends with '/' if and only if the scope's path does.
  std::string beside;
  std::size_t concurrency = 64;
};
struct RestoreFailure {
  ObjectKey key;
  Error error;
};
struct RestoreReport {
  std::uint64_t copied = 0, removed = 0, kept = 0, failed = 0;
  std::vector<RestoreFailure> failures;  // the first 100
  std::string expected_root, actual_root;
  bool complete() const { return failed == 0 && expected_root == actual_root; }
};
// A row whose key changed since the plan was made fails with precondition_failed and is left as it
// is. Errors of the store itself stop nothing: each row is tried, what failed is reported.
Async<RestoreReport> apply_restore(ObjectStore& store, RestorePlan plan, RestoreOptions options);

// The root of what is there now at a path, as a restore of the same path would have it.
Async<std::string> current_root(ObjectStore& store, RestoreScope scope);

}  // namespace holdfast::store
