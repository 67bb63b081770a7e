#include "net/http_client.h"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <list>
#include <unordered_set>

#include "net/curl_transfer.h"
#include "net/unix_transfer.h"

namespace holdfast::net {

namespace asio = boost::asio;

struct HttpClient::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor e, ClientOptions o)
      : executor(std::move(e)), options(std::move(o)), room(executor) {}

  Result<std::unique_ptr<ClientTransfer>> make_transfer(ClientRequest request) {
    if (!request.unix_socket.empty()) return std::make_unique<UnixTransfer>(std::move(request));
    if (!loop) {
      if (auto there = load_curl(); !there) return std::unexpected(there.error());
      loop = std::make_shared<CurlLoop>(executor, options.max_connections, options.reach);
    }
    return std::make_unique<CurlTransfer>(loop, std::move(request), options);
  }

  asio::any_io_executor executor;
  ClientOptions options;
  std::shared_ptr<CurlLoop> loop;  // from the first request on that needs it
  Event room;
  std::size_t busy = 0;
  bool closed = false;
  std::unordered_set<ClientTransfer*> transfers;
};

namespace {

// A place among max_connections, and the transfer that fills it.
template <class State>
class Slot {
 public:
  explicit Slot(std::shared_ptr<State> state) : state_(std::move(state)) { ++state_->busy; }
  ~Slot() {
    if (transfer_) state_->transfers.erase(transfer_.get());
    transfer_.reset();
    --state_->busy;
    state_->room.notify();
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  Result<void> begin(ClientRequest request) {
    auto made = state_->make_transfer(std::move(request));
    if (!made) return std::unexpected(made.error());
    transfer_ = *std::move(made);
    state_->transfers.insert(transfer_.get());
    return transfer_->start();
  }
  ClientTransfer& transfer() { return *transfer_; }

 private:
  std::shared_ptr<State> state_;
  std::unique_ptr<ClientTransfer> transfer_;
};

template <class State>
class ResponseBody final : public BodyReader {
 public:
  explicit ResponseBody(std::unique_ptr<Slot<State>> slot)
      : slot_(std::move(slot)), size_(slot_->transfer().content_length()) {}

  asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (!slot_) co_return 0;
    auto got = co_await slot_->transfer().read(out);
    // The end frees the connection even when the caller keeps the reader.
    if (got && *got == 0) slot_.reset();
    co_return got;
  }
  std::optional<std::uint64_t> size() const override { return size_; }

 private:
  std::unique_ptr<Slot<State>> slot_;
  std::optional<std::uint64_t> size_;
};

}  // namespace

HttpClient::HttpClient(asio::any_io_executor executor, ClientOptions options)
    : state_(std::make_shared<State>(std::move(executor), std::move(options))) {}

HttpClient::~HttpClient() {
  state_->closed = true;
  for (auto* transfer : state_->transfers) {
    transfer->abort(Error{ErrorCode::cancelled, "the HTTP client was closed"});
  }
  state_->room.notify();
}

asio::awaitable<Result<ClientResponse>> HttpClient::send(ClientRequest request) {
  auto state = state_;
  try {
    while (state->busy >= state->options.max_connections && !state->closed) {
      co_await state->room.wait(std::chrono::seconds(10));
    }
    if (state->closed) co_return fail(ErrorCode::cancelled, "the HTTP client was closed");
    auto slot = std::make_unique<Slot<State>>(state);
    if (auto begun = slot->begin(std::move(request)); !begun) {
      co_return std::unexpected(begun.error());
    }
    auto& transfer = slot->transfer();
    auto headed = co_await transfer.run_to_head();
    if (auto now = co_await asio::this_coro::cancellation_state;
        now.cancelled() != asio::cancellation_type::none) {
      co_return fail(ErrorCode::cancelled, "the request was cancelled");
    }
    if (!headed) co_return std::unexpected(headed.error());
    ClientResponse response;
    response.status = transfer.status();
    auto body = std::make_unique<ResponseBody<State>>(std::move(slot));
    response.headers = transfer.take_headers();
    response.body = std::move(body);
    co_return response;
  } catch (const boost::system::system_error& e) {
    // asio throws at the first wait after a cancellation.
    if (e.code() != asio::error::operation_aborted) throw;
    co_return fail(ErrorCode::cancelled, "the request was cancelled");
  }
}

}  // namespace holdfast::net
