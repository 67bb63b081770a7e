// Staging: the local file behind an object that is being written, shared by all who have it open.
// Lives on the bucket view's strand. The file has no name on disk, so nothing is left after a
// crash. What could not be uploaded in the end is given one, for a person (rescue).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/event.h"
#include "base/fd.h"
#include "base/ids.h"

namespace holdfast::fusefs {

struct Staging {
  explicit Staging(boost::asio::any_io_executor executor) : settled(std::move(executor)) {}

  std::shared_ptr<const Fd> file;
  std::optional<ETag> replaces;  // the object that the upload takes the place of; none: a new one
  std::uint64_t writes = 0;      // grows with every change
  std::uint64_t uploaded = 0;    // value of `writes` that the store has
  bool ready = false;            // holds the object's content
  bool uploading = false;
  bool abandoned = false;        // unlinked: nothing of it is uploaded any more
  std::optional<Error> failure;  // of filling it
  int users = 0;                 // open handles that may write
  Event settled;                 // ready, failure or uploading changed

  bool dirty() const { return !abandoned && writes != uploaded; }
};

// A nameless file in `directory`.
Result<Fd> make_staging_file(const std::string& directory);
Result<std::uint64_t> staging_size(const Staging& staging);

// Gives what the store would not take a name in `directory`, which is made where it is missing:
// "TIME-BUCKET-NAME", and beside it a text that says what it is. Answers the path.
struct Rescue {
  std::string bucket, key;
  std::string reason;
  TimePoint time;
};
Result<std::string> rescue_staging(const Staging& staging, const std::string& directory,
                                   const Rescue& what);

}  // namespace holdfast::fusefs
