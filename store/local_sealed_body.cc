#include "store/local_sealed_body.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "store/seal.h"

namespace holdfast::store {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t window_chunks = 4;
constexpr std::uint64_t window_bytes = window_chunks * plain_chunk_bytes;

std::unexpected<Error> fail_piece(const Piece& piece, std::string_view what) {
  return fail(ErrorCode::corrupted, "a stored body (segment {}, blob '{}', offset {}): {}",
              piece.segment, piece.blob, piece.offset, what);
}

Result<Unsealer> make_unsealer(const RootKeys* keys, const Extent& extent) {
  auto key = open_seal(keys, extent.piece);
  if (!key) return std::unexpected(key.error());
  auto unsealer = Unsealer::make(*key, extent.piece.length);
  if (!unsealer) return fail_piece(extent.piece, unsealer.error().context);
  const std::uint64_t bytes = unsealer->plain_bytes();
  if (extent.first > bytes || extent.length > bytes - extent.first) {
    return fail_piece(extent.piece, "it is shorter than the object that refers to it");
  }
  return unsealer;
}

// Where the chunks that hold a part of a plain text lie in the piece.
struct ChunkRun {
  std::uint64_t first = 0;   // chunk
  std::uint64_t offset = 0;  // of its stored bytes
  std::uint64_t length = 0;  // of all stored bytes
  std::uint64_t skip = 0;    // plain bytes before the part
};
ChunkRun chunks_around(const Piece& piece, std::uint64_t at, std::uint64_t bytes) {
  ChunkRun run;
  run.first = at / plain_chunk_bytes;
  run.offset = run.first * sealed_chunk_bytes;
  const std::uint64_t end = ((at + bytes - 1) / plain_chunk_bytes + 1) * sealed_chunk_bytes;
  run.length = std::min(end, piece.length) - run.offset;
  run.skip = at - run.first * plain_chunk_bytes;
  return run;
}

Result<void> read_exactly(const OpenExtent& from, std::uint64_t offset, std::string& out) {
  auto got = read_at(from.file->get(), std::as_writable_bytes(std::span(out)),
                     offset_of(from.extent.piece) + offset);
  if (!got) return std::unexpected(got.error());
  if (*got == out.size()) return {};
  return fail_piece(from.extent.piece, "its file ends early");
}

// The blocking half; one thread at a time.
class Windows {
 public:
  Windows(std::shared_ptr<const RootKeys> keys, std::vector<OpenExtent> extents)
      : keys_(std::move(keys)), extents_(std::move(extents)) {}

  std::string_view left() const { return std::string_view(plain_).substr(begin_, end_ - begin_); }
  void take(std::size_t bytes) { begin_ += bytes; }
  bool at_end() const { return left().empty() && current_ == extents_.size(); }

  // REQUIRES: nothing is left of the last window, and not at_end().
  Result<bool> next() {
    const OpenExtent& from = extents_[current_];
    const Extent& extent = from.extent;
    auto read = extent.piece.seal.empty() ? read_plain(from) : read_sealed(from);
    if (!read) return std::unexpected(read.error());
    done_ += end_ - begin_;
    if (done_ == extent.length) {
      ++current_;
      done_ = 0;
      unsealer_.reset();
    }
    return true;
  }

 private:
  Result<void> read_plain(const OpenExtent& from) {
    plain_.resize(std::min(window_bytes, from.extent.length - done_));
    begin_ = 0;
    end_ = plain_.size();
    return read_exactly(from, from.extent.first + done_, plain_);
  }

  Result<void> read_sealed(const OpenExtent& from) {
    const Extent& extent = from.extent;
    if (!unsealer_) {
      auto unsealer = make_unsealer(keys_.get(), extent);
      if (!unsealer) return std::unexpected(unsealer.error());
      unsealer_.emplace(std::move(*unsealer));
    }
    const std::uint64_t at = extent.first + done_;
    // To the end of a chunk, so that the next window begins with one.
    const std::uint64_t most = window_bytes - at % plain_chunk_bytes;
    const std::uint64_t bytes = std::min(most, extent.length - done_);
    const ChunkRun run = chunks_around(extent.piece, at, bytes);
    sealed_.resize(run.length);
    if (auto read = read_exactly(from, run.offset, sealed_); !read) return read;
    plain_.clear();
    begin_ = end_ = 0;
    if (auto opened = unsealer_->open(run.first, sealed_, plain_); !opened) {
      return fail_piece(extent.piece, opened.error().context);
    }
    begin_ = run.skip;
    end_ = run.skip + bytes;
    return {};
  }

  std::shared_ptr<const RootKeys> keys_;
  std::vector<OpenExtent> extents_;
  std::size_t current_ = 0;
  std::uint64_t done_ = 0;  // bytes of the current extent
  std::optional<Unsealer> unsealer_;
  std::string sealed_, plain_;
  std::size_t begin_ = 0, end_ = 0;  // of the window, in plain_
};

class UnsealingReader final : public BodyReader {
 public:
  UnsealingReader(BlockingPool& pool, std::shared_ptr<const RootKeys> keys,
                  std::vector<OpenExtent> extents)
      : pool_(pool) {
    std::erase_if(extents, [](const OpenExtent& open) { return open.extent.length == 0; });
    for (const auto& open : extents) total_ += open.extent.length;
    windows_ = std::make_shared<Windows>(std::move(keys), std::move(extents));
  }

  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (broken_) co_return std::unexpected(*broken_);
    if (windows_->at_end()) co_return 0;
    if (windows_->left().empty()) {
      // The job owns what it touches, since a cancelled coroutine does not wait for it.
      auto next = co_await pool_.run([windows = windows_] { return windows->next(); });
      if (!next) {
        broken_ = next.error();
        co_return std::unexpected(next.error());
      }
    }
    const auto bytes = windows_->left().substr(0, out.size());
    std::memcpy(out.data(), bytes.data(), bytes.size());
    windows_->take(bytes.size());
    co_return bytes.size();
  }
  std::optional<std::uint64_t> size() const override { return total_; }

 private:
  BlockingPool& pool_;
  std::shared_ptr<Windows> windows_;
  std::uint64_t total_ = 0;
  std::optional<Error> broken_;
};

}  // namespace

Result<SecretKey> open_seal(const RootKeys* keys, const Piece& piece) {
  if (keys == nullptr) return fail_piece(piece, "it is encrypted, and no root key is configured");
  return keys->open(piece.seal);
}

Result<std::string> unseal_extent(const RootKeys* keys, const Extent& extent,
                                  std::string_view stored) {
  auto unsealer = make_unsealer(keys, extent);
  if (!unsealer) return std::unexpected(unsealer.error());
  if (extent.length == 0) return std::string();
  const ChunkRun run = chunks_around(extent.piece, extent.first, extent.length);
  std::string plain;
  auto opened = unsealer->open(run.first, stored.substr(run.offset, run.length), plain);
  if (!opened) return fail_piece(extent.piece, opened.error().context);
  if (run.skip == 0 && extent.length == plain.size()) return plain;
  return plain.substr(run.skip, extent.length);
}

std::unique_ptr<BodyReader> make_unsealing_reader(BlockingPool& pool,
                                                  std::shared_ptr<const RootKeys> keys,
                                                  std::vector<OpenExtent> extents) {
  return std::make_unique<UnsealingReader>(pool, std::move(keys), std::move(extents));
}

}  // namespace holdfast::store
