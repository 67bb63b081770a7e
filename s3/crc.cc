#include "s3/crc.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace holdfast::s3 {
namespace {

// Every CRC is computed in a 64-bit register, reflected: bit 63-i is the coefficient of x^i for
// CRC-64; a CRC-32 lives in the low half, where bit 31-i is the coefficient of x^i.
template <int Width, std::uint64_t Polynomial>
struct Crc {
  static constexpr std::uint64_t mask = Width == 64 ? ~0ull : (1ull << Width) - 1;
  static constexpr std::uint64_t one = 1ull << (Width - 1);  // the polynomial 1

  // a·x mod P.
  static constexpr std::uint64_t times_x(std::uint64_t a) {
    return (a >> 1) ^ ((a & 1) ? Polynomial : 0);
  }
  static constexpr std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
    std::uint64_t product = 0;
    for (std::uint64_t bit = one; bit != 0; bit >>= 1) {
      if (a & bit) product ^= b;
      b = times_x(b);
    }
    return product;
  }
  // x^n mod P.
  static constexpr std::uint64_t power(std::uint64_t n) {
    std::uint64_t result = one, square = one >> 1;
    for (; n != 0; n >>= 1) {
      if (n & 1) result = multiply(result, square);
      square = multiply(square, square);
    }
    return result;
  }

  using Table = std::array<std::array<std::uint64_t, 256>, 8>;
  static constexpr Table make_tables() {
    Table made{};
    for (std::uint64_t i = 0; i < 256; ++i) {
      std::uint64_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = times_x(value);
      made[0][i] = value;
    }
    for (std::size_t t = 1; t < 8; ++t) {
      for (std::size_t i = 0; i < 256; ++i) {
        const std::uint64_t before = made[t - 1][i];
        made[t][i] = (before >> 8) ^ made[0][before & 255];
      }
    }
    return made;
  }
  static constexpr Table tables = make_tables();

  // Register in, register out; no initial or final inversion.
  static std::uint64_t slice(std::uint64_t state, const std::byte* data, std::size_t size) {
    while (size >= 8) {
      std::uint64_t word;
      std::memcpy(&word, data, 8);
      word ^= state;
      state = 0;
      for (std::size_t i = 0; i < 8; ++i) state ^= tables[7 - i][word >> (8 * i) & 255];
      data += 8;
      size -= 8;
    }
    for (; size != 0; --size, ++data) {
      state = (state >> 8) ^ tables[0][(state ^ std::to_integer<std::uint64_t>(*data)) & 255];
    }
    return state;
  }

#if defined(__x86_64__)
  // Factors that move 128 bits forward by `bits`: reflected 64-bit polynomials. The product of two
  // of those is one place short in 128 bits, hence the -1 (Gopal et al., "Fast CRC Computation for
  // Generic Polynomials Using PCLMULQDQ", Intel 2009).
  static constexpr std::uint64_t factor(std::uint64_t exponent) {
    return power(exponent - 1) << (64 - Width);
  }

  __attribute__((target("pclmul,sse4.1"))) static __m128i fold(__m128i value, __m128i factors,
                                                               __m128i next) {
    const __m128i low = _mm_clmulepi64_si128(value, factors, 0x00);
    const __m128i high = _mm_clmulepi64_si128(value, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
  }

  __attribute__((target("pclmul,sse4.1"))) static std::uint64_t folded(std::uint64_t state,
                                                                       const std::byte* data,
                                                                       std::size_t size) {
    constexpr std::uint64_t far_low = factor(512 + 64), far_high = factor(512);
    constexpr std::uint64_t near_low = factor(128 + 64), near_high = factor(128);
    const auto load = [](const std::byte* at) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    };
    const __m128i far =
        _mm_set_epi64x(static_cast<long long>(far_high), static_cast<long long>(far_low));
    const __m128i near =
        _mm_set_epi64x(static_cast<long long>(near_high), static_cast<long long>(near_low));
    __m128i a = _mm_xor_si128(load(data), _mm_set_epi64x(0, static_cast<long long>(state)));
    __m128i b = load(data + 16), c = load(data + 32), d = load(data + 48);
    data += 64;
    size -= 64;
    for (; size >= 64; data += 64, size -= 64) {
      a = fold(a, far, load(data));
      b = fold(b, far, load(data + 16));
      c = fold(c, far, load(data + 32));
      d = fold(d, far, load(data + 48));
    }
    a = fold(fold(fold(a, near, b), near, c), near, d);
    for (; size >= 16; data += 16, size -= 16) a = fold(a, near, load(data));
    // What is left is a message of 16 bytes with the same remainder.
    std::array<std::byte, 16> rest;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rest.data()), a);
    return slice(slice(0, rest.data(), rest.size()), data, size);
  }

  static bool can_fold() {
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  }
#endif

  static std::uint64_t update(std::uint64_t crc, std::span<const std::byte> data) {
    std::uint64_t state = ~crc & mask;
#if defined(__x86_64__)
    if (data.size() >= 128 && can_fold()) {
      return ~folded(state, data.data(), data.size()) & mask;
    }
#endif
    return ~slice(state, data.data(), data.size()) & mask;
  }
  static std::uint64_t portable(std::uint64_t crc, std::span<const std::byte> data) {
    return ~slice(~crc & mask, data.data(), data.size()) & mask;
  }
  static std::uint64_t combine(std::uint64_t first, std::uint64_t second, std::uint64_t bytes) {
    // x^(8·bytes), squared up from x^bytes so that the exponent cannot overflow.
    std::uint64_t shift = power(bytes);
    for (int i = 0; i < 3; ++i) shift = multiply(shift, shift);
    return multiply(first, shift) ^ second;
  }
};

using Crc32 = Crc<32, 0xedb88320>;
using Crc32c = Crc<32, 0x82f63b78>;
using Crc64Nvme = Crc<64, 0x9a6c9329ac4bc9b5>;

}  // namespace

std::uint64_t crc_update(CrcKind kind, std::uint64_t crc, std::span<const std::byte> data) {
  switch (kind) {
    case CrcKind::crc32:
      return Crc32::update(crc, data);
    case CrcKind::crc32c:
      return Crc32c::update(crc, data);
    case CrcKind::crc64nvme:
      return Crc64Nvme::update(crc, data);
  }
  return 0;
}

std::uint64_t crc_update_portable(CrcKind kind, std::uint64_t crc,
                                  std::span<const std::byte> data) {
  switch (kind) {
    case CrcKind::crc32:
      return Crc32::portable(crc, data);
    case CrcKind::crc32c:
      return Crc32c::portable(crc, data);
    case CrcKind::crc64nvme:
      return Crc64Nvme::portable(crc, data);
  }
  return 0;
}

std::uint64_t crc_combine(CrcKind kind, std::uint64_t first, std::uint64_t second,
                          std::uint64_t second_bytes) {
  switch (kind) {
    case CrcKind::crc32:
      return Crc32::combine(first, second, second_bytes);
    case CrcKind::crc32c:
      return Crc32c::combine(first, second, second_bytes);
    case CrcKind::crc64nvme:
      return Crc64Nvme::combine(first, second, second_bytes);
  }
  return 0;
}

}  // namespace holdfast::s3
