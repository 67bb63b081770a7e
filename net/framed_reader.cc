#include "net/framed_reader.h"

#include <algorithm>
#include <cstring>

namespace holdfast::net {
namespace {

namespace asio = boost::asio;

constexpr std::size_t first_capacity = InputBuffer::usual_bytes;
constexpr std::size_t refill_bytes = 64u << 10;
// Below this the buffer is filled instead, so that small chunks do not cost a system call each.
constexpr std::size_t direct_bytes = 16u << 10;

}  // namespace

void InputBuffer::consume(std::size_t bytes) {
  begin_ += bytes;
  if (begin_ == end_) begin_ = end_ = 0;
}

std::span<std::byte> InputBuffer::prepare(std::size_t wanted) {
  if (begin_ > 0 && end_ == capacity_) {
    std::memmove(data_.get(), data_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == capacity_ || (empty() && capacity_ < wanted)) {
    const std::size_t grown =
        std::max({capacity_ * 2, first_capacity, empty() ? wanted : std::size_t{0}});
    auto bigger = std::make_unique_for_overwrite<char[]>(grown);
    if (!empty()) std::memcpy(bigger.get(), data_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    data_ = std::move(bigger);
    capacity_ = grown;
  }
  return std::as_writable_bytes(std::span(data_.get() + end_, std::min(wanted, capacity_ - end_)));
}

std::string InputBuffer::take() {
  std::string all(view());
  begin_ = end_ = 0;
  shrink();
  return all;
}

void InputBuffer::shrink() {
  if (!empty() || capacity_ <= first_capacity) return;
  data_.reset();
  capacity_ = 0;
}

FramedReader::FramedReader(Exchange::RawConnection& connection, InputBuffer& buffer,
                           Framing framing)
    : connection_(connection), buffer_(buffer), framing_(framing), left_(framing.length) {}

std::optional<std::uint64_t> FramedReader::size() const {
  if (framing_.kind == Framing::Kind::length || framing_.kind == Framing::Kind::none) {
    return framing_.length;
  }
  return std::nullopt;
}

bool FramedReader::done() const {
  switch (framing_.kind) {
    case Framing::Kind::none:
      return true;
    case Framing::Kind::length:
      return left_ == 0;
    case Framing::Kind::chunked:
      return decoder_.done();
    case Framing::Kind::until_close:
      return ended_;
  }
  return true;
}

std::optional<std::uint64_t> FramedReader::left() const {
  return size() ? std::optional(left_) : std::nullopt;
}

asio::awaitable<Result<std::size_t>> FramedReader::read(std::span<std::byte> out) {
  return framing_.kind == Framing::Kind::chunked ? read_chunked(out) : read_plain(out);
}

asio::awaitable<Result<std::size_t>> FramedReader::read_plain(std::span<std::byte> out) {
  if (done()) co_return 0;
  const bool counted = framing_.kind == Framing::Kind::length;
  if (counted) out = out.first(std::min<std::uint64_t>(out.size(), left_));
  if (!buffer_.empty()) {
    const std::size_t n = std::min(out.size(), buffer_.size());
    std::memcpy(out.data(), buffer_.view().data(), n);
    buffer_.consume(n);
    if (counted) left_ -= n;
    co_return n;
  }
  auto got = co_await connection_.read(out);
  if (!got) co_return got;
  if (counted) left_ -= *got;
  if (*got == 0 && counted) {
    co_return fail(ErrorCode::incomplete_body, "the body ended {} bytes early", left_);
  }
  if (*got == 0) ended_ = true;
  co_return got;
}

asio::awaitable<Result<std::size_t>> FramedReader::read_chunked(std::span<std::byte> out) {
  while (!decoder_.done()) {
    if (buffer_.empty() && decoder_.left_in_chunk() >= direct_bytes && out.size() >= direct_bytes) {
      const auto want = std::min<std::uint64_t>(out.size(), decoder_.left_in_chunk());
      auto got = co_await connection_.read(out.first(want));
      if (!got) co_return got;
      if (*got == 0) break;
      decoder_.took(*got);
      co_return got;
    }
    auto step = decoder_.next(buffer_.view(), out.size());
    if (!step) co_return std::unexpected(step.error());
    if (step->data > 0) {
      std::memcpy(out.data(), buffer_.view().data() + step->skip, step->data);
      buffer_.consume(step->skip + step->data);
      co_return step->data;
    }
    buffer_.consume(step->skip);
    if (decoder_.done()) co_return 0;
    auto got = co_await connection_.read(buffer_.prepare(refill_bytes));
    if (!got) co_return got;
    if (*got == 0) break;
    buffer_.commit(*got);
  }
  if (decoder_.done()) co_return 0;
  co_return fail(ErrorCode::incomplete_body, "the body ended within a chunk");
}

}  // namespace holdfast::net
