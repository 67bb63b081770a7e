// A whole S3Service over a MemoryStore, spoken to through exchanges in memory: signed requests in,
// recorded answers out. Time stands still until a test moves it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/random.h"
#include "gateway/s3_service.h"
#include "s3/checksum.h"
#include "s3/sigv4.h"
#include "store/memory_store.h"

namespace holdfast::gateway {

class StillClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  MonotonicTime monotonic() const override { return std::chrono::steady_clock::now(); }
  void advance(std::chrono::seconds by) { now_ += by; }

 private:
  TimePoint now_ = *from_amz_date("20261122T050000Z");
};

class MutablePolicy final : public control::PolicySource {
 public:
  std::shared_ptr<const control::PolicySnapshot> current() const override { return snapshot_; }
  void publish(control::PolicyContent content) {
    content.epoch = ++epoch_;
    snapshot_ = std::make_shared<const control::PolicySnapshot>(std::move(content));
  }

 private:
  std::uint64_t epoch_ = 0;
  std::shared_ptr<const control::PolicySnapshot> snapshot_;
};

class RecordedAudit final : public AuditSink {
 public:
  void record(AuditEvent event) override { events.push_back(std::move(event)); }
  std::vector<AuditEvent> events;
};

struct Answer {
  unsigned status = 0;
  net::Headers headers;
  std::string body;
  bool cut = false;  // the body ended before its length
  std::string code() const {
    const auto from = body.find("<Code>");
    if (from == std::string::npos) return {};
    return body.substr(from + 6, body.find("</Code>") - from - 6);
  }
};

// Hands out the body in pieces, and tells a test before each.
class PiecedReader final : public BodyReader {
 public:
  PiecedReader(std::string data, std::size_t piece) : data_(std::move(data)), piece_(piece) {}
  boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> out) override {
    ++reads;
    if (before_read) before_read(reads);
    const std::size_t count = std::min({out.size(), piece_, data_.size() - at_});
    std::copy_n(std::as_bytes(std::span(data_)).data() + at_, count, out.data());
    at_ += count;
    co_return count;
  }
  std::optional<std::uint64_t> size() const override {
    return sized ? std::optional<std::uint64_t>(data_.size()) : std::nullopt;
  }
  std::function<void(int)> before_read;
  int reads = 0;
  bool sized = true;

 private:
  std::string data_;
  std::size_t piece_;
  std::size_t at_ = 0;
};

class MemoryExchange final : public net::Exchange {
 public:
  MemoryExchange(net::RequestHead head, std::string body)
      : reader(std::move(body), 64u << 10), head_(std::move(head)) {}

  const net::RequestHead& request() const override { return head_; }
  BodyReader& body() override { return reader; }
  const boost::asio::ip::tcp::endpoint& peer() const override { return peer_; }
  bool secure() const override { return false; }
  bool answered() const override { return answers > 0; }
  boost::asio::awaitable<Result<void>> respond(net::ResponseHead head, std::string body) override {
    ++answers;
    answer.status = head.status;
    answer.headers = std::move(head.headers);
    answer.body = std::move(body);
    co_return Result<void>();
  }
  boost::asio::awaitable<Result<void>> respond(net::ResponseHead head, Body body,
                                               std::optional<std::uint64_t> length) override {
    ++answers;
    answer.status = head.status;
    answer.headers = std::move(head.headers);
    answer.cut = true;  // until the end has been reached
    if (before_body) co_await before_body();
    if (guard_.go_on && !guard_.go_on()) co_return fail(ErrorCode::cancelled, "cut");
    if (head_.method == "HEAD") body = std::string();
    auto text = co_await read_all(*make_reader(std::move(body)), 1u << 30);
    if (!text) co_return std::unexpected(text.error());
    answer.body = std::move(*text);
    answer.cut = head_.method != "HEAD" && length && answer.body.size() != *length;
    co_return Result<void>();
  }
  void guard(net::SendGuard guard) override { guard_ = std::move(guard); }
  std::unique_ptr<RawConnection> take_over() override { return nullptr; }

  PiecedReader reader;
  Answer answer;
  int answers = 0;
  std::function<boost::asio::awaitable<void>()> before_body;

 private:
  net::RequestHead head_;
  net::SendGuard guard_;
  boost::asio::ip::tcp::endpoint peer_;
};

struct Signer {
  std::string key, secret, token;
};

class S3Fixture : public ::testing::Test {
 protected:
  S3Fixture() {
    options_.hosts.domains = {"localhost", "s3.test"};
    options_.console_origins = {"http://localhost:7080"};
    options_.audit = AuditLevel::denials;
    options_.rejudge_after = std::chrono::milliseconds(1);
    options_.epoch_poll = std::chrono::milliseconds(1);
    content_.homes_bucket = BucketName("homes");
    content_.principals.push_back({.name = PrincipalName("admin"), .admin = true});
    add_key("admin", {});
    add_person("alice", control::Level::write, "research", "");
    add_person("bob", control::Level::read, "research", "public/");
    add_person("dora", control::Level::drop, "research", "in/");
    policy_.publish(content_);
    service_.emplace(store_, policy_, audit_, clock_, random_, options_);
    make_bucket("research");
    make_bucket("other");
  }

  control::KeyRecord& add_key(const std::string& name, std::string token) {
    content_.keys.push_back({.id = AccessKeyId("AK" + name),
                             .secret = name + "-secret",
                             .principal = PrincipalName(name),
                             .session_token = std::move(token)});
    return content_.keys.back();
  }
  void add_person(const std::string& name, control::Level level, const std::string& bucket,
                  const std::string& prefix) {
    content_.principals.push_back({.name = PrincipalName(name)});
    add_key(name, {});
    content_.grants.push_back({.id = static_cast<std::int64_t>(content_.grants.size()) + 1,
                               .principal = PrincipalName(name),
                               .bucket = BucketName(bucket),
                               .prefix = prefix,
                               .level = level});
  }
  static Signer signer(const std::string& name) { return {"AK" + name, name + "-secret", {}}; }

  static net::RequestHead head_of(std::string method, std::string target, net::Headers headers) {
    net::RequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    head.headers = std::move(headers);
    if (!head.headers.has("host")) head.headers.add("Host", "127.0.0.1:7070");
    return head;
  }

  // Signs in the header, the body's digest included.
  net::RequestHead sign(net::RequestHead head, const Signer& who, std::string payload_hash) const {
    const auto& all = head.headers.items();
    s3::SignOptions options;
    options.now = clock_.now();
    options.payload_hash = std::move(payload_hash);
    const auto made = s3::sign_headers({head.method, head.path(), head.query(), all},
                                       {who.key, who.secret, who.token}, options);
    for (const auto& [name, value] : made.headers) head.headers.add(name, value);
    return head;
  }
  std::string presign(const std::string& method, const std::string& target, const Signer& who,
                      std::chrono::seconds expires) const {
    const auto head = head_of(method, target, {});
    const auto& all = head.headers.items();
    s3::SignOptions options;
    options.now = clock_.now();
    return std::string(head.path()) + "?" +
           s3::presign_query({head.method, head.path(), head.query(), all},
                             {who.key, who.secret, who.token}, options, expires);
  }

  Answer run(MemoryExchange& exchange) {
    bool ended = false;
    boost::asio::co_spawn(context_, service_->handle(exchange),
                          [&](const std::exception_ptr& error) {
                            if (error) std::rethrow_exception(error);
                            ended = true;
                          });
    context_.restart();
    while (!ended && context_.run_one() > 0) {
    }
    EXPECT_TRUE(ended);
    EXPECT_EQ(exchange.answers, 1);
    return exchange.answer;
  }
  Answer send(net::RequestHead head, std::string body = {}) {
    MemoryExchange exchange(std::move(head), std::move(body));
    return run(exchange);
  }
  // The usual request: header signature over everything.
  Answer as(const std::string& name, std::string method, std::string target, std::string body = {},
            net::Headers headers = {}) {
    const std::string hash = s3::sha256_hex(body);
    return send(
        sign(head_of(std::move(method), std::move(target), std::move(headers)), signer(name), hash),
        std::move(body));
  }
  void make_bucket(const std::string& name) {
    EXPECT_EQ(as("admin", "PUT", "/" + name).status, 200u);
  }
  void expect_denied(const Answer& answer) {
    EXPECT_EQ(answer.status, 403u);
    EXPECT_EQ(answer.code(), "AccessDenied");
  }
  static net::Headers header(std::string_view name, std::string_view value) {
    net::Headers headers;
    headers.add(name, value);
    return headers;
  }

  boost::asio::io_context context_;
  StillClock clock_;
  SystemRandom random_;
  MutablePolicy policy_;
  RecordedAudit audit_;
  store::MemoryStore store_{context_.get_executor(), clock_, random_};
  control::PolicyContent content_;
  S3ServiceOptions options_;
  std::optional<S3Service> service_;
};

}  // namespace holdfast::gateway
