// Private to the local_*.cc files: the store's FORMAT file, which says who may open the store.
//   "holdfast-store 1\n"                              as long as nothing was ever encrypted
//   "holdfast-store 2\n", then "root-key ID\n" each   the root keys that bodies may need
// It comes before the first body that needs what it says. Blocks; one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "index/catalogue.h"
#include "store/root_keys.h"

namespace holdfast::store {

struct StoreFormat {
  bool encrypted = false;
  std::vector<std::string> root_keys;  // ids
};

// Written where there is none yet. not_supported: a newer one.
Result<StoreFormat> check_format(const std::string& directory);

// Refuses a store whose bodies need a root key that is not among `keys` (nullptr: there are none),
// and one that would begin to store in the clear unasked; nothing is changed then. Else
// notes the key that new bodies will be sealed under. The catalogue is as the log.
Result<void> settle_root_keys(const std::string& directory, StoreFormat format,
                              const RootKeys* keys, index::Catalogue& catalogue);

}  // namespace holdfast::store
