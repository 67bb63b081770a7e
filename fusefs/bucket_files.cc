// Open files of the bucket view: staging and upload.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "fusefs/bucket_state.h"
#include "fusefs/staged_upload.h"

namespace holdfast::fusefs {

namespace {

constexpr auto wake_up = std::chrono::seconds(5);  // waiters look again at least this often

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0; }

Error errno_error(const char* what) { return error_from_errno(errno, what); }

}  // namespace

std::uint64_t BucketFs::State::add_file(BucketNodePtr node, int flags) {
  auto file = std::make_shared<File>();
  file->node = std::move(node);
  file->readable = (flags & O_ACCMODE) != O_WRONLY;
  file->writable = writes(flags);
  const std::uint64_t handle = next_handle++;
  files[handle] = std::move(file);
  return handle;
}

Task<void> BucketFs::State::do_open(Reply reply, NodeId id, int flags) {
  const auto node = nodes.find(id);
  if (node == nullptr) co_return void(reply.error(ESTALE));
  const Rights held = rights(node->place);
  const bool reads = (flags & O_ACCMODE) != O_WRONLY;
  if ((reads && !held.read) || (writes(flags) && !held.write)) {
    co_return void(reply.error(EACCES));
  }
  if (node->removed) co_return void(reply.error(ESTALE));
  auto ready =
      writes(flags) ? co_await stage(node, (flags & O_TRUNC) != 0) : co_await confirm(node);
  if (!ready) {
    // ESTALE makes the kernel look the name up again; it must not hear the old answer then.
    listed.erase(place_key(node->place));
    co_return void(reply.error(view_errno(ready.error())));
  }
  Opened opened;
  opened.handle = add_file(node, flags);
  opened.keep_cache = node->staging == nullptr;  // a node's content never changes without staging
  if (!reply.opened(opened)) {
    files.erase(opened.handle);
    if (writes(flags)) co_await leave_staging(node);
  }
}

Task<void> BucketFs::State::do_create(Reply reply, NodeId parent, std::string name, int flags) {
  const auto directory = nodes.find(parent);
  if (directory == nullptr) co_return void(reply.error(ESTALE));
  const auto place = child(directory->place, name);
  if (!place) co_return void(reply.error(view_errno(place.error())));
  if (place->path.empty() || !rights(*place).write) co_return void(reply.error(EACCES));
  if (nodes.at(*place) != nullptr && nodes.at(*place)->staging != nullptr) {
    co_return void(reply.error((flags & O_EXCL) != 0 ? EEXIST : ESTALE));
  }
  BucketNode fresh;
  fresh.place = *place;
  fresh.modified = clock.now();
  const auto node = nodes.add(std::move(fresh));
  auto staging = start_staging(*node);
  if (!staging) {
    nodes.remove(node);
    nodes.forget(node->id, 0);
    co_return void(reply.error(view_errno(staging.error())));
  }
  (*staging)->ready = true;
  (*staging)->writes = 1;  // an empty file is an object too
  (*staging)->users = 1;
  ++node->lookups;
  Opened opened;
  opened.handle = add_file(node, (flags & O_ACCMODE) | O_TRUNC);
  files[opened.handle]->readable = (flags & O_ACCMODE) != O_WRONLY;
  reply.created(entry(*node), opened);
}

Result<std::shared_ptr<Staging>> BucketFs::State::start_staging(BucketNode& node) {
  auto file = make_staging_file(options.staging);
  if (!file) return std::unexpected(file.error());
  node.staging = std::make_shared<Staging>(strand);
  node.staging->file = std::make_shared<const Fd>(std::move(*file));
  if (!node.etag.empty()) node.staging->replaces = node.etag;
  return node.staging;
}

Task<Result<void>> BucketFs::State::stage(BucketNodePtr node, bool empty) {
  if (node->staging == nullptr) {
    const auto started = start_staging(*node);
    if (!started) co_return std::unexpected(started.error());
    (*started)->users = 1;
    if (empty) {
      (*started)->ready = true;
      (*started)->writes = 1;
      node->size = 0;
      co_return Result<void>{};
    }
    auto filled = co_await fill(node, *started);
    if (!filled && node->staging == *started) node->staging = nullptr;
    co_return filled;
  }
  const auto staging = node->staging;
  while (!staging->ready && !staging->failure) co_await staging->settled.wait(wake_up);
  if (staging->failure) co_return std::unexpected(*staging->failure);
  ++staging->users;
  if (empty) {
    auto emptied = co_await truncate(node, 0);
    if (!emptied) --staging->users;
    co_return emptied;
  }
  co_return Result<void>{};
}

// Brings the object's bytes into the staging file.
Task<Result<void>> BucketFs::State::fill(BucketNodePtr node, std::shared_ptr<Staging> staging) {
  Result<void> outcome;
  store::GetRequest request;
  request.bucket = BucketName(node->place.bucket);
  request.key = ObjectKey(node->place.path);
  request.conditions.if_match = {node->etag};
  auto got = co_await store.get(std::move(request));
  if (!got) outcome = std::unexpected(got.error());
  std::uint64_t at = 0;
  if (got) {
    const auto reader = make_reader(std::move(got->body));
    std::vector<std::byte> buffer(1u << 20);
    for (;;) {
      const auto piece = co_await reader->read(buffer);
      if (!piece) outcome = std::unexpected(piece.error());
      if (!piece || *piece == 0) break;
      outcome = write_all_at(staging->file->get(), std::span(buffer).first(*piece), at);
      if (!outcome) break;
      at += *piece;
    }
    if (outcome && at != node->size) outcome = fail(ErrorCode::io, "the object's size moved");
  }
  staging->ready = outcome.has_value();
  if (!outcome) staging->failure = outcome.error();
  staging->settled.notify();
  co_return outcome;
}

Task<Result<void>> BucketFs::State::truncate(BucketNodePtr node, std::uint64_t size) {
  const auto staging = node->staging;
  if (::ftruncate(staging->file->get(), static_cast<off_t>(size)) != 0) {
    co_return std::unexpected(errno_error("truncate a staging file"));
  }
  ++staging->writes;
  node->size = size;
  node->modified = clock.now();
  co_return Result<void>{};
}

Task<void> BucketFs::State::do_write(Reply reply, std::uint64_t handle, std::uint64_t offset,
                                     std::vector<std::byte> data) {
  const auto found = files.find(handle);
  if (found == files.end()) co_return void(reply.error(EBADF));
  const auto& node = found->second->node;
  if (!rights(node->place).write) co_return void(reply.error(EACCES));
  if (node->staging == nullptr) co_return void(reply.error(EBADF));
  if (auto put = write_all_at(node->staging->file->get(), data, offset); !put) {
    co_return void(reply.error(view_errno(put.error())));
  }
  ++node->staging->writes;
  node->size = std::max(node->size, offset + data.size());
  node->modified = clock.now();
  reply.written(data.size());
}

// Makes the store hold what the staging file holds.
Task<Result<void>> BucketFs::State::upload(BucketNodePtr node) {
  const auto staging = node->staging;
  if (staging == nullptr) co_return Result<void>{};
  while (staging->uploading) co_await staging->settled.wait(wake_up);
  if (!staging->dirty()) co_return Result<void>{};
  const auto size = staging_size(*staging);
  if (!size) co_return std::unexpected(size.error());
  staging->uploading = true;
  const std::uint64_t target = staging->writes;
  StagedUpload wanted{.bucket = BucketName(node->place.bucket),
                      .key = ObjectKey(node->place.path),
                      .file = staging->file,
                      .size = *size};
  if (staging->replaces)
    wanted.conditions.if_match = *staging->replaces;
  else
    wanted.conditions.if_none_match_any = true;
  const auto put = co_await send_staged(store, std::move(wanted));
  staging->uploading = false;
  staging->settled.notify();
  if (!put) co_return fail_within("upload " + place_key(node->place), put.error());
  staging->uploaded = target;
  staging->replaces = put->etag;
  node->etag = put->etag;
  node->modified = put->modified == TimePoint{} ? clock.now() : put->modified;
  nodes.renew_content(*node);
  listed.erase(place_key(node->place));
  co_return Result<void>{};
}

Task<void> BucketFs::State::do_flush(Reply reply, std::uint64_t handle) {
  const auto found = files.find(handle);
  if (found == files.end()) co_return void(reply.error(EBADF));
  const auto file = found->second;
  if (!file->writable) co_return void(reply.error(0));
  if (!rights(file->node->place).write) co_return void(reply.error(EACCES));
  const auto done = co_await upload(file->node);
  if (!done) SPDLOG_WARN("fusefs: {}", done.error().context);
  reply.error(done ? 0 : view_errno(done.error()));
}

Task<void> BucketFs::State::do_release(Reply reply, std::uint64_t handle) {
  const auto found = files.find(handle);
  if (found == files.end()) co_return void(reply.error(0));
  const auto file = std::move(found->second);
  files.erase(found);
  if (file->writable) co_await leave_staging(file->node);
  reply.error(0);
}

// The last writer takes the staging file away; what a mapping wrote after close(2) goes up first.
Task<void> BucketFs::State::leave_staging(BucketNodePtr node) {
  const auto staging = node->staging;
  if (staging == nullptr || --staging->users > 0) co_return;
  if (staging->dirty()) {
    Result<void> done = fail(ErrorCode::access_denied, "the right to write there has gone");
    if (rights(node->place).write) done = co_await upload(node);
    if (!done) rescue(*node, done.error().context);
  }
  if (staging->users > 0 || node->staging != staging) co_return;  // opened again meanwhile
  node->staging = nullptr;
  if (node->etag.empty()) nodes.remove(node);  // it never came to be
}

void BucketFs::State::rescue(const BucketNode& node, std::string reason) const {
  const Rescue what{node.place.bucket, node.place.path, std::move(reason), clock.now()};
  const auto path = options.rescued.empty()
                        ? fail(ErrorCode::not_supported, "there is no directory for it")
                        : rescue_staging(*node.staging, options.rescued, what);
  if (path) {
    SPDLOG_ERROR("fusefs: {} was not uploaded ({}); what was written is kept as {}",
                 log_field(place_key(node.place)), what.reason, *path);
  } else {
    SPDLOG_ERROR("fusefs: what was written to {} is lost: {}; {}", log_field(place_key(node.place)),
                 what.reason, path.error().context);
  }
}

Task<void> BucketFs::State::do_setattr(Reply reply, NodeId id, AttributeChange change) {
  const auto node = nodes.find(id);
  if (node == nullptr) co_return void(reply.error(ESTALE));
  if (!rights(node->place).write) co_return void(reply.error(EACCES));
  if (change.uid && change.values.st_uid != options.uid) co_return void(reply.error(EPERM));
  if (change.size) {
    if (node->directory) co_return void(reply.error(EISDIR));
    const auto size = static_cast<std::uint64_t>(change.values.st_size);
    const bool alone = node->staging == nullptr;
    auto done = co_await stage(node, size == 0);
    if (done && size > 0) done = co_await truncate(node, size);
    if (done && alone) done = co_await upload(node);
    if (node->staging != nullptr && (done || !alone))
      co_await leave_staging(node);
    else if (!done && alone)
      node->staging = nullptr;
    if (!done) co_return void(reply.error(view_errno(done.error())));
  }
  reply.attributes(attributes(*node), options.cache_seconds);
}

}  // namespace holdfast::fusefs
