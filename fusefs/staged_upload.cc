#include "fusefs/staged_upload.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/body.h"
#include "store/parallel.h"

namespace holdfast::fusefs {
namespace {

constexpr std::uint64_t least_part = 16u << 20;
constexpr std::uint64_t most_parts = 10'000;
constexpr std::size_t parts_at_once = 4;

std::uint64_t part_size(std::uint64_t size) {
  constexpr std::uint64_t step = 1u << 20;
  const std::uint64_t needed = (size + most_parts - 1) / most_parts;
  return std::max(least_part, (needed + step - 1) / step * step);
}

store::Async<store::PutResult> send_whole(store::ObjectStore& store, const StagedUpload& upload) {
  store::PutRequest request;
  request.bucket = upload.bucket;
  request.key = upload.key;
  request.size = upload.size;
  request.conditions = upload.conditions;
  const auto body = make_extent_reader({FileExtent{upload.file, 0, upload.size}});
  co_return co_await store.put(std::move(request), *body);
}

// Shared by the parts, which may outlive a cancelled caller.
struct Parts {
  Parts(store::ObjectStore& s, const StagedUpload& upload, UploadId name)
      : store(s), whole(upload), id(std::move(name)), size(part_size(upload.size)) {
    done.resize((upload.size + size - 1) / size);
  }
  store::ObjectStore& store;
  const StagedUpload whole;
  const UploadId id;
  const std::uint64_t size;
  std::vector<store::CompletedPart> done;
  std::optional<Error> failure;
};

boost::asio::awaitable<void> send_part(std::shared_ptr<Parts> parts, std::size_t index) {
  if (parts->failure) co_return;
  const std::uint64_t first = index * parts->size;
  const std::uint64_t length = std::min(parts->size, parts->whole.size - first);
  store::PartRequest request;
  request.bucket = parts->whole.bucket;
  request.key = parts->whole.key;
  request.upload = parts->id;
  request.number = static_cast<std::uint32_t>(index + 1);
  request.size = length;
  const auto body = make_extent_reader({FileExtent{parts->whole.file, first, length}});
  auto sent = co_await parts->store.put_part(request, *body);
  if (sent)
    parts->done[index] = {request.number, std::move(sent->etag), std::move(sent->checksums)};
  else
    parts->failure = sent.error();
}

}  // namespace

store::Async<store::PutResult> send_staged(store::ObjectStore& store, StagedUpload upload) {
  if (upload.size <= upload.whole) co_return co_await send_whole(store, upload);
  store::CreateUploadRequest create;
  create.bucket = upload.bucket;
  create.key = upload.key;
  auto id = co_await store.create_upload(std::move(create));
  if (!id) co_return std::unexpected(id.error());
  auto parts = std::make_shared<Parts>(store, upload, *id);
  co_await store::for_each_index(parts->done.size(), parts_at_once,
                                 [parts](std::size_t index) { return send_part(parts, index); });
  if (!parts->failure) {
    store::CompleteRequest complete;
    complete.bucket = upload.bucket;
    complete.key = upload.key;
    complete.upload = *id;
    complete.parts = parts->done;
    complete.conditions = upload.conditions;
    auto done = co_await store.complete_upload(std::move(complete));
    if (done) co_return done;
    parts->failure = done.error();
  }
  (void)co_await store.abort_upload(upload.bucket, upload.key, *id);
  co_return std::unexpected(*parts->failure);
}

}  // namespace holdfast::fusefs
