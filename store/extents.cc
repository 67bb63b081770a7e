#include "store/extents.h"

#include <utility>

#include "store/log_codec.h"

namespace holdfast::store {
namespace {

// Beside the home's number where a seal follows. A program from before there were any refuses the
// whole store by its FORMAT (store/local_format.h), so it never meets it.
constexpr std::uint64_t sealed_mark = 4;

}  // namespace

void put(ByteWriter& out, const std::vector<Extent>& extents) {
  out.varint(extents.size());
  for (const auto& [piece, first, length] : extents) {
    out.varint(std::to_underlying(piece.home) | (piece.seal.empty() ? 0 : sealed_mark));
    if (piece.home == Piece::Home::segment) {
      out.varint(piece.segment);
      out.varint(piece.offset);
    }
    if (piece.home == Piece::Home::blob) out.text(piece.blob);
    out.varint(piece.length);
    out.fixed64(piece.checksum);
    if (!piece.seal.empty()) out.text(piece.seal);
    out.varint(first);
    out.varint(length);
  }
}

std::vector<Extent> take_extents(ByteReader& in) {
  std::vector<Extent> extents;
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    auto& [piece, first, length] = extents.emplace_back();
    const std::uint64_t home = in.varint();
    const bool sealed = (home & sealed_mark) != 0;
    if ((home & ~sealed_mark) > std::to_underlying(Piece::Home::blob)) in.refuse();
    piece.home = static_cast<Piece::Home>(home & ~sealed_mark);
    if (piece.home == Piece::Home::segment) {
      piece.segment = in.varint();
      piece.offset = in.varint();
    }
    if (piece.home == Piece::Home::blob) piece.blob = in.text();
    piece.length = in.varint();
    piece.checksum = in.fixed64();
    if (sealed) piece.seal = in.text();
    if (sealed && piece.seal.empty()) in.refuse();
    first = in.varint();
    length = in.varint();
  }
  return extents;
}

std::string encode_extents(const std::vector<Extent>& extents) {
  std::string out;
  ByteWriter writer(out);
  put(writer, extents);
  return out;
}

Result<std::vector<Extent>> decode_extents(std::string_view bytes) {
  ByteReader in(bytes);
  auto extents = take_extents(in);
  if (!in.at_end()) return fail(ErrorCode::corrupted, "stored extents cannot be decoded");
  return extents;
}

bool are_joined(std::string_view whole, std::span<const std::string_view> runs) {
  ByteReader in(whole);
  std::size_t count = in.count();
  std::string_view bytes = in.rest();
  for (const std::string_view run : runs) {
    ByteReader head(run);
    const std::size_t taken = head.count();
    if (!head.ok() || taken > count || !bytes.starts_with(head.rest())) return false;
    count -= taken;
    bytes.remove_prefix(head.rest().size());
  }
  return in.ok() && count == 0 && bytes.empty();
}

}  // namespace holdfast::store
