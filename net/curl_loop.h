// CurlLoop: one libcurl multi handle on one asio executor. It gives libcurl socket readiness and a
// timer, and reports finished transfers. All calls on the executor. REQUIRES: load_curl() has
// succeeded. Net's own.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <unordered_map>

#include "net/curl_api.h"
#include "net/reach.h"

namespace holdfast::net {

class CurlLoop : public std::enable_shared_from_this<CurlLoop> {
 public:
  // What CURLOPT_PRIVATE of every easy handle points to.
  class Transfer {
   public:
    virtual void finished(CURLcode code) = 0;  // called once, outside of libcurl

   protected:
    ~Transfer() = default;
  };

  CurlLoop(boost::asio::any_io_executor executor, std::size_t kept_connections, Reach reach);
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  // Sets the socket callbacks of `easy` and starts it.
  CURLMcode add(CURL* easy);
  // Ends a transfer early, or takes a finished one out. Not within a libcurl callback.
  void remove(CURL* easy);
  // After curl_easy_pause(): lets libcurl look at its transfers soon.
  void kick();

  const boost::asio::any_io_executor& executor() const { return executor_; }

 private:
  struct Watch;

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* watch);
  static int on_timer(CURLM* multi, long milliseconds, void* self);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_close(void* self, curl_socket_t fd);

  void set_timer(long milliseconds);
  void wait(const std::shared_ptr<Watch>& watch, int direction);
  void act(curl_socket_t fd, int flags);
  void collect();

  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  CURLM* multi_;
  const Reach reach_;
  std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches_;
};

}  // namespace holdfast::net
