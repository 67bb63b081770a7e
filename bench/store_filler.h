// What holdfast_bench_store_scale fills a store with, past the store: records straight into its
// log, rows straight into its index. No store has the directory open meanwhile. A failure ends the
// program.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "index/catalogue.h"
#include "store/log_record.h"
#include "store/log_segments.h"

namespace holdfast {

constexpr std::size_t bench_body_bytes = 64;
constexpr std::uint32_t bench_part_count = 1000;
inline const BucketName bench_bucket("bench");

template <class T>
T must(Result<T> result, std::string_view what) {
  if (!result) {
    fmt::print(stderr, "{}: {}\n", what, result.error().context);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// The rows of new objects straight into the index.
class BenchRows {
 public:
  BenchRows(const std::string& path, std::uint64_t objects);
  void add(const store::PutVersionOp& op, std::uint64_t sequence, store::LogPosition body);
  void commit();

 private:
  index::Catalogue catalogue_;
  index::AppliedState state_;
  std::map<std::uint64_t, std::int64_t> live_;
  std::uint64_t bucket_ = 0, pending_ = 0;
  std::int64_t bytes_ = 0;
};

class StoreFiller {
 public:
  explicit StoreFiller(const std::string& directory);
  ~StoreFiller() { flush(); }

  std::string index_path() const { return directory_ + "/index/catalogue.db"; }
  void object(std::string key, BenchRows* rows = nullptr);
  // An upload whose parts are there, each a file of its own: holes, which read as zeros.
  void upload(std::string key, std::string id);
  void flush();

 private:
  // Answers where the body lies.
  store::LogPosition append(const store::LogOp& op, std::string_view body);

  std::string directory_;
  SystemRandom random_;
  std::uint64_t bucket_ = 0, sequence_ = 0, first_ = 0;
  std::optional<store::LogWriter> log_;
  store::PutVersionOp op_;
  std::string body_, group_;
  std::size_t in_group_ = 0;
};

}  // namespace holdfast
