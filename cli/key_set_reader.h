// Reads the key set of an identity provider (RFC 7517) from its configured URL: no redirects, no
// link-local addresses, bounded in size and time. read() may be called on any executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "base/error.h"
#include "net/http_client.h"

namespace holdfast::cli {

class KeySetReader {
 public:
  // `patience`: for the answer's head, and for each of its bytes after the one before.
  KeySetReader(boost::asio::any_io_executor executor, std::string url,
               std::chrono::milliseconds patience = std::chrono::seconds(5));
  boost::asio::awaitable<Result<std::string>> read();

 private:
  boost::asio::awaitable<Result<std::string>> fetch();

  boost::asio::any_io_executor executor_;
  net::HttpClient client_;
  const std::string url_;
  const std::chrono::milliseconds patience_;
};

}  // namespace holdfast::cli
