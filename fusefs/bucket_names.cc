// Making, removing and renaming in the bucket view.
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "fusefs/bucket_state.h"

namespace holdfast::fusefs {

namespace {

constexpr std::size_t largest_rename = 10'000;  // objects
constexpr std::size_t removed_at_once = 1'000;

}  // namespace

Task<void> BucketFs::State::do_mkdir(Reply reply, NodeId parent, std::string name) {
  const auto directory = nodes.find(parent);
  if (directory == nullptr) co_return void(reply.error(ESTALE));
  const auto place = child(directory->place, name);
  if (!place) co_return void(reply.error(view_errno(place.error())));
  if (place->path.empty() || !rights(*place).write) co_return void(reply.error(EACCES));
  store::PutRequest request;
  request.bucket = BucketName(place->bucket);
  request.key = ObjectKey(place->path + "/");
  request.attributes.content_type = "application/x-directory";
  request.size = 0;
  const auto body = make_string_reader("");
  const auto put = co_await store.put(std::move(request), *body);
  if (!put) co_return void(reply.error(view_errno(put.error())));
  listed.erase(place_key(*place));
  const auto node = node_for(*place, {.directory = true, .modified = clock.now()});
  ++node->lookups;
  reply.entry(entry(*node));
}

// The store has no empty directories; while the kernel knows this one, it stays.
void BucketFs::State::keep_parent(const BucketPath& place) {
  if (const auto parent = nodes.at(parent_of(place)); parent != nullptr) parent->kept_empty = true;
}

Task<void> BucketFs::State::do_unlink(Reply reply, NodeId parent, std::string name) {
  const auto directory = nodes.find(parent);
  if (directory == nullptr) co_return void(reply.error(ESTALE));
  const auto place = child(directory->place, name);
  if (!place) co_return void(reply.error(view_errno(place.error())));
  if (!rights(*place).write) co_return void(reply.error(EACCES));
  const auto node = nodes.at(*place);
  if (node != nullptr && node->staging != nullptr) {
    node->staging->abandoned = true;
    while (node->staging != nullptr && node->staging->uploading) {
      co_await node->staging->settled.wait(std::chrono::seconds(5));
    }
  }
  store::DeleteRequest request;
  request.bucket = BucketName(place->bucket);
  request.key = ObjectKey(place->path);
  const auto removed = co_await store.remove(std::move(request));
  if (!removed) {
    if (node != nullptr && node->staging != nullptr) node->staging->abandoned = false;
    co_return void(reply.error(view_errno(removed.error())));
  }
  listed.erase(place_key(*place));
  if (node != nullptr) nodes.remove(node);
  keep_parent(*place);
  reply.error(0);
}

Task<void> BucketFs::State::do_rmdir(Reply reply, NodeId parent, std::string name) {
  const auto directory = nodes.find(parent);
  if (directory == nullptr) co_return void(reply.error(ESTALE));
  const auto place = child(directory->place, name);
  if (!place) co_return void(reply.error(view_errno(place.error())));
  if (place->path.empty() || !rights(*place).write || view.leads_to_grant(*place, clock.now())) {
    co_return void(reply.error(EACCES));
  }
  const std::string marker = place->path + "/";
  store::ListRequest request;
  request.bucket = BucketName(place->bucket);
  request.prefix = marker;
  request.max_keys = 2;
  const auto page = co_await store.list(request);
  if (!page) co_return void(reply.error(view_errno(page.error())));
  for (const auto& object : page->objects) {
    if (object.key.value != marker) co_return void(reply.error(ENOTEMPTY));
  }
  for (const auto& node : nodes.all()) {
    if (!node->removed && node->staging != nullptr && parent_of(node->place) == *place) {
      co_return void(reply.error(ENOTEMPTY));
    }
  }
  if (!page->objects.empty()) {
    store::DeleteRequest removal;
    removal.bucket = request.bucket;
    removal.key = ObjectKey(marker);
    const auto removed = co_await store.remove(std::move(removal));
    if (!removed) co_return void(reply.error(view_errno(removed.error())));
  }
  listed.erase(place_key(*place));
  if (const auto node = nodes.at(*place); node != nullptr) nodes.remove(node);
  keep_parent(*place);
  reply.error(0);
}

Task<void> BucketFs::State::do_rename(Reply reply, RenameNames names) {
  const auto from_parent = nodes.find(names.from_parent);
  const auto to_parent = nodes.find(names.to_parent);
  if (from_parent == nullptr || to_parent == nullptr) co_return void(reply.error(ESTALE));
  const auto from = child(from_parent->place, names.from);
  const auto to = child(to_parent->place, names.to);
  if (!from || !to) co_return void(reply.error(ENAMETOOLONG));
  if (from->path.empty() || to->path.empty()) co_return void(reply.error(EACCES));
  const Rights at_from = rights(*from);
  if (!at_from.read || !at_from.write || !rights(*to).write) co_return void(reply.error(EACCES));

  const auto node = co_await resolve(*from);
  if (!node) co_return void(reply.error(view_errno(node.error())));
  const auto target = co_await resolve(*to);
  if (!target && to_errno(target.error().code) != ENOENT) {
    co_return void(reply.error(view_errno(target.error())));
  }
  if (target && !names.replace) co_return void(reply.error(EEXIST));
  if (target && (*target)->directory != (*node)->directory) {
    co_return void(reply.error((*node)->directory ? ENOTDIR : EISDIR));
  }
  if (target && (*target)->directory) co_return void(reply.error(ENOTEMPTY));
  auto done =
      (*node)->directory ? co_await rename_directory(*from, *to) : co_await rename_file(*node, *to);
  if (!done)
    co_return void(reply.error(
        done.error().code == ErrorCode::entity_too_large ? EXDEV : view_errno(done.error())));
  listed.clear();
  nodes.move(*from, *to);
  keep_parent(*from);
  reply.error(0);
}

Task<Result<void>> BucketFs::State::copy_object(BucketPath from, BucketPath to, ETag etag) {
  store::CopyRequest request;
  request.source_bucket = BucketName(from.bucket);
  request.source_key = ObjectKey(from.path);
  request.source_conditions.if_match = {std::move(etag)};
  request.bucket = BucketName(to.bucket);
  request.key = ObjectKey(to.path);
  const auto copied = co_await store.copy(std::move(request));
  if (!copied) co_return fail_within("copy " + place_key(from), copied.error());
  co_return Result<void>{};
}

Task<Result<void>> BucketFs::State::rename_file(BucketNodePtr node, BucketPath to) {
  if (auto up = co_await upload(node); !up) co_return up;
  store::CopyRequest request;
  request.source_bucket = BucketName(node->place.bucket);
  request.source_key = ObjectKey(node->place.path);
  request.source_conditions.if_match = {node->etag};
  request.bucket = BucketName(to.bucket);
  request.key = ObjectKey(to.path);
  const auto copied = co_await store.copy(std::move(request));
  if (!copied) co_return fail_within("copy " + place_key(node->place), copied.error());
  store::DeleteRequest removal;
  removal.bucket = BucketName(node->place.bucket);
  removal.key = ObjectKey(node->place.path);
  const auto removed = co_await store.remove(std::move(removal));
  if (!removed) co_return fail_within("remove " + place_key(node->place), removed.error());
  node->etag = copied->etag;
  if (node->staging != nullptr) node->staging->replaces = copied->etag;
  co_return Result<void>{};
}

// Copies all, then deletes all: a failure on the way leaves both, never neither.
Task<Result<void>> BucketFs::State::rename_directory(BucketPath from, BucketPath to) {
  std::vector<store::ObjectInfo> objects;
  store::ListRequest request;
  request.bucket = BucketName(from.bucket);
  request.prefix = from.path + "/";
  for (;;) {
    auto page = co_await store.list(request);
    if (!page) co_return std::unexpected(page.error());
    for (auto& object : page->objects) objects.push_back(std::move(object));
    if (objects.size() > largest_rename) {
      co_return fail(ErrorCode::entity_too_large, "over {} objects to rename", largest_rename);
    }
    if (!page->truncated) break;
    request.start_after = page->next;
  }
  for (const auto& node : nodes.all()) {
    if (!node->removed && node->staging != nullptr && node->place.bucket == from.bucket &&
        path_covered(from.path, node->place.path)) {
      co_return fail(ErrorCode::locked, "{} is being written", place_key(node->place));
    }
  }
  for (const auto& object : objects) {
    const BucketPath target{to.bucket, to.path + object.key.value.substr(from.path.size())};
    auto copied = co_await copy_object({from.bucket, object.key.value}, target, object.etag);
    if (!copied) co_return copied;
  }
  for (std::size_t at = 0; at < objects.size(); at += removed_at_once) {
    std::vector<store::DeleteRequest> removals;
    for (std::size_t n = at; n < std::min(objects.size(), at + removed_at_once); ++n) {
      store::DeleteRequest removal;
      removal.bucket = request.bucket;
      removal.key = objects[n].key;
      removals.push_back(std::move(removal));
    }
    for (const auto& removed : co_await store.remove_many(std::move(removals))) {
      if (!removed) co_return std::unexpected(removed.error());
    }
  }
  co_return Result<void>{};
}

}  // namespace holdfast::fusefs
