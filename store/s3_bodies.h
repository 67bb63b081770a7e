// Bodies that S3Store sends and receives, hashed on the way. One coroutine at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/body.h"
#include "s3/checksum.h"
#include "store/object_types.h"

namespace holdfast::store {

struct UploadRules {
  std::uint64_t size = 0;          // exact
  std::optional<std::string> md5;  // 16 raw bytes
  std::vector<Checksum> expected;
};

// Passes a body on, and its last bytes only when size and digests hold, so that a body that
// disagrees arrives cut short and nothing of it is stored.
class UploadReader final : public BodyReader {
 public:
  UploadReader(BodyReader& source, UploadRules rules);
  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override;
  std::optional<std::uint64_t> size() const override { return rules_.size; }

  // Why it stopped; the network only sees a broken body.
  const std::optional<Error>& failure() const { return failure_; }
  // Hex; whole only after all was read.
  std::string md5_hex() const { return md5_.hex(); }
  bool finished() const { return done_ == rules_.size; }

 private:
  boost::asio::awaitable<Result<void>> check_end();

  BodyReader& source_;
  UploadRules rules_;
  s3::Hasher md5_;
  std::vector<s3::Hasher> hashers_;  // one for each of rules_.expected
  std::uint64_t done_ = 0;
  std::optional<Error> failure_;
};

// Checks what a whole read gives against the object's own checksum: corrupted. Parts of objects
// and objects with neither a full checksum nor an MD5 as ETag are passed on with their length
// checked only.
std::unique_ptr<BodyReader> make_verifying_reader(std::unique_ptr<BodyReader> source,
                                                  const ObjectInfo& info, std::uint64_t length,
                                                  bool whole);

// 32 lower-case hex digits; a multipart ETag or an encrypted object's is something else.
bool is_md5_etag(std::string_view etag);

}  // namespace holdfast::store
