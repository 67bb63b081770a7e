// CurlTransfer: one request and its response on a CurlLoop. libcurl's callbacks only move bytes
// between it and two bounded buffers; coroutines wait on `changed`. Net's own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/event.h"
#include "net/client_transfer.h"
#include "net/curl_loop.h"
#include "net/curl_request.h"
#include "net/http_client.h"

namespace holdfast::net {

class CurlTransfer final : public ClientTransfer, private CurlLoop::Transfer {
 public:
  using Clock = std::chrono::steady_clock;

  CurlTransfer(std::shared_ptr<CurlLoop> loop, ClientRequest request, ClientOptions options);
  ~CurlTransfer() override;
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  Result<void> start() override;
  boost::asio::awaitable<Result<void>> run_to_head() override;
  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override;
  void abort(Error error) override;

  unsigned status() const override { return status_; }
  Headers take_headers() override { return std::move(headers_); }
  std::optional<std::uint64_t> content_length() const override;

 private:
  static std::size_t on_read(char* out, std::size_t size, std::size_t count, void* self);
  static std::size_t on_write(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  void finished(CURLcode code) override;

  std::size_t give_upload(std::span<char> out);
  bool note_header(std::string_view line);
  boost::asio::awaitable<Result<void>> feed_upload();
  boost::asio::awaitable<Result<void>> wait_for_head();
  bool upload_open() const { return uploading_ && !upload_ended_ && !head_done_ && !finished_; }
  Result<void> outcome() const;
  void leave_loop();
  void unpause();

  std::shared_ptr<CurlLoop> loop_;
  ClientRequest request_;
  ClientOptions options_;
  HeaderList header_list_;
  EasyHandle easy_;
  char detail_[CURL_ERROR_SIZE] = {};
  Event changed_;
  Clock::time_point progress_ = Clock::now();  // last byte in either direction

  bool added_ = false;
  bool finished_ = false;
  std::optional<Error> error_;

  bool uploading_ = false;
  bool upload_ended_ = false;   // the body reader gave its last byte
  bool upload_paused_ = false;  // libcurl waits for bytes
  std::deque<std::vector<std::byte>> upload_;
  std::size_t upload_at_ = 0;       // taken of upload_.front()
  std::uint64_t upload_total_ = 0;  // read from the body reader

  bool head_done_ = false;
  unsigned status_ = 0;
  Headers headers_;

  bool download_paused_ = false;
  std::string download_;
  std::size_t download_at_ = 0;
};

}  // namespace holdfast::net
