#include "store/local_body.h"

#include <sys/statvfs.h>
#include <sys/uio.h>
#define XXH_STATIC_LINKING_ONLY  // the state on the stack
#include <xxhash.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "store/body_digest.h"
#include "store/log_format.h"
#include "store/root_keys.h"
#include "store/seal.h"

namespace holdfast::store {
namespace {

constexpr std::size_t chunk_bytes = 1u << 20;

// Fills `out` unless the body ends before.
Async<std::size_t> fill(BodyReader& body, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    auto got = co_await body.read(out.subspan(done));
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) break;
    done += *got;
  }
  co_return done;
}

std::span<std::byte> bytes_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }

// What a new body is encrypted with; nullopt: it is stored in the clear.
std::optional<RootKeys::BodyKey> new_key(const BodySink& sink) {
  const RootKeys* const keys = sink.options.root_keys.get();
  if (keys == nullptr || !keys->seals()) return std::nullopt;
  return keys->make_body_key(sink.random);
}

// The blocking half of a large body: digests of its bytes, checksum and file of what is stored.
// Beside take() of some bytes another thread may let digest.md5_stream() take the same ones.
struct BlobIntake {
  BlobWriter writer;
  BodyDigest digest;
  std::optional<Sealer> sealer;
  XXH3_state_t checksum;

  explicit BlobIntake(IntakeRules rules) : digest(std::move(rules)) {
    XXH3_64bits_reset(&checksum);
  }
  Result<void> take(std::string_view bytes) {
    digest.update_checksums(bytes);
    if (!sealer) return store(bytes);
    sealed.clear();
    sealer->update(bytes, sealed);
    return store(sealed);
  }
  Result<void> finish() {
    if (!sealer) return {};
    sealed.clear();
    sealer->finish(sealed);
    return store(sealed);
  }

 private:
  Result<void> store(std::string_view bytes) {
    XXH3_64bits_update(&checksum, bytes.data(), bytes.size());
    return writer.write(as_bytes(bytes));
  }

  std::string sealed;
};

LocalBody to_body(const BodyDigest& digest, Piece piece) {
  LocalBody body;
  body.size = digest.size();
  body.md5 = digest.md5();
  body.checksums = digest.checksums();
  const std::uint64_t length = body.size;
  if (length > 0) body.extents.push_back({std::move(piece), 0, length});
  return body;
}

Async<LocalBody> take_small(BodySink sink, std::string bytes, IntakeRules rules) {
  BodyDigest digest(std::move(rules));
  digest.update(bytes);
  if (auto judged = digest.judge(); !judged) co_return std::unexpected(judged.error());
  Piece piece;
  if (auto key = bytes.empty() ? std::nullopt : new_key(sink)) {
    std::string sealed;
    Sealer sealer(key->key);
    sealer.update(bytes, sealed);
    sealer.finish(sealed);
    bytes = std::move(sealed);
    piece.seal = std::move(key->seal);
  }
  piece.length = bytes.size();
  piece.checksum = checksum_of(bytes);
  LocalBody taken = to_body(digest, std::move(piece));
  taken.bytes = std::move(bytes);
  co_return taken;
}

// A piece of a large body on its way to the pool. Its memory is not filled with zeros before.
struct Chunk {
  explicit Chunk(std::size_t most)
      : bytes(std::make_unique_for_overwrite<char[]>(most)), room(most) {}
  std::string_view text() const { return {bytes.get(), size}; }
  std::span<std::byte> span() { return std::as_writable_bytes(std::span(bytes.get(), room)); }

  std::unique_ptr<char[]> bytes;
  std::size_t room;
  std::size_t size = 0;
};

Async<LocalBody> take_large(BodySink sink, BodyReader& body, IntakeRules rules, std::string first) {
  using namespace boost::asio::experimental::awaitable_operators;
  // One byte more than is declared shows that too much comes.
  const std::size_t wanted = std::min<std::uint64_t>(rules.size.value_or(chunk_bytes), chunk_bytes);
  const std::size_t room = std::max(first.size(), wanted + 1);
  auto intake = std::make_shared<BlobIntake>(std::move(rules));
  auto writer = sink.files.blobs().create();
  if (!writer) co_return std::unexpected(writer.error());
  intake->writer = std::move(*writer);
  Piece piece;
  piece.home = Piece::Home::blob;
  if (auto key = new_key(sink)) {
    intake->sealer.emplace(key->key);
    piece.seal = std::move(key->seal);
  }
  // Two buffers: one is hashed and written on the pool while the other fills. MD5, the slowest of
  // all that is done, goes on beside the rest, together with that of other bodies. The pool's jobs
  // own what they touch, since a cancelled coroutine does not wait for them.
  auto full = std::make_shared<Chunk>(room);
  auto next = std::make_shared<Chunk>(room);
  full->size = first.copy(full->bytes.get(), first.size());
  first = std::string();
  std::uint64_t size = full->size;
  while (full->size > 0) {
    if (auto grown = intake->digest.check_growth(size); !grown) {
      co_return std::unexpected(grown.error());
    }
    if (auto space = check_free_space(sink.options, chunk_bytes); !space) {
      co_return std::unexpected(space.error());
    }
    const auto take = [intake, full] { return intake->take(full->text()); };
    auto owner = std::make_shared<std::pair<decltype(intake), decltype(full)>>(intake, full);
    auto [written, filled] =
        co_await (sink.md5.update(intake->digest.md5_stream(), full->text(), std::move(owner)) &&
                  sink.pool.run(take) && fill(body, next->span()));
    if (!written) co_return std::unexpected(written.error());
    if (!filled) co_return std::unexpected(filled.error());
    next->size = *filled;
    size += *filled;
    std::swap(full, next);
  }
  if (auto judged = intake->digest.judge(); !judged) co_return std::unexpected(judged.error());
  piece.blob = sink.random.hex(16);
  LocalFiles* files = &sink.files;
  auto finished = co_await sink.pool.run([intake, files, name = piece.blob] {
    auto stored = intake->finish();
    return stored ? files->blobs().finish(intake->writer, name) : stored;
  });
  if (!finished) co_return std::unexpected(finished.error());
  piece.length = intake->writer.size();
  piece.checksum = XXH3_64bits_digest(&intake->checksum);
  PendingBlob pending(sink.files, piece.blob);
  LocalBody taken = to_body(intake->digest, std::move(piece));
  taken.blob = std::move(pending);
  co_return taken;
}

}  // namespace

Result<void> check_free_space(const LocalStoreOptions& options, std::uint64_t bytes) {
  struct statvfs status{};
  if (::statvfs(options.directory.c_str(), &status) != 0) {
    return fail_errno(errno, "statvfs of " + options.directory);
  }
  const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
  if (free >= options.reserve_bytes + bytes) return {};
  return fail(ErrorCode::no_space, "{} has {} bytes left, of which {} are kept for deletes",
              options.directory, free, options.reserve_bytes);
}

Async<LocalBody> take_local_body(BodySink sink, BodyReader& body, IntakeRules rules) {
  if (auto room = check_free_space(sink.options, rules.size.value_or(0)); !room) {
    co_return std::unexpected(room.error());
  }
  // One byte more than may be inline tells a large body from a small one.
  const std::size_t most = sink.options.inline_bytes + 1;
  const bool small = rules.size && *rules.size < most;
  std::string bytes(small ? *rules.size + 1 : most, '\0');
  auto filled = co_await fill(body, bytes_of(bytes));
  if (!filled) co_return std::unexpected(filled.error());
  bytes.resize(*filled);
  if (bytes.size() < most) co_return co_await take_small(sink, std::move(bytes), std::move(rules));
  co_return co_await take_large(sink, body, std::move(rules), std::move(bytes));
}

}  // namespace holdfast::store
