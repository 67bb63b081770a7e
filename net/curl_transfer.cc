#include "net/curl_transfer.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <charconv>
#include <cstring>

#include "net/http_parse.h"

namespace holdfast::net {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// One block is being sent while the next is read.
constexpr std::size_t upload_block = 256u << 10;
constexpr std::size_t upload_blocks = 2;

milliseconds until(CurlTransfer::Clock::time_point time) {
  return std::chrono::ceil<milliseconds>(time - CurlTransfer::Clock::now());
}

}  // namespace

CurlTransfer::CurlTransfer(std::shared_ptr<CurlLoop> loop, ClientRequest request,
                           ClientOptions options)
    : loop_(std::move(loop)),
      request_(std::move(request)),
      options_(std::move(options)),
      changed_(loop_->executor()),
      uploading_(uploads(request_)) {}

CurlTransfer::~CurlTransfer() { leave_loop(); }

void CurlTransfer::leave_loop() {
  if (added_) loop_->remove(easy_.get());
  added_ = false;
}

Result<void> CurlTransfer::start() {
  auto list = make_header_list(request_);
  if (!list) return std::unexpected(list.error());
  header_list_ = *std::move(list);
  easy_.reset(curl().easy_init());
  if (!easy_) return fail(ErrorCode::internal, "libcurl gave no handle");
  CURL* easy = easy_.get();
  if (auto set = set_request(easy, request_, options_, header_list_.get()); !set) return set;
  curl().easy_setopt(easy, CURLOPT_PRIVATE, static_cast<CurlLoop::Transfer*>(this));
  curl().easy_setopt(easy, CURLOPT_ERRORBUFFER, detail_);
  curl().easy_setopt(easy, CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
  curl().easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl().easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlTransfer::on_write);
  curl().easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (uploading_) {
    curl().easy_setopt(easy, CURLOPT_READFUNCTION, &CurlTransfer::on_read);
    curl().easy_setopt(easy, CURLOPT_READDATA, this);
    curl().easy_setopt(easy, CURLOPT_SEEKFUNCTION, &CurlTransfer::on_seek);
    curl().easy_setopt(easy, CURLOPT_SEEKDATA, this);
  }
  if (const auto code = loop_->add(easy); code != CURLM_OK) {
    return fail(ErrorCode::internal, "libcurl: {}", curl().multi_strerror(code));
  }
  added_ = true;
  return {};
}

Result<void> CurlTransfer::outcome() const {
  if (error_) return std::unexpected(*error_);
  return {};
}

void CurlTransfer::finished(CURLcode code) {
  if (finished_) return;
  finished_ = true;
  if (code != CURLE_OK && !error_) error_ = error_from_curl(code, detail_, request_.url);
  leave_loop();
  changed_.notify();
}

void CurlTransfer::abort(Error error) {
  if (finished_) return;
  finished_ = true;
  error_ = std::move(error);
  leave_loop();
  changed_.notify();
}

void CurlTransfer::unpause() {
  upload_paused_ = false;
  download_paused_ = false;
  if (!added_) return;
  // Hands over what it held back at once, so that a callback may pause again within this call.
  curl().easy_pause(easy_.get(), CURLPAUSE_CONT);
  loop_->kick();
}

std::size_t CurlTransfer::on_read(char* out, std::size_t size, std::size_t count, void* self) {
  return static_cast<CurlTransfer*>(self)->give_upload(std::span(out, size * count));
}

std::size_t CurlTransfer::give_upload(std::span<char> out) {
  progress_ = Clock::now();
  std::size_t given = 0;
  while (given < out.size() && !upload_.empty()) {
    const auto& block = upload_.front();
    const std::size_t n = std::min(out.size() - given, block.size() - upload_at_);
    std::memcpy(out.data() + given, block.data() + upload_at_, n);
    given += n;
    upload_at_ += n;
    if (upload_at_ < block.size()) break;
    upload_.pop_front();
    upload_at_ = 0;
    changed_.notify();
  }
  if (given > 0 || upload_ended_) return given;
  upload_paused_ = true;
  changed_.notify();
  return CURL_READFUNC_PAUSE;
}

int CurlTransfer::on_seek(void* self, curl_off_t offset, int origin) {
  // A kept connection that the server had closed is tried again by libcurl on a new one; that works
  // while nothing of the body was handed out.
  const auto* transfer = static_cast<CurlTransfer*>(self);
  std::uint64_t held = 0;
  for (const auto& block : transfer->upload_) held += block.size();
  const bool untouched = transfer->upload_at_ == 0 && held == transfer->upload_total_;
  return origin == SEEK_SET && offset == 0 && untouched ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

std::size_t CurlTransfer::on_write(char* data, std::size_t size, std::size_t count, void* self) {
  auto* transfer = static_cast<CurlTransfer*>(self);
  const std::size_t bytes = size * count;
  auto& buffer = transfer->download_;
  if (buffer.size() - transfer->download_at_ >= transfer->options_.buffer_bytes) {
    transfer->download_paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (transfer->download_at_ > 0 && transfer->download_at_ * 2 >= buffer.size()) {
    buffer.erase(0, transfer->download_at_);
    transfer->download_at_ = 0;
  }
  buffer.append(data, bytes);
  transfer->progress_ = Clock::now();
  transfer->changed_.notify();
  return bytes;
}

std::size_t CurlTransfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  auto* transfer = static_cast<CurlTransfer*>(self);
  return transfer->note_header(std::string_view(data, bytes)) ? bytes : 0;
}

bool CurlTransfer::note_header(std::string_view line) {
  if (head_done_) return true;  // a trailer
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/") && headers_.items().empty()) {
    const auto space = line.find(' ');
    const auto digits = space == std::string_view::npos ? "" : line.substr(space + 1, 3);
    status_ = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), status_);
    return status_ >= 100;
  }
  if (line.empty()) {
    if (status_ < 200) {
      headers_ = {};
      return true;
    }
    head_done_ = true;
    progress_ = Clock::now();
    changed_.notify();
    return true;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || headers_.items().size() >= max_header_count) return false;
  auto value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  headers_.add(line.substr(0, colon), value);
  return true;
}

asio::awaitable<Result<void>> CurlTransfer::run_to_head() {
  using namespace asio::experimental::awaitable_operators;
  if (!uploading_) co_return co_await wait_for_head();
  // An early answer ends the upload, a failed upload ends the request.
  auto results = co_await (feed_upload() || wait_for_head());
  if (results.index() == 1) co_return std::get<1>(results);
  if (auto& fed = std::get<0>(results); !fed) {
    abort(fed.error());
    co_return fed;
  }
  co_return co_await wait_for_head();
}

asio::awaitable<Result<void>> CurlTransfer::feed_upload() {
  const auto size = request_.body_size;
  while (upload_open()) {
    if (upload_.size() >= upload_blocks) {
      co_await changed_.wait(request_.stall_timeout);
      continue;
    }
    std::uint64_t room = upload_block;
    if (size) room = std::min<std::uint64_t>(room, *size - upload_total_);
    std::vector<std::byte> block(std::max<std::uint64_t>(room, 1));
    std::size_t filled = 0;
    while (filled < room && upload_open()) {
      auto got = co_await request_.body->read(std::span(block).subspan(filled));
      if (!got) co_return fail_within("upload", got.error());
      if (*got == 0) {
        upload_ended_ = true;
        if (size && upload_total_ + filled < *size) {
          co_return fail(ErrorCode::incomplete_body, "upload: the body ended {} bytes early",
                         *size - upload_total_ - filled);
        }
        break;
      }
      filled += *got;
      if (upload_paused_) break;  // the connection is idle: do not wait for a whole block
    }
    upload_total_ += filled;
    progress_ = Clock::now();
    if (size && upload_total_ == *size) upload_ended_ = true;
    block.resize(filled);
    if (filled > 0) upload_.push_back(std::move(block));
    if (upload_paused_) unpause();
  }
  // Waits for the head in any case, so that `feed || wait` ends by the latter unless this failed.
  while (!head_done_ && !finished_ && upload_ended_) co_await changed_.wait(request_.stall_timeout);
  co_return Result<void>();
}

asio::awaitable<Result<void>> CurlTransfer::wait_for_head() {
  while (!head_done_ && !finished_) {
    // While our own reader is slow the server is not to blame.
    if (upload_open() && upload_paused_) progress_ = Clock::now();
    const bool sending = uploading_ && !(upload_ended_ && upload_.empty());
    const auto limit = sending
                           ? request_.stall_timeout
                           : request_.head_timeout + (added_ ? milliseconds(0) : milliseconds(1));
    const auto left = until(progress_ + limit);
    if (left.count() <= 0) {
      abort(Error{ErrorCode::timed_out,
                  fmt::format("request to {}: no answer in {} ms",
                              request_.url.substr(0, request_.url.find('?')), limit.count())});
      break;
    }
    co_await changed_.wait(left);
  }
  if (head_done_) {
    // The body reader is the caller's again from here on.
    upload_ended_ = true;
    request_.body = nullptr;
    co_return Result<void>();
  }
  co_return outcome();
}

asio::awaitable<Result<std::size_t>> CurlTransfer::read(std::span<std::byte> out) {
  progress_ = Clock::now();
  for (;;) {
    const std::size_t held = download_.size() - download_at_;
    if (held > 0) {
      const std::size_t n = std::min(out.size(), held);
      std::memcpy(out.data(), download_.data() + download_at_, n);
      download_at_ += n;
      if (download_at_ == download_.size()) {
        download_.clear();
        download_at_ = 0;
      }
      if (download_paused_ && held - n <= options_.buffer_bytes / 2) unpause();
      co_return n;
    }
    if (finished_) {
      if (error_) co_return std::unexpected(*error_);
      co_return 0;
    }
    if (download_paused_) unpause();
    const auto left = until(progress_ + request_.stall_timeout);
    if (left.count() <= 0) {
      abort(Error{ErrorCode::timed_out, "response body: nothing came in time"});
      continue;
    }
    if (download_.empty() && !finished_) co_await changed_.wait(left);
  }
}

std::optional<std::uint64_t> CurlTransfer::content_length() const {
  if (request_.method == "HEAD") return 0;
  const auto text = headers_.get("Content-Length");
  std::uint64_t length = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return length;
}

}  // namespace holdfast::net
