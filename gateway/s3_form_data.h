// A streaming reader of multipart/form-data (RFC 7578, RFC 2046 section 5.1) for browser uploads:
// the fields before the file are kept in memory (20 KiB, as S3 bounds them), the file is streamed,
// what follows it is ignored. One coroutine at a time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/body.h"
#include "base/error.h"
#include "s3/post_policy.h"

namespace holdfast::gateway {

// The boundary of a Content-Type, nullopt where it is no multipart/form-data.
std::optional<std::string> form_boundary(std::string_view content_type);

class FormData {
 public:
  // `source` must outlive this.
  FormData(BodyReader& source, std::string boundary);

  // Reads up to the first byte of the file. malformed; entity_too_large.
  boost::asio::awaitable<Result<void>> read_fields();

  // In order, names in lower case. A name given twice is malformed.
  const s3::PostFields& fields() const { return fields_; }
  const std::string& file_name() const { return file_name_; }
  const std::string& file_content_type() const { return file_content_type_; }

  // The file's bytes; REQUIRES: read_fields() succeeded. At most one, within this object's life.
  std::unique_ptr<BodyReader> file();

 private:
  class FileReader;
  struct PartHead {
    std::string name, file_name, content_type;
    bool is_file = false;
  };

  boost::asio::awaitable<Result<bool>> fill();  // false at the end of the source
  boost::asio::awaitable<Result<std::string>> take_until(std::string_view mark, std::size_t limit);
  boost::asio::awaitable<Result<bool>> next_part();  // false after the closing boundary
  static Result<PartHead> parse_head(std::string_view text);

  BodyReader& source_;
  std::string delimiter_;  // CRLF "--" boundary
  std::string buffer_;
  std::size_t field_bytes_ = 0;
  s3::PostFields fields_;
  std::string file_name_, file_content_type_;
};

}  // namespace holdfast::gateway
