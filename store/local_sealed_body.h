// Private to the local_*.cc files: plain text out of encrypted pieces.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/blocking_pool.h"
#include "base/body.h"
#include "base/fd.h"
#include "store/extents.h"
#include "store/root_keys.h"

namespace holdfast::store {

struct OpenExtent {
  Extent extent;
  std::shared_ptr<const Fd> file;
};

// Where a piece begins in its file.
inline std::uint64_t offset_of(const Piece& piece) {
  return piece.home == Piece::Home::segment ? piece.offset : 0;
}

// corrupted: no key here opens the piece. `keys` may be nullptr.
Result<SecretKey> open_seal(const RootKeys* keys, const Piece& piece);

// The extent's part of an encrypted piece, of which `stored` are all bytes. corrupted.
Result<std::string> unseal_extent(const RootKeys* keys, const Extent& extent,
                                  std::string_view stored);

// Reads the extents, encrypted or not, in windows of at most 256 KiB, on the pool, which must live
// as long. Only the chunks that the extents touch are read. Every byte it gives was sealed at its
// place; a chunk that does not open ends it with corrupted.
std::unique_ptr<BodyReader> make_unsealing_reader(BlockingPool& pool,
                                                  std::shared_ptr<const RootKeys> keys,
                                                  std::vector<OpenExtent> extents);

}  // namespace holdfast::store
