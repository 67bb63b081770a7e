// Private to the local_*.cc files: how a new version or delete marker gets into the log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "index/catalogue.h"
#include "store/local_sequencer.h"
#include "store/log_record.h"
#include "store/object_types.h"

namespace holdfast::store {

struct NewVersion {
  ObjectKey key;
  bool delete_marker = false;
  ETag etag;
  std::uint64_t size = 0;
  ObjectMeta meta;
  std::vector<Extent> extents;
  std::string upload;  // that ends by it
};
// On the sequencer's thread, after all conditions were judged.
Result<PutResult> append_version(WriteGroup& group, const index::BucketRow& bucket,
                                 NewVersion version, std::string_view body);

}  // namespace holdfast::store
