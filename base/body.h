// Bodies: how object bytes travel without being buffered whole.
// A BodyReader is used by one coroutine at a time, on one executor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace holdfast {

// Pull side of a stream of bytes.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // Fills up to out.size() bytes; 0 means the end, which is answered again on later calls.
  // REQUIRES: out is not empty. A stream that ends before its declared size is incomplete_body.
  virtual boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) = 0;
  // Declared length in bytes, where known beforehand.
  virtual std::optional<std::uint64_t> size() const = 0;
};

// A run of bytes of an open file, for sendfile(2). Shared, since a compaction may unlink the file
// while a reader still sends from it.
struct FileExtent {
  std::shared_ptr<const Fd> file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// Bytes in memory that others read, too: a part of what `owner` keeps unchanged.
struct SharedText {
  std::shared_ptr<const void> owner;
  std::string_view text;
};

// What a read answers: bytes in memory, extents of files, or a stream.
using Body =
    std::variant<std::string, std::vector<FileExtent>, std::unique_ptr<BodyReader>, SharedText>;
// The bytes of a body that is in memory; nullopt for one that is not.
std::optional<std::string_view> bytes_of(const Body& body);

std::unique_ptr<BodyReader> make_string_reader(std::string bytes);
// Reads extents with pread; blocks the calling thread for each chunk (page cache or local disk).
std::unique_ptr<BodyReader> make_extent_reader(std::vector<FileExtent> extents);
// Any Body as a stream.
std::unique_ptr<BodyReader> make_reader(Body body);

// Everything that is left, or entity_too_large when it passes `limit` bytes.
boost::asio::awaitable<Result<std::string>> read_all(BodyReader& reader, std::uint64_t limit);

}  // namespace holdfast
