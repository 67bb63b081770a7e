// Where a body lies: runs of stored bytes, and how the log and the index keep them. Values; any
// thread. Decoding never trusts: `corrupted`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace holdfast::store {

class ByteReader;
class ByteWriter;

// A run of stored bytes with a checksum of its own. `own` is the body of the record that carries
// the piece; the index keeps it as `segment` with the place where the record came to lie.
struct Piece {
  enum class Home : std::uint8_t { own, segment, blob };
  Home home = Home::own;
  std::uint64_t segment = 0, offset = 0;  // of Home::segment
  std::string blob{};                     // of Home::blob: 16 random bytes, as hex
  std::uint64_t length = 0;               // bytes of the whole piece, as stored
  std::uint64_t checksum = 0;             // XXH3-64 of the whole piece, as stored
  // What opens it, where it is encrypted: see store/root_keys.h, and store/seal.h for the bytes.
  // Empty: it is stored in the clear.
  std::string seal{};
};

// Part of a piece. An object's body is its extents one after another.
struct Extent {
  Piece piece;
  std::uint64_t first = 0;  // within the piece, in bytes of the plain text
  std::uint64_t length = 0;
};

std::string encode_extents(const std::vector<Extent>& extents);
Result<std::vector<Extent>> decode_extents(std::string_view bytes);
// Whether `whole` is the extents of all `runs`, one run after another. All encoded.
bool are_joined(std::string_view whole, std::span<const std::string_view> runs);

// As a field of a record.
void put(ByteWriter& out, const std::vector<Extent>& extents);
std::vector<Extent> take_extents(ByteReader& in);

}  // namespace holdfast::store
