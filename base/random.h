// Random: the only source of randomness. SystemRandom is cryptographic (getrandom(2));
// SeededRandom is for tests and the simulator only. Implementations are thread-safe unless said.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>

namespace holdfast {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> out) = 0;

  std::uint64_t next_u64();
  // Uniform in [0, bound); REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // `bytes` random bytes as lower-case hex, 2 × bytes characters.
  std::string hex(std::size_t bytes);
};

class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> out) override;
};

// Deterministic. Not thread-safe, not for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::byte> out) override;

 private:
  std::mt19937_64 engine_;
};

}  // namespace holdfast
