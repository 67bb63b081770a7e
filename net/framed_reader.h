// InputBuffer and FramedReader: the body of one HTTP message, cut out of a connection by its
// framing. Bytes behind the body stay in the buffer for the next message. Net's own.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/body.h"
#include "net/chunked.h"
#include "net/http_parse.h"
#include "net/http_server.h"

namespace holdfast::net {

class InputBuffer {
 public:
  static constexpr std::size_t usual_bytes = 8u << 10;  // what an idle connection may keep

  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }
  void consume(std::size_t bytes);
  // Room for at least one and at most `wanted` bytes behind what is there.
  std::span<std::byte> prepare(std::size_t wanted);
  void commit(std::size_t bytes) { end_ += bytes; }
  std::string take();  // all of it; the buffer is empty afterwards
  void shrink();       // gives a grown, empty buffer back

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class FramedReader final : public BodyReader {
 public:
  // Both outlive the reader.
  FramedReader(Exchange::RawConnection& connection, InputBuffer& buffer, Framing framing);

  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override;
  std::optional<std::uint64_t> size() const override;

  // The whole body was read: the next message begins in the buffer.
  bool done() const;
  // Bytes still to come, where known.
  std::optional<std::uint64_t> left() const;

 private:
  boost::asio::awaitable<Result<std::size_t>> read_plain(std::span<std::byte> out);
  boost::asio::awaitable<Result<std::size_t>> read_chunked(std::span<std::byte> out);

  Exchange::RawConnection& connection_;
  InputBuffer& buffer_;
  Framing framing_;
  std::uint64_t left_ = 0;
  bool ended_ = false;  // of Kind::until_close
  ChunkDecoder decoder_;
};

}  // namespace holdfast::net
