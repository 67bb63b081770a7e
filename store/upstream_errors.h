// What a failure of the endpoint behind a gateway means to the gateway's own caller, for
// UpstreamStore's files. Pure.
#pragma once

#include "base/body.h"
#include "base/error.h"
#include "store/object_store.h"

namespace holdfast::store {

// The endpoint's refusal of *our* credentials or its silence is trouble of ours: unavailable.
Error translate_upstream(const Error& error);

template <class T>
Result<T> translate_upstream(Result<T> result) {
  if (result) return result;
  return std::unexpected(translate_upstream(result.error()));
}

// Remembers whether the caller's body failed by itself: that failure is the caller's.
class WatchedReader final : public BodyReader {
 public:
  explicit WatchedReader(BodyReader& source) : source_(source) {}
  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    auto got = co_await source_.read(out);
    // An endpoint that goes away in the middle cancels what waits for the caller.
    if (!got && got.error().code != ErrorCode::cancelled) failed_ = true;
    if (got && *got == 0) ended_ = true;
    co_return got;
  }
  std::optional<std::uint64_t> size() const override { return source_.size(); }

  template <class T>
  Result<T> explain(Result<T> result) const {
    // A body that ended before its declared length is the caller's as well.
    const bool short_body = ended_ && !result && result.error().code == ErrorCode::incomplete_body;
    return failed_ || short_body ? std::move(result) : translate_upstream(std::move(result));
  }

 private:
  BodyReader& source_;
  bool failed_ = false;
  bool ended_ = false;
};

}  // namespace holdfast::store
