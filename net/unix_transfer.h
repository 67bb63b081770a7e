// UnixTransfer: one request and its response on a connection of its own to a unix socket, with our
// own framing. The container engine and our own server ask for no more, and a server that asks
// nobody else then never loads libcurl (net/curl_api.h). Net's own.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>

#include "net/client_transfer.h"
#include "net/http_client.h"
#include "net/http_parse.h"
#include "net/stream_client.h"

namespace holdfast::net {

class UnixTransfer final : public ClientTransfer {
 public:
  // REQUIRES: request.unix_socket is set.
  explicit UnixTransfer(ClientRequest request) : request_(std::move(request)) {}

  // malformed: the URL is no http://HOST/… one.
  Result<void> start() override;
  boost::asio::awaitable<Result<void>> run_to_head() override;
  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override;
  void abort(Error error) override;

  unsigned status() const override { return head_.status; }
  Headers take_headers() override { return std::move(head_.headers); }
  std::optional<std::uint64_t> content_length() const override;

 private:
  boost::asio::awaitable<Result<void>> exchange();
  boost::asio::awaitable<Result<void>> send();
  // What ended it from outside explains what the connection then says.
  Error explained(Error error) const;

  ClientRequest request_;
  RequestHead sent_;
  std::unique_ptr<StreamClient> stream_;
  ParsedResponse head_;
  std::optional<Error> aborted_;
};

}  // namespace holdfast::net
