#include <sys/uio.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "store/body_digest.h"
#include "store/local_body.h"
#include "store/local_sealed_body.h"
#include "store/log_format.h"

namespace holdfast::store {
namespace {

// Bodies of up to this many stored bytes are read into memory and verified.
constexpr std::uint64_t verified_bytes = 256u << 10;

struct OpenPiece {
  Piece piece;
  std::shared_ptr<const Fd> file;
};

// What is in the page cache comes at once; whatever would wait for the disk is left to the pool.
bool read_cached(const OpenPiece& open, std::string& out) {
  out.resize(open.piece.length);
  iovec vector{out.data(), out.size()};
  const ssize_t got = ::preadv2(open.file->get(), &vector, 1,
                                static_cast<off_t>(offset_of(open.piece)), RWF_NOWAIT);
  return got == static_cast<ssize_t>(out.size());
}

Result<std::string> read_piece(const OpenPiece& open) {
  std::string bytes(open.piece.length, '\0');
  auto got =
      read_at(open.file->get(), std::as_writable_bytes(std::span(bytes)), offset_of(open.piece));
  if (!got) return std::unexpected(got.error());
  bytes.resize(*got);
  return bytes;
}

Async<std::string> verified_piece(BodySink sink, OpenPiece open) {
  std::string bytes;
  if (!read_cached(open, bytes)) {
    auto read = co_await sink.pool.run([open] { return read_piece(open); });
    if (!read) co_return std::unexpected(read.error());
    bytes = std::move(*read);
  }
  if (bytes.size() != open.piece.length || checksum_of(bytes) != open.piece.checksum) {
    co_return fail(ErrorCode::corrupted,
                   "a stored body differs from its checksum (segment {}, blob '{}', offset {}): "
                   "restore it from a copy",
                   open.piece.segment, open.piece.blob, open.piece.offset);
  }
  co_return bytes;
}

using Files = std::vector<std::shared_ptr<const Fd>>;

Async<Body> open_sealed(BodySink sink, std::vector<Extent> extents, Files files) {
  std::vector<OpenExtent> open;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    open.push_back({std::move(extents[i]), std::move(files[i])});
  }
  auto reader = make_unsealing_reader(sink.pool, sink.options.root_keys, std::move(open));
  // What fits into memory is opened before the answer begins, so that damage is an error in time.
  if (reader->size().value_or(0) > verified_bytes) co_return Body(std::move(reader));
  auto all = co_await read_all(*reader, verified_bytes);
  if (!all) co_return std::unexpected(all.error());
  co_return Body(std::move(*all));
}

}  // namespace

std::vector<Extent> slice_extents(const std::vector<Extent>& extents, std::uint64_t first,
                                  std::uint64_t length) {
  std::vector<Extent> slice;
  std::uint64_t at = 0;
  for (const auto& extent : extents) {
    const std::uint64_t begin = std::max(at, first);
    const std::uint64_t end = std::min(at + extent.length, first + length);
    if (begin < end) slice.push_back({extent.piece, extent.first + (begin - at), end - begin});
    at += extent.length;
    if (at >= first + length) break;
  }
  return slice;
}

Async<Body> open_local_body(BodySink sink, std::vector<Extent> extents) {
  Files files;
  std::uint64_t stored = 0;
  bool sealed = false;
  for (const auto& extent : extents) {
    auto file = sink.files.open(extent.piece);
    if (!file) co_return std::unexpected(file.error());
    files.push_back(std::move(*file));
    stored += extent.piece.length;
    sealed = sealed || !extent.piece.seal.empty();
  }
  if (stored > verified_bytes && sealed) {
    co_return co_await open_sealed(sink, std::move(extents), std::move(files));
  }
  if (stored > verified_bytes) {
    std::vector<FileExtent> runs;
    for (std::size_t i = 0; i < extents.size(); ++i) {
      // No quarantine marks a damaged range of the log, so what lies there is verified here, too.
      if (extents[i].piece.home == Piece::Home::segment) {
        auto sound = co_await verified_piece(sink, OpenPiece{extents[i].piece, files[i]});
        if (!sound) co_return std::unexpected(sound.error());
      }
      runs.push_back({files[i], offset_of(extents[i].piece) + extents[i].first, extents[i].length});
    }
    co_return Body(std::move(runs));
  }
  std::string all;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    auto bytes = co_await verified_piece(sink, OpenPiece{extents[i].piece, files[i]});
    if (!bytes) co_return std::unexpected(bytes.error());
    if (!extents[i].piece.seal.empty()) {
      auto plain = unseal_extent(sink.options.root_keys.get(), extents[i], *bytes);
      if (!plain) co_return std::unexpected(plain.error());
      all.append(*plain);
      continue;
    }
    if (extents.size() == 1 && extents[i].length == bytes->size()) {
      co_return Body(std::move(*bytes));
    }
    all.append(*bytes, extents[i].first, extents[i].length);
  }
  co_return Body(std::move(all));
}

Async<TakenBody> digest_local_body(BodySink sink, std::vector<Extent> extents, IntakeRules rules) {
  auto body = co_await open_local_body(sink, std::move(extents));
  if (!body) co_return std::unexpected(body.error());
  const std::shared_ptr<BodyReader> reader = make_reader(std::move(*body));
  auto digest = std::make_shared<BodyDigest>(std::move(rules));
  auto buffer = std::make_shared<std::string>(1u << 20, '\0');
  for (;;) {
    auto got = co_await reader->read(std::as_writable_bytes(std::span(*buffer)));
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) break;
    co_await sink.pool.run([digest, buffer, size = *got] {
      digest->update(std::string_view(*buffer).substr(0, size));
      return true;
    });
  }
  if (auto judged = digest->judge(); !judged) co_return std::unexpected(judged.error());
  co_return TakenBody{std::string(), digest->md5(), digest->checksums()};
}

}  // namespace holdfast::store
