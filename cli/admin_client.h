// AdminClient: how the admin commands reach a running `holdfast serve`: the JSON API over the unix
// socket in the data directory. Blocks; one call at a time.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace holdfast::cli {

using QueryItems = std::vector<std::pair<std::string, std::string>>;

class AdminClient {
 public:
  explicit AdminClient(std::string data) : data_(std::move(data)) {}

  // unavailable when no server runs on this data directory: says how to start one.
  Result<boost::json::object> get(std::string_view path, const QueryItems& query = {}) const;
  Result<boost::json::object> post(std::string_view path, boost::json::object body) const;
  Result<boost::json::object> remove(std::string_view path) const;

  // Signed URLs: what `holdfast cat` and `cp` move bytes by.
  Result<void> download(const std::string& url,
                        const std::function<Result<void>(std::span<const std::byte>)>& sink) const;
  Result<void> upload(const std::string& url, Fd file, std::uint64_t size) const;

 private:
  Result<boost::json::object> call(std::string method, std::string target, std::string body) const;
  std::string data_;
};

}  // namespace holdfast::cli
