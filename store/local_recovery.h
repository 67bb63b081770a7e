// Bringing a local store's directory into order before it serves: lock, index, log tail, leftover
// blobs. Blocks; one thread.
#pragma once

#include "index/catalogue.h"
#include "store/blob_files.h"
#include "store/local_store.h"
#include "store/log_segments.h"

namespace holdfast::store {

// The directory is made where it is missing. locked.
Result<Fd> lock_directory(const std::string& directory);

struct RecoveredStore {
  index::Catalogue catalogue;
  index::AppliedState state;  // and where the log ends
  RecoveryReport report;
};
enum class IndexUse { keep, rebuild };
// Applies what the index has not seen, or all of the log when the index cannot be used.
Result<RecoveredStore> recover(const std::string& log_directory, const std::string& index_path,
                               IndexUse use, index::Catalogue::Role role);
// Those that compaction was about to remove.
Result<void> remove_dropped_segments(const std::string& log_directory, std::uint64_t dropped);
// Removes blobs that the catalogue does not know; answers how many.
Result<std::uint64_t> sweep_blobs(index::Catalogue& catalogue, const BlobFiles& blobs);

}  // namespace holdfast::store
