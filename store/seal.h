// The bytes of an encrypted body. The plain text is cut into chunks of 64 KiB, each sealed by
// AES-256-GCM under the body's own random key, so that a range opens only the chunks it touches:
//   stored = chunk 0 | chunk 1 | … ; chunk = ciphertext, as long as its plain text | tag (16 bytes)
// Only the last chunk may be short; an empty body has none. The nonce is the chunk's number (u64)
// and 1 in the last chunk, else 0 (u32), both little-endian: the STREAM construction (Hoang et al.,
// CRYPTO 2015). So a chunk that was changed, moved, left out or made the last one does not open.
// A key seals one body, once. An object belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "store/secret_key.h"

struct evp_cipher_ctx_st;

namespace holdfast::store {

inline constexpr std::uint64_t plain_chunk_bytes = 64u << 10;
inline constexpr std::uint64_t seal_tag_bytes = 16;
inline constexpr std::uint64_t sealed_chunk_bytes = plain_chunk_bytes + seal_tag_bytes;

std::uint64_t sealed_size(std::uint64_t plain);
// nullopt: no body is stored in so many bytes.
std::optional<std::uint64_t> plain_size(std::uint64_t sealed);

struct CipherFree {
  void operator()(evp_cipher_ctx_st* cipher) const;  // wipes it, too
};
using Cipher = std::unique_ptr<evp_cipher_ctx_st, CipherFree>;

class Sealer {
 public:
  explicit Sealer(const SecretKey& key);
  // Appends to `out` what is certain not to belong to the last chunk; the rest waits in here.
  void update(std::string_view plain, std::string& out);
  // Appends the last chunk, where there is one. Nothing may follow.
  void finish(std::string& out);

 private:
  void seal(std::string_view plain, bool last, std::string& out);

  Cipher cipher_;
  std::uint64_t number_ = 0;
  std::string waiting_;  // at most a chunk
};

class Unsealer {
 public:
  // `stored`: bytes of the whole sealed body. corrupted: no body has so many.
  static Result<Unsealer> make(const SecretKey& key, std::uint64_t stored);

  std::uint64_t plain_bytes() const { return plain_bytes_; }
  // Appends the plain text of whole chunks from `first` on. corrupted: these are not the bytes that
  // were sealed there; then nothing was appended.
  Result<void> open(std::uint64_t first, std::string_view chunks, std::string& out);

 private:
  bool open_chunk(std::uint64_t number, std::string_view sealed, char* out);

  Cipher cipher_;
  std::uint64_t plain_bytes_ = 0, chunks_ = 0;
};

}  // namespace holdfast::store
