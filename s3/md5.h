// Md5: MD5 (RFC 1321) of one stream, or of several that advance together. A stream alone is bound
// by the latency of its steps, whatever the processor could do beside them; in the lanes of vectors
// (AVX2: 8, AVX-512: 16) many cost little more than one. An object is used by one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::s3 {

class Md5 {
 public:
  Md5();
  void update(std::string_view bytes);
  std::string digest() const;  // 16 raw bytes, of all that came so far; the stream may go on

 private:
  friend class Md5Lanes;
  alignas(8) std::array<std::byte, 92> state_;  // MD5_CTX
};

class Md5Lanes {
 public:
  enum class Kernel : std::uint8_t { one_by_one, avx2, avx512 };
  static bool can_run(Kernel kernel);
  static Kernel best();

  explicit Md5Lanes(Kernel kernel = best()) : kernel_(kernel) {}
  // How many streams advance at once.
  std::size_t width() const;

  struct Piece {
    Md5* stream = nullptr;
    std::string_view bytes;  // what it has not taken yet
  };
  // Lets each stream take some of its bytes, at most step_bytes and a block, and drops these from
  // the piece. The shortest piece, if it has no more than that, is empty afterwards.
  // REQUIRES: 1 to width() pieces, none of them empty, each stream at most once.
  void advance(std::span<Piece> pieces) const;
  static constexpr std::size_t step_bytes = 64u << 10;

 private:
  Kernel kernel_;
};

}  // namespace holdfast::s3
