// Content of the tree's files on its way to the store: identifying it, and reading it so that no
// torn state becomes a version. identify() blocks on file work; readers belong to one coroutine.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/body.h"
#include "syncd/home_tree.h"

namespace holdfast::syncd {

// Files up to this size are read once, whole, between two equal looks at the file.
inline constexpr std::uint64_t small_file_bytes = 1u << 20;

struct Content {
  Stamp stamp;        // equal before and after the reading
  std::string hash;   // XXH3-128 in hex
  std::string md5;    // hex; only where asked for
  std::string bytes;  // of small files
};

enum class Md5 : std::uint8_t { skip, compute };

// conflict when the file changed while it was read.
Result<Content> identify(const HomeTree& tree, const std::string& path, Md5 md5);
Content identify_text(const std::string& text, Md5 md5);

// Runs blocking work somewhere and resumes the coroutine where it was.
using Offload = std::function<boost::asio::awaitable<Result<void>>(std::function<Result<void>()>)>;

// Bytes [offset, offset + length) of the file. The last chunk is given out only after the file's
// stamp was found equal to `expected` once more; else the stream fails with conflict, and so does
// the request that reads it: nothing is committed. The reader keeps the file open.
std::unique_ptr<BodyReader> make_fenced_reader(const HomeTree& tree, std::shared_ptr<Fd> file,
                                               Stamp expected, std::uint64_t offset,
                                               std::uint64_t length, Offload offload);

// XXH3-128 and, where asked, MD5 over a stream.
class ContentDigest {
 public:
  explicit ContentDigest(Md5 md5);
  ~ContentDigest();
  void update(std::span<const std::byte> data);
  std::string hash() const;
  std::string md5();  // ends the MD5

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string xattrs_digest(const std::map<std::string, std::string>& xattrs);  // empty: none
std::string short_digest(std::string_view text);                              // 16 hex digits

}  // namespace holdfast::syncd
