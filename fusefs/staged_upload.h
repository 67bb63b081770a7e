// Sends a staging file to the store: in one request, or in parts where it is large (AWS S3: a PUT
// takes 5 GiB at most, a part 5 MiB at least, an object 10,000 parts). Runs on the caller's
// executor, which must not run handlers in parallel.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>

#include "base/fd.h"
#include "store/object_store.h"

namespace holdfast::fusefs {

struct StagedUpload {
  BucketName bucket;
  ObjectKey key;
  std::shared_ptr<const Fd> file;
  std::uint64_t size = 0;  // bytes of the file that are the object
  store::WriteConditions conditions;
  std::uint64_t whole = 64u << 20;  // up to here in one request
};

// Errors as of the store. What a failed upload in parts has sent is given back.
store::Async<store::PutResult> send_staged(store::ObjectStore& store, StagedUpload upload);

}  // namespace holdfast::fusefs
