#include "s3/chunked.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/encoding.h"
#include "s3/names.h"

namespace holdfast::s3 {
namespace {

constexpr std::size_t max_line = 8u << 10;  // a chunk head is under 120 bytes, a trailer a few more
constexpr std::size_t max_trailers = 16;
constexpr std::size_t max_size_digits = 16;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<std::uint64_t> parse_hex_size(std::string_view text) {
  if (text.empty() || text.size() > max_size_digits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(digit);
  }
  return value;
}

std::unexpected<ApiFailure> bad_frame(std::string_view what) {
  return refuse(ApiError::invalid_request,
                fmt::format("The aws-chunked body is malformed: {}", what));
}

bool holds(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_token(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

std::optional<std::vector<std::string>> parse_trailer_names(std::string_view value) {
  std::vector<std::string> names;
  while (!value.empty()) {
    const auto end = std::min(value.find(','), value.size());
    std::string name = ascii_lower(trim_spaces(value.substr(0, end)));
    value.remove_prefix(std::min(end + 1, value.size()));
    if (!is_token(name) || names.size() == max_trailers || holds(names, name)) {
      return std::nullopt;
    }
    names.push_back(std::move(name));
  }
  return names;
}

std::string chunk_signature(const SigningKey& key, std::string_view amz_date,
                            std::string_view scope, std::string_view previous,
                            std::string_view data_sha256_hex) {
  return sign_hex(key, fmt::format("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}\n{}", amz_date, scope,
                                   previous, empty_sha256_hex, data_sha256_hex));
}

std::string trailer_signature(const SigningKey& key, std::string_view amz_date,
                              std::string_view scope, std::string_view previous,
                              std::string_view trailer_sha256_hex) {
  return sign_hex(key, fmt::format("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}", amz_date, scope,
                                   previous, trailer_sha256_hex));
}

ChunkedDecoder::ChunkedDecoder(const VerifiedSignature& signature, ChunkedOptions options)
    : mode_(signature.payload),
      key_(signature.key),
      previous_(signature.seed_signature),
      scope_(signature.scope),
      amz_date_(signature.amz_date),
      options_(std::move(options)) {
  HOLDFAST_CHECK(mode_ == PayloadMode::streaming_signed ||
                 mode_ == PayloadMode::streaming_signed_trailer ||
                 mode_ == PayloadMode::streaming_unsigned_trailer);
  // A signed mode without a verified seed would accept any chain.
  HOLDFAST_CHECK(!chunk_signed() || previous_.size() == 64);
}

ApiResult<ChunkedDecoder::Progress> ChunkedDecoder::decode(std::span<const std::byte> in,
                                                           std::span<std::byte> out) {
  Progress total;
  while (state_ != State::done) {
    const auto part = step(in.subspan(total.consumed), out.subspan(total.produced));
    if (!part) {
      state_ = State::failed;
      return std::unexpected(part.error());
    }
    total.consumed += part->consumed;
    total.produced += part->produced;
    if (part->consumed == 0) break;
  }
  return total;
}

// One line (or a piece of it), or one run of data.
ApiResult<ChunkedDecoder::Progress> ChunkedDecoder::step(std::span<const std::byte> in,
                                                         std::span<std::byte> out) {
  if (state_ == State::failed) return bad_frame("it failed before");
  if (in.empty()) return Progress{};
  if (state_ == State::data) {
    const auto n =
        static_cast<std::size_t>(std::min<std::uint64_t>(left_, std::min(in.size(), out.size())));
    if (chunk_signed()) hash_.update(text_of(in.first(n)));
    if (n != 0) std::memmove(out.data(), in.data(), n);
    left_ -= n;
    if (left_ == 0) state_ = State::data_end;
    return Progress{n, n};
  }
  const std::string_view text = text_of(in);
  const auto newline = text.find('\n');
  const std::size_t taken = newline == std::string_view::npos ? text.size() : newline + 1;
  if (line_.size() + taken > max_line) return bad_frame("a line is too long");
  line_ += text.substr(0, taken);
  if (newline == std::string_view::npos) return Progress{taken, 0};
  const std::string line = std::exchange(line_, {});
  if (auto done = take_line(std::string_view(line).substr(0, line.size() - 1)); !done) {
    return std::unexpected(done.error());
  }
  return Progress{taken, 0};
}

// `line` has lost its LF. Only trailers may lack the CR: AWS' own examples end them with LF alone.
ApiResult<void> ChunkedDecoder::take_line(std::string_view line) {
  const bool has_return = line.ends_with('\r');
  if (has_return) line.remove_suffix(1);
  if (!has_return && state_ != State::trailer) return bad_frame("a line does not end in CRLF");
  switch (state_) {
    case State::header:
      return take_header(line);
    case State::trailer:
      return take_trailer(line);
    case State::data_end:
      if (!line.empty()) return bad_frame("data run over the chunk's size");
      return end_chunk();
    case State::final_line:
      if (!line.empty()) return bad_frame("there is data behind the last chunk");
      state_ = State::done;
      return {};
    case State::data:
    case State::done:
    case State::failed:
      break;
  }
  return bad_frame("there is data behind the end");
}

ApiResult<void> ChunkedDecoder::take_header(std::string_view line) {
  constexpr std::string_view extension = "chunk-signature=";
  const auto semicolon = line.find(';');
  const auto size = parse_hex_size(line.substr(0, semicolon));
  if (!size) return bad_frame("a chunk's size is no number");
  expected_.clear();
  if (semicolon != std::string_view::npos) {
    const std::string_view rest = line.substr(semicolon + 1);
    if (!rest.starts_with(extension)) return bad_frame("a chunk has an unknown extension");
    expected_ = rest.substr(extension.size());
  }
  if (chunk_signed() && expected_.size() != 64) {
    return refuse(ApiError::signature_does_not_match, "a chunk is not signed");
  }
  if (*size > options_.decoded_length - total_) {
    return refuse(ApiError::incomplete_body,
                  "the chunks hold more than x-amz-decoded-content-length");
  }
  total_ += *size;
  left_ = *size;
  last_ = *size == 0;
  hash_ = Sha256();
  state_ = State::data;
  return last_ ? end_chunk() : ApiResult<void>{};
}

ApiResult<void> ChunkedDecoder::end_chunk() {
  if (chunk_signed()) {
    std::string expected =
        chunk_signature(key_, amz_date_, scope_, previous_, to_hex(hash_.finish()));
    if (!constant_time_equal(expected, expected_)) {
      return refuse(ApiError::signature_does_not_match, "a chunk's signature is wrong");
    }
    previous_ = std::move(expected);
  }
  if (!last_) {
    state_ = State::header;
    return {};
  }
  if (total_ != options_.decoded_length) {
    return refuse(ApiError::incomplete_body,
                  "the chunks hold less than x-amz-decoded-content-length");
  }
  state_ = has_trailer() ? State::trailer : State::final_line;
  return {};
}

ApiResult<void> ChunkedDecoder::take_trailer(std::string_view line) {
  if (++trailer_lines_ > 2 * max_trailers) return bad_frame("there are too many trailers");
  const bool awaits_signature = chunk_signed() && trailer_signature_.empty();
  if (line.empty())
    return awaits_signature && !trailers_.empty() ? ApiResult<void>{} : end_trailers();
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return bad_frame("a trailer has no colon");
  std::string name = ascii_lower(line.substr(0, colon));
  const std::string_view value = trim_spaces(line.substr(colon + 1));
  if (!trailer_signature_.empty()) return bad_frame("a trailer follows the trailers' signature");
  if (name == "x-amz-trailer-signature") {
    if (!chunk_signed() || value.size() != 64) return bad_frame("unexpected trailer signature");
    trailer_signature_ = value;
    return {};
  }
  const bool declared = holds(options_.trailers, name);
  const bool repeated =
      std::ranges::any_of(trailers_, [&](const auto& t) { return t.first == name; });
  if (!declared || repeated) {
    return refuse(ApiError::invalid_request, "a trailer was not declared in x-amz-trailer");
  }
  trailers_.emplace_back(std::move(name), value);
  return {};
}

ApiResult<void> ChunkedDecoder::end_trailers() {
  if (trailers_.size() != options_.trailers.size()) {
    return refuse(ApiError::invalid_request, "a trailer declared in x-amz-trailer is missing");
  }
  if (chunk_signed()) {
    std::string block;
    for (const auto& [name, value] : trailers_) block += fmt::format("{}:{}\n", name, value);
    const auto expected = trailer_signature(key_, amz_date_, scope_, previous_, sha256_hex(block));
    if (!constant_time_equal(expected, trailer_signature_)) {
      return refuse(ApiError::signature_does_not_match, "the trailers' signature is wrong");
    }
  }
  state_ = State::done;
  return {};
}

ApiResult<void> ChunkedDecoder::finish() const {
  if (!done()) return refuse(ApiError::incomplete_body, "the body ended before its last chunk");
  return {};
}

std::string chunk_head(std::uint64_t bytes) { return fmt::format("{:x}\r\n", bytes); }

std::string chunked_end(std::span<const std::pair<std::string, std::string>> trailers) {
  std::string out = "0\r\n";
  for (const auto& [name, value] : trailers) out += fmt::format("{}:{}\r\n", name, value);
  out += "\r\n";
  return out;
}

std::uint64_t chunked_length(std::uint64_t decoded, std::uint64_t chunk,
                             std::span<const std::pair<std::string, std::size_t>> trailer_sizes) {
  HOLDFAST_CHECK(chunk > 0);
  std::uint64_t total = decoded / chunk * (chunk_head(chunk).size() + chunk + 2);
  if (const std::uint64_t rest = decoded % chunk) total += chunk_head(rest).size() + rest + 2;
  total += 5;  // "0\r\n" and the last "\r\n"
  for (const auto& [name, size] : trailer_sizes) total += name.size() + 1 + size + 2;
  return total;
}

}  // namespace holdfast::s3
