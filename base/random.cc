#include "base/random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/encoding.h"
#include "base/error.h"

namespace holdfast {

std::uint64_t Random::next_u64() {
  std::uint64_t value = 0;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
  HOLDFAST_CHECK(bound > 0);
  // Rejection keeps the result uniform; each round succeeds with probability above one half.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const std::uint64_t value = next_u64();
    if (value < limit) return value % bound;
  }
}

std::string Random::hex(std::size_t bytes) {
  std::array<std::byte, 32> small;
  if (bytes <= small.size()) {
    const auto raw = std::span(small).first(bytes);
    fill(raw);
    return to_hex(raw);
  }
  std::vector<std::byte> raw(bytes);
  fill(raw);
  return to_hex(raw);
}

void SystemRandom::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    HOLDFAST_CHECK(got > 0);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

void SeededRandom::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    const std::uint64_t value = engine_();
    const std::size_t n = std::min(out.size(), sizeof value);
    std::memcpy(out.data(), &value, n);
    out = out.subspan(n);
  }
}

}  // namespace holdfast
