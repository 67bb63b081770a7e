// MountClient: talks to one `holdfast mount` process over its control socket (one line of JSON
// each way, see fusefs/mount_runner.h). Blocks, with a deadline; each call is a connection.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <string>

#include "base/error.h"

namespace holdfast::cli {

class MountClient {
 public:
  explicit MountClient(std::string socket) : socket_(std::move(socket)) {}

  // unavailable: no process listens there.
  Result<boost::json::object> call(const boost::json::object& command,
                                   std::chrono::milliseconds limit) const;

 private:
  std::string socket_;
};

}  // namespace holdfast::cli
