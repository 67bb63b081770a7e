// Private to the local_*.cc files: how a new version or delete marker gets into the log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "index/catalogue.h"
#include "store/local_sequencer.h"
#include "store/log_record.h"
#include "store/object_types.h"
#include "store/quota.h"

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
// The bucket's default where `retention` has none; invalid_argument in a bucket without Object
// Lock.
Result<void> settle_retention(WriteGroup& group, const index::BucketRow& bucket,
                              Retention& retention);
// quota_exceeded, counting what the group has written already.
Result<void> check_room(WriteGroup& group, const index::BucketRow& bucket,
                        const UsageChange& change);
// The same for a new version, which may take the place of the key's version "null".
Result<void> check_room_for(WriteGroup& group, const index::BucketRow& bucket,
                            const NewVersion& version);
// On the sequencer's thread, after all conditions were judged. `parts`: as WriteGroup::append().
Result<PutResult> append_version(WriteGroup& group, const index::BucketRow& bucket,
                                 NewVersion version, std::string_view body,
                                 const std::vector<index::PartRow>* parts = nullptr);

}  // namespace holdfast::store
