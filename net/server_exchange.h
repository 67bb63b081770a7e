// ServerExchange: one request on a Connection and its answer. Net's own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/framed_reader.h"
#include "net/http_connection.h"

namespace holdfast::net {

class ServerExchange final : public Exchange {
 public:
  ServerExchange(Connection& connection, ParsedRequest request);

  const RequestHead& request() const override { return request_.head; }
  BodyReader& body() override { return body_; }
  const boost::asio::ip::tcp::endpoint& peer() const override { return connection_.peer_; }
  bool secure() const override { return secure_; }
  bool answered() const override { return answered_; }
  boost::asio::awaitable<Result<void>> respond(ResponseHead head, std::string body) override;
  boost::asio::awaitable<Result<void>> respond(ResponseHead head, Body body,
                                               std::optional<std::uint64_t> length) override;
  void guard(SendGuard guard) override;
  std::unique_ptr<RawConnection> take_over() override;

  // After the handler: settles the answer and the rest of the body. True: the connection goes on.
  boost::asio::awaitable<bool> finish();

 private:
  // The request's body; asks for it ("100 Continue") at the first read.
  class RequestBody final : public BodyReader {
   public:
    RequestBody(ServerExchange& exchange, Framing framing);
    boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override;
    std::optional<std::uint64_t> size() const override { return reader_.size(); }
    bool done() const { return reader_.done(); }
    // Whether the connection can be used again when nobody reads the rest.
    bool can_be_drained() const;
    boost::asio::awaitable<bool> drain();

   private:
    ServerExchange& exchange_;
    FramedReader reader_;
  };

  Result<bool> begin_answer(const ResponseHead& head, std::optional<std::uint64_t> length);
  boost::asio::awaitable<Result<void>> send(std::string_view body);
  boost::asio::awaitable<Result<void>> send_stream(BodyReader& body,
                                                   std::optional<std::uint64_t> length);
  boost::asio::awaitable<Result<void>> send_counted(BodyReader& body, std::uint64_t length);
  boost::asio::awaitable<Result<void>> send_chunked(BodyReader& body);
  Result<void> cut_short(Result<void> result);

  Connection& connection_;
  SendGuard guard_;
  ParsedRequest request_;
  RequestBody body_;
  bool secure_ = false;
  bool expecting_ = false;  // the client may be waiting for "100 Continue"
  bool answered_ = false;
  bool keep_ = true;
  bool chunked_ = false;
  bool taken_ = false;
};

}  // namespace holdfast::net
