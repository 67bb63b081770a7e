// Bodies on their way into and out of the local store.
// take_local_body reads small bodies into memory (for the log record) and streams large ones into a
// blob, hashing and writing off the caller's thread. open_local_body gives a stored body back.
// Sizes and digests are those of the plain text, whether the store encrypts or not.
#pragma once

#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "store/body_intake.h"
#include "store/conditions.h"
#include "store/local_files.h"
#include "store/local_store.h"
#include "store/log_record.h"
#include "store/md5_queue.h"

namespace holdfast::store {

struct LocalBody {
  std::string bytes;            // for the record, as stored; empty when there is a blob
  std::vector<Extent> extents;  // none for an empty body
  PendingBlob blob;
  std::uint64_t size = 0;
  std::string md5;  // 16 raw bytes
  std::vector<Checksum> checksums;
};

struct BodySink {
  const LocalStoreOptions& options;
  LocalFiles& files;
  BlockingPool& pool;
  Md5Queue& md5;
  Random& random;
};

// As take_body (store/body_intake.h); also no_space and io.
Async<LocalBody> take_local_body(BodySink sink, BodyReader& body, IntakeRules rules);

// The extents of the window, in order.
std::vector<Extent> slice_extents(const std::vector<Extent>& extents, std::uint64_t first,
                                  std::uint64_t length);
// Small pieces are read whole and verified; larger ones are answered as open files, or as a stream
// where they are encrypted. corrupted: a checksum differs, or an encrypted piece does not open.
// not_found: a file was removed since the extents were looked up.
Async<Body> open_local_body(BodySink sink, std::vector<Extent> extents);
// Whether looking up the extents again may help: the version was replaced just then, or compaction
// moved its body.
inline bool may_have_moved(const Error& error, int attempt) {
  return error.code == ErrorCode::not_found && attempt < 3;
}
// Hashes stored bytes (to copy what needs a digest it has not got).
Async<TakenBody> digest_local_body(BodySink sink, std::vector<Extent> extents, IntakeRules rules);

// Free bytes for unprivileged users, by statvfs(3). no_space when `bytes` more would leave fewer
// than the reserve.
Result<void> check_free_space(const LocalStoreOptions& options, std::uint64_t bytes);

}  // namespace holdfast::store
