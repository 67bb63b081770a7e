#include "net/curl_loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>

#include "base/error.h"

namespace holdfast::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

}  // namespace

// One descriptor that libcurl wants watched. Its sockets are ours from open to close, so that asio
// registers each once. Others (its resolver's wake-up pipe) are watched through a duplicate, since
// libcurl closes those without telling.
struct CurlLoop::Watch {
  Watch(const asio::any_io_executor& executor, int fd, bool own)
      : descriptor(executor, own ? fd : ::dup(fd)), number(fd), owned(own) {}

  asio::posix::stream_descriptor descriptor;
  curl_socket_t number;
  bool owned;
  bool closed = false;
  int wanted = 0;   // CURL_POLL_IN | CURL_POLL_OUT
  int waiting = 0;  // the waits under way
};

CurlLoop::CurlLoop(asio::any_io_executor executor, std::size_t kept_connections, Reach reach)
    : executor_(executor), timer_(executor), multi_(nullptr), reach_(reach) {
  multi_ = curl().multi_init();
  HOLDFAST_CHECK(multi_ != nullptr);
  curl().multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket);
  curl().multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl().multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer);
  curl().multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl().multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(kept_connections));
  curl().multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

CurlLoop::~CurlLoop() {
  // Closing the kept connections must not start the timer of a loop that goes away.
  curl().multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
  curl().multi_cleanup(multi_);
}

CURLMcode CurlLoop::add(CURL* easy) {
  curl().easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &CurlLoop::on_open);
  curl().easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl().easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlLoop::on_close);
  curl().easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  return curl().multi_add_handle(multi_, easy);
}

void CurlLoop::remove(CURL* easy) { curl().multi_remove_handle(multi_, easy); }

void CurlLoop::kick() { set_timer(0); }

int CurlLoop::on_timer(CURLM*, long milliseconds, void* self) {
  static_cast<CurlLoop*>(self)->set_timer(milliseconds);
  return 0;
}

void CurlLoop::set_timer(long milliseconds) {
  if (milliseconds < 0) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::milliseconds(milliseconds));
  timer_.async_wait([weak = weak_from_this()](const error_code& error) {
    auto self = weak.lock();
    if (error || !self) return;
    self->act(CURL_SOCKET_TIMEOUT, 0);
  });
}

curl_socket_t CurlLoop::on_open(void* self, curlsocktype, curl_sockaddr* address) {
  auto* loop = static_cast<CurlLoop*>(self);
  if (address->family != AF_UNIX && !may_reach(loop->reach_, address->addr)) {
    return CURL_SOCKET_BAD;
  }
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  try {
    loop->watches_[fd] = std::make_shared<Watch>(loop->executor_, fd, true);
  } catch (const std::exception&) {  // epoll refuses: out of memory or watches
    ::close(fd);
    return CURL_SOCKET_BAD;
  }
  return fd;
}

int CurlLoop::on_close(void* self, curl_socket_t fd) {
  auto* loop = static_cast<CurlLoop*>(self);
  const auto found = loop->watches_.find(fd);
  if (found == loop->watches_.end() || !found->second->owned) return ::close(fd);
  const auto watch = found->second;
  loop->watches_.erase(found);
  watch->closed = true;
  error_code ignored;
  watch->descriptor.close(ignored);
  return 0;
}

int CurlLoop::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto* loop = static_cast<CurlLoop*>(self);
  auto found = loop->watches_.find(fd);
  if (what == CURL_POLL_REMOVE) {
    if (found == loop->watches_.end()) return 0;
    found->second->wanted = 0;
    if (found->second->owned) return 0;
    found->second->closed = true;
    loop->watches_.erase(found);
    return 0;
  }
  if (found == loop->watches_.end()) {
    try {
      found = loop->watches_.emplace(fd, std::make_shared<Watch>(loop->executor_, fd, false)).first;
    } catch (const std::exception&) {
      return -1;
    }
  }
  const auto watch = found->second;
  watch->wanted = what;
  loop->wait(watch, CURL_POLL_IN);
  loop->wait(watch, CURL_POLL_OUT);
  return 0;
}

// Waits for one direction if it is wanted and not waited for. A wait that is no longer wanted is
// left alone: it ends by itself and is then ignored, which saves a cancellation a request.
void CurlLoop::wait(const std::shared_ptr<Watch>& watch, int direction) {
  if (watch->closed || !(watch->wanted & direction) || (watch->waiting & direction)) return;
  watch->waiting |= direction;
  const auto kind = direction == CURL_POLL_IN ? asio::posix::stream_descriptor::wait_read
                                              : asio::posix::stream_descriptor::wait_write;
  watch->descriptor.async_wait(
      kind, [weak = weak_from_this(), watch, direction](const error_code& error) {
        watch->waiting &= ~direction;
        auto self = weak.lock();
        if (!self || watch->closed || error == asio::error::operation_aborted) return;
        if (!(watch->wanted & direction)) return;
        const int flag = direction == CURL_POLL_IN ? CURL_CSELECT_IN : CURL_CSELECT_OUT;
        self->act(watch->number, error ? flag | CURL_CSELECT_ERR : flag);
        self->wait(watch, direction);
      });
}

void CurlLoop::act(curl_socket_t fd, int flags) {
  int running = 0;
  curl().multi_socket_action(multi_, fd, flags, &running);
  collect();
}

void CurlLoop::collect() {
  int left = 0;
  while (CURLMsg* message = curl().multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    void* transfer = nullptr;
    curl().easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    static_cast<Transfer*>(transfer)->finished(code);
  }
}

}  // namespace holdfast::net
