// ClientTransfer: one request of an HttpClient and its response, whatever carries it. All calls on
// the client's executor; the coroutine that waits in one may see it aborted. Net's own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <span>

#include "base/error.h"
#include "net/http_message.h"

namespace holdfast::net {

class ClientTransfer {
 public:
  virtual ~ClientTransfer() = default;

  virtual Result<void> start() = 0;
  // Sends the body and waits for the response's head.
  virtual boost::asio::awaitable<Result<void>> run_to_head() = 0;
  virtual boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) = 0;
  // Ends it with an error that waiting coroutines see; the connection is closed if it was busy.
  virtual void abort(Error error) = 0;

  // After the head.
  virtual unsigned status() const = 0;
  virtual Headers take_headers() = 0;
  virtual std::optional<std::uint64_t> content_length() const = 0;
};

}  // namespace holdfast::net
