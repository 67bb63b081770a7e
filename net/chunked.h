// Decoder of the chunked transfer coding (RFC 9112 section 7.1), strict: CRLF only, bounded size
// lines, extensions and trailers. Pure state machine; does not own or copy body bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace holdfast::net {

class ChunkDecoder {
 public:
  // The next `skip` bytes of the input are framing, the `data` bytes behind them are body.
  struct Step {
    std::size_t skip = 0;
    std::size_t data = 0;
  };

  // Looks at `input`, the bytes not consumed yet; the caller then drops skip + data of them.
  // Both zero with input left means the end. `want` bounds Step::data.
  Result<Step> next(std::string_view input, std::size_t want);

  bool done() const { return state_ == State::end; }
  // Body bytes left in the current chunk; the caller may take some straight from the connection
  // and tell so by took().
  std::uint64_t left_in_chunk() const { return state_ == State::data ? left_ : 0; }
  void took(std::uint64_t bytes);

 private:
  enum class State : std::uint8_t { size, data, data_end, trailer, end };

  Result<bool> add_line(char c);
  Result<void> end_of_line();
  Result<void> begin_chunk();

  State state_ = State::size;
  std::uint64_t left_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::string line_;  // the framing line being gathered, without its LF
};

}  // namespace holdfast::net
