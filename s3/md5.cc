#define OPENSSL_SUPPRESS_DEPRECATED  // as in digest.cc
#include "s3/md5.h"

#include <openssl/md5.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"

namespace holdfast::s3 {
namespace {

constexpr std::size_t block_bytes = 64;

// One stream's share of a step: whole blocks.
struct Lane {
  MD5_CTX* context = nullptr;
  const char* bytes = nullptr;
};

#if defined(__x86_64__)

// RFC 1321, 3.4: T[i] = floor(2^32 · |sin(i + 1)|), the rotations, and the words in their order.
constexpr std::array<std::uint32_t, 64> sines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr unsigned rotations[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
constexpr unsigned word_of(unsigned step) {
  constexpr unsigned factors[] = {1, 5, 3, 7}, offsets[] = {0, 1, 5, 0};
  return (factors[step / 16] * step + offsets[step / 16]) % 16;
}

// `width` 32-bit words, one of each stream. The helpers below are compiled into kernels of several
// instruction sets: so they are inlined always, and take vectors by reference only.
template <unsigned width>
using Words = std::uint32_t __attribute__((vector_size(width * 4)));

// Swaps the off-diagonal squares of `side` words in two rows of a matrix.
template <unsigned width, unsigned side, unsigned... i>
[[gnu::always_inline]] inline void swap_squares(Words<width>& upper, Words<width>& lower,
                                                std::integer_sequence<unsigned, i...>) {
  const Words<width> first = upper, second = lower;
  upper = __builtin_shufflevector(first, second, ((i & side) != 0 ? width + i - side : i)...);
  lower = __builtin_shufflevector(first, second, ((i & side) != 0 ? width + i : i + side)...);
}
template <unsigned width, unsigned side>
[[gnu::always_inline]] inline void transpose(Words<width>* rows) {
#pragma clang loop unroll(full)
  for (unsigned row = 0; row < width; ++row) {
    if ((row & side) != 0) continue;
    swap_squares<width, side>(rows[row], rows[row + side],
                              std::make_integer_sequence<unsigned, width>());
  }
  if constexpr (side > 1) transpose<width, side / 2>(rows);
}

template <unsigned width>
[[gnu::always_inline]] inline void digest_block(Words<width>& a, Words<width>& b, Words<width>& c,
                                                Words<width>& d, const Words<width>* words) {
  const Words<width> before[] = {a, b, c, d};
#pragma clang loop unroll(full)
  for (unsigned step = 0; step < 64; ++step) {
    Words<width> mixed;
    switch (step / 16) {
      case 0:
        mixed = (b & c) | (~b & d);
        break;
      case 1:
        mixed = (b & d) | (c & ~d);
        break;
      case 2:
        mixed = b ^ c ^ d;
        break;
      default:
        mixed = c ^ (b | ~d);
    }
    const unsigned turn = rotations[step / 16][step % 4];
    const Words<width> sum = (words[word_of(step)] + (a + sines[step])) + mixed;
    a = d;
    d = c;
    c = b;
    b += (sum << turn) | (sum >> (32 - turn));
  }
  a += before[0];
  b += before[1];
  c += before[2];
  d += before[3];
}

template <unsigned width>
[[gnu::always_inline]] inline void run_lanes(std::span<const Lane> lanes, std::size_t blocks) {
  // Lanes without a stream repeat the first; what comes of it is dropped.
  const char* bytes[width];
  Words<width> a, b, c, d;
  for (unsigned i = 0; i < width; ++i) {
    const Lane& lane = lanes[i < lanes.size() ? i : 0];
    bytes[i] = lane.bytes;
    a[i] = lane.context->A;
    b[i] = lane.context->B;
    c[i] = lane.context->C;
    d[i] = lane.context->D;
  }
  for (; blocks > 0; --blocks) {
    Words<width> words[16];
    for (unsigned from = 0; from < 16; from += width) {
#pragma clang loop unroll(full)
      for (unsigned i = 0; i < width; ++i) {
        std::memcpy(&words[from + i], bytes[i] + from * 4, width * 4);
      }
      transpose<width, width / 2>(words + from);
    }
    for (auto& at : bytes) at += block_bytes;
    digest_block<width>(a, b, c, d, words);
  }
  for (unsigned i = 0; i < lanes.size(); ++i) {
    lanes[i].context->A = a[i];
    lanes[i].context->B = b[i];
    lanes[i].context->C = c[i];
    lanes[i].context->D = d[i];
  }
}

[[gnu::target("avx2")]] void run_avx2(std::span<const Lane> lanes, std::size_t blocks) {
  run_lanes<8>(lanes, blocks);
}
[[gnu::target("avx512f")]] void run_avx512(std::span<const Lane> lanes, std::size_t blocks) {
  run_lanes<16>(lanes, blocks);
}

#endif

MD5_CTX* context_of(void* storage) { return static_cast<MD5_CTX*>(storage); }

void take(MD5_CTX* context, std::string_view& bytes, std::size_t count) {
  MD5_Update(context, bytes.data(), count);
  bytes.remove_prefix(count);
}

void count_bytes(MD5_CTX* context, std::size_t bytes) {  // Nh:Nl counts bits
  const std::uint64_t bits =
      ((std::uint64_t{context->Nh} << 32) | context->Nl) + std::uint64_t{bytes} * 8;
  context->Nl = static_cast<MD5_LONG>(bits);
  context->Nh = static_cast<MD5_LONG>(bits >> 32);
}

constexpr std::size_t most_lanes = 16;

using Kernel = Md5Lanes::Kernel;

// REQUIRES: lanes that are at the beginning of a block and have that many of them.
void run([[maybe_unused]] Kernel kernel, [[maybe_unused]] std::span<const Lane> lanes,
         [[maybe_unused]] std::size_t blocks) {
#if defined(__x86_64__)
  kernel == Kernel::avx512 ? run_avx512(lanes, blocks) : run_avx2(lanes, blocks);
#endif
}

}  // namespace

Md5::Md5() {
  static_assert(sizeof(MD5_CTX) == sizeof(state_));
  MD5_Init(new (state_.data()) MD5_CTX);
}

void Md5::update(std::string_view bytes) {
  MD5_Update(context_of(state_.data()), bytes.data(), bytes.size());
}

std::string Md5::digest() const {
  auto state = state_;
  std::string out(MD5_DIGEST_LENGTH, '\0');
  MD5_Final(reinterpret_cast<unsigned char*>(out.data()), context_of(state.data()));
  return out;
}

bool Md5Lanes::can_run(Kernel kernel) {
#if defined(__x86_64__)
  if (kernel == Kernel::avx512) return __builtin_cpu_supports("avx512f");
  if (kernel == Kernel::avx2) return __builtin_cpu_supports("avx2");
#endif
  return kernel == Kernel::one_by_one;
}

Md5Lanes::Kernel Md5Lanes::best() {
  for (const auto kernel : {Kernel::avx512, Kernel::avx2}) {
    if (can_run(kernel)) return kernel;
  }
  return Kernel::one_by_one;
}

std::size_t Md5Lanes::width() const {
  switch (kernel_) {
    case Kernel::avx512:
      return 16;
    case Kernel::avx2:
      return 8;
    case Kernel::one_by_one:
      break;
  }
  return 1;
}

void Md5Lanes::advance(std::span<Piece> pieces) const {
  HOLDFAST_CHECK(!pieces.empty() && pieces.size() <= width());
  if (pieces.size() == 1) {
    auto& [stream, bytes] = pieces.front();
    return take(context_of(stream->state_.data()), bytes, std::min(bytes.size(), step_bytes));
  }
  // Each stream to the end of the block that it is within; what has no block then is done with.
  std::array<Lane, most_lanes> lanes;
  std::array<Piece*, most_lanes> taking;
  std::size_t count = 0, blocks = step_bytes / block_bytes;
  for (auto& piece : pieces) {
    MD5_CTX* const context = context_of(piece.stream->state_.data());
    const std::size_t begun = context->num == 0 ? 0 : block_bytes - context->num;
    take(context, piece.bytes, std::min(piece.bytes.size(), begun));
    if (piece.bytes.size() < block_bytes) {
      take(context, piece.bytes, piece.bytes.size());
      continue;
    }
    blocks = std::min(blocks, piece.bytes.size() / block_bytes);
    lanes[count] = {context, piece.bytes.data()};
    taking[count++] = &piece;
  }
  if (count == 0) return;
  run(kernel_, std::span(lanes).first(count), blocks);
  for (std::size_t i = 0; i < count; ++i) {
    count_bytes(lanes[i].context, blocks * block_bytes);
    auto& bytes = taking[i]->bytes;
    bytes.remove_prefix(blocks * block_bytes);
    if (bytes.size() < block_bytes) take(lanes[i].context, bytes, bytes.size());
  }
}

}  // namespace holdfast::s3
