// What holdfast_bench_s3_load is asked for, and its requests: GET requests are signed before the
// clock starts, PUT requests as they are sent. next() may be called from any thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "s3/digest.h"
#include "s3/sigv4.h"

namespace holdfast {

struct LoadOptions {
  std::uint16_t port = 0;
  std::string host = "localhost";
  std::string method = "GET";
  std::string path = "/";
  std::string body_file;
  std::uint64_t keys = 1000;  // GET
  std::uint64_t count = 0;    // PUT: so many requests instead of a time
  std::uint64_t range = 0;    // GET: so many bytes of each body, in turn from all over it
  unsigned connections = 32;
  unsigned threads = 1;
  bool spin = false;
  bool tls = false;
  double warm_up = 0.5;
  double seconds = 3;
};

class LoadRequests {
 public:
  LoadRequests(const LoadOptions& options, std::string body)
      : options_(options), body_(std::move(body)), get_(options.method == "GET") {
    host_ = fmt::format("{}:{}", options.host, options.port);
    body_hash_ = get_ ? std::string(s3::empty_sha256_hex) : s3::sha256_hex(body_);
    const char* key = std::getenv("AWS_ACCESS_KEY_ID");
    const char* secret = std::getenv("AWS_SECRET_ACCESS_KEY");
    if (key != nullptr && secret != nullptr) credentials_ = s3::Credentials{key, secret, {}};
    s3::SigningKeyCache cache;
    const std::uint64_t made = options.keys * (options.range != 0 ? ranges_of_a_key : 1);
    for (std::uint64_t n = 0; get_ && n < made; ++n) ready_.push_back(make(n, cache));
  }

  const std::string& body() const { return body_; }
  bool get() const { return get_; }
  int status() const { return options_.range != 0 ? 206 : 200; }
  std::uint64_t answer_bytes() const { return options_.range != 0 ? options_.range : body_.size(); }
  // Whether this is a part of the body that some request asked for.
  bool is_answer(std::string_view got) const {
    if (options_.range == 0) return got == body_;
    return got.size() == options_.range && body_.contains(got);
  }

  // nullptr: all of `count` are given out. `own` holds a request that was made for the caller.
  const std::string* next(std::string& own, s3::SigningKeyCache& cache) {
    const auto n = given_.fetch_add(1, std::memory_order_relaxed);
    if (get_) return &ready_[n % ready_.size()];
    if (options_.count != 0 && n >= options_.count) return nullptr;
    own = make(n, cache);
    return &own;
  }

 private:
  static constexpr std::uint64_t ranges_of_a_key = 16;

  // Not aligned to anything, spread over the body.
  std::uint64_t range_of(std::uint64_t n) const {
    return n * 2654435761u %
           (body_.size() - std::min<std::uint64_t>(options_.range, body_.size()) + 1);
  }
  std::string make(std::uint64_t n, s3::SigningKeyCache& cache) const {
    const std::string path = fmt::format("{}{:08}", options_.path, get_ ? n % options_.keys : n);
    std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", options_.method, path, host_);
    if (!get_) out += fmt::format("Content-Length: {}\r\n", body_.size());
    if (options_.range != 0) {
      const std::uint64_t first = range_of(n);
      out += fmt::format("Range: bytes={}-{}\r\n", first, first + options_.range - 1);
    }
    if (credentials_) {
      const std::array headers{s3::HeaderView{"host", host_}};
      const s3::SigningRequest request{options_.method, path, {}, headers};
      s3::SignOptions sign{.now = SystemClock().now(), .payload_hash = body_hash_, .cache = &cache};
      for (const auto& [name, value] : s3::sign_headers(request, *credentials_, sign).headers) {
        out += fmt::format("{}: {}\r\n", name, value);
      }
    }
    out += "\r\n";
    if (!get_) out += body_;
    return out;
  }

  const LoadOptions& options_;
  std::string body_, body_hash_, host_;
  bool get_;
  std::optional<s3::Credentials> credentials_;
  std::vector<std::string> ready_;
  std::atomic<std::uint64_t> given_ = 0;
};

}  // namespace holdfast
