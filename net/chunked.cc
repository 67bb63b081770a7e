#include "net/chunked.h"

#include <algorithm>

#include "net/http_parse.h"

namespace holdfast::net {
namespace {

constexpr std::size_t max_line_bytes = 4u << 10;
constexpr std::size_t max_trailer_bytes = 16u << 10;
constexpr std::size_t max_size_digits = 15;  // 60 bits: cannot overflow

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::unexpected<Error> refuse(const char* why) {
  return fail(ErrorCode::malformed, "chunked body: {}", why);
}

}  // namespace

Result<ChunkDecoder::Step> ChunkDecoder::next(std::string_view input, std::size_t want) {
  Step step;
  while (step.skip < input.size() && state_ != State::end) {
    if (state_ == State::data) {
      step.data = static_cast<std::size_t>(
          std::min<std::uint64_t>({left_, input.size() - step.skip, want}));
      took(step.data);
      return step;
    }
    auto ended = add_line(input[step.skip++]);
    if (!ended) return std::unexpected(ended.error());
    if (*ended) {
      if (auto line = end_of_line(); !line) return std::unexpected(line.error());
    }
  }
  return step;
}

void ChunkDecoder::took(std::uint64_t bytes) {
  left_ -= bytes;
  if (left_ == 0 && state_ == State::data) state_ = State::data_end;
}

// True when `c` ended the line, which then is in line_ without CRLF.
Result<bool> ChunkDecoder::add_line(char c) {
  if (c != '\n') {
    if (!line_.empty() && line_.back() == '\r') return refuse("a bare CR");
    if (line_.size() >= max_line_bytes) return refuse("a line is too long");
    line_ += c;
    return false;
  }
  if (line_.empty() || line_.back() != '\r') return refuse("a bare LF");
  line_.pop_back();
  return true;
}

Result<void> ChunkDecoder::end_of_line() {
  if (state_ == State::size) {
    if (auto begun = begin_chunk(); !begun) return begun;
  } else if (state_ == State::data_end) {
    if (!line_.empty()) return refuse("bytes behind a chunk");
    state_ = State::size;
  } else if (line_.empty()) {
    state_ = State::end;
  } else {
    trailer_bytes_ += line_.size();
    const auto colon = line_.find(':');
    const auto name = std::string_view(line_).substr(0, colon);
    if (trailer_bytes_ > max_trailer_bytes) return refuse("the trailer is too large");
    if (colon == std::string::npos || !is_token(name) || !is_field_value(line_)) {
      return refuse("a malformed trailer line");
    }
  }
  line_.clear();
  return {};
}

Result<void> ChunkDecoder::begin_chunk() {
  std::size_t digits = 0;
  std::uint64_t size = 0;
  while (digits < line_.size() && hex_digit(line_[digits]) >= 0) {
    size = size * 16 + static_cast<std::uint64_t>(hex_digit(line_[digits++]));
    if (digits > max_size_digits) return refuse("the chunk is too large");
  }
  if (digits == 0) return refuse("the chunk size is not hexadecimal");
  if (digits < line_.size() && line_[digits] != ';') return refuse("bytes behind the chunk size");
  if (!is_field_value(line_)) return refuse("control bytes in a chunk extension");
  left_ = size;
  state_ = size == 0 ? State::trailer : State::data;
  return {};
}

}  // namespace holdfast::net
