#include "gateway/s3_listen.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstring>
#include <utility>

#include "gateway/s3_authorization.h"
#include "gateway/s3_event_records.h"

namespace holdfast::gateway {
namespace {

constexpr std::uint64_t usual_ping_seconds = 5;
constexpr std::uint32_t page_entries = 200;

class EventStream final : public BodyReader {
 public:
  EventStream(store::ObjectStore& store, EventFilter filter, EventSource source,
              std::uint64_t position, std::chrono::seconds ping, Rejudge rejudge)
      : store_(store),
        filter_(std::move(filter)),
        source_(std::move(source)),
        position_(position),
        ping_(ping),
        rejudge_(std::move(rejudge)) {}

  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    if (at_ == pending_.size()) {
      if (auto filled = co_await fill(); !filled) co_return std::unexpected(filled.error());
    }
    const std::size_t n = std::min(out.size(), pending_.size() - at_);
    std::memcpy(out.data(), pending_.data() + at_, n);
    at_ += n;
    co_return n;
  }
  std::optional<std::uint64_t> size() const override { return std::nullopt; }

 private:
  // A second at a time, so that a right that ends is seen: the error cuts the connection.
  boost::asio::awaitable<Result<void>> fill() {
    pending_.clear();
    at_ = 0;
    for (quiet_ = {}; pending_.empty(); ++quiet_) {
      if (!rejudge_.still_allowed()) {
        co_return fail(ErrorCode::access_denied, "the right to listen has ended");
      }
      if (quiet_ >= ping_) {
        pending_ = " ";
        break;
      }
      auto looked = co_await look();
      if (!looked) co_return looked;
    }
    co_return Result<void>();
  }

  boost::asio::awaitable<Result<void>> look() {
    store::ChangesRequest request;
    request.bucket = source_.bucket;
    request.prefix = filter_.prefix;
    request.after = position_;
    request.limit = page_entries;
    request.wait = std::chrono::seconds(1);
    auto page = co_await store_.changes(std::move(request));
    if (!page) co_return std::unexpected(page.error());
    // What was forgotten cannot be told; whoever needs every event asks with a position.
    position_ = page->next;
    for (const store::Change& change : page->changes) {
      if (!filter_.wants(change)) continue;
      const boost::json::object line{
          {"Records", boost::json::array{event_record(change, source_)}}};
      pending_ += boost::json::serialize(line) + "\n";
    }
    co_return Result<void>();
  }

  store::ObjectStore& store_;
  EventFilter filter_;
  EventSource source_;
  std::uint64_t position_;
  std::chrono::seconds ping_;
  Rejudge rejudge_;
  std::chrono::seconds quiet_{0};
  std::string pending_;
  std::size_t at_ = 0;
};

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    if (comma > 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

}  // namespace

bool asks_to_listen(const S3Call& call) {
  return call.target.query.has("suffix") || call.target.query.has("ping");
}

S3Answer listen_to_events(S3Call& call) {
  auto ping = number_of(call, "ping", {1, 60, usual_ping_seconds});
  if (!ping) co_return std::unexpected(std::move(ping.error()));
  EventFilter filter{split(call.query("events")), std::string(call.query("prefix")),
                     std::string(call.query("suffix"))};
  store::ChangesRequest end;
  end.bucket = call.bucket();
  end.prefix = filter.prefix;
  auto now = co_await call.store().changes(std::move(end));
  if (!now) co_return refuse_with(now.error());
  EventSource source{call.backend.options.hosts.region, call.bucket(), "", "s3:"};
  auto needs = needs_of(call);
  if (!needs) co_return std::unexpected(std::move(needs.error()));
  S3Reply reply = empty_reply(200);
  reply.head.headers.add("Content-Type", "text/event-stream");
  reply.head.headers.add("Cache-Control", "no-store");
  reply.body = std::unique_ptr<BodyReader>(
      std::make_unique<EventStream>(call.store(), std::move(filter), std::move(source), now->next,
                                    std::chrono::seconds(*ping), Rejudge(call, std::move(*needs))));
  co_return reply;
}

}  // namespace holdfast::gateway
