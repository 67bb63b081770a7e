// Names and listings of the bucket view.
#include <cerrno>
#include <utility>

#include "fusefs/bucket_state.h"
#include "fusefs/directory_page.h"

namespace holdfast::fusefs {

namespace {

// Names that a directory entry can have; keys with others are not shown.
bool showable(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('\0') == std::string::npos;
}

bool is_missing(const Error& error) { return to_errno(error.code) == ENOENT; }

}  // namespace

Result<BucketPath> BucketFs::State::child(const BucketPath& parent, const std::string& name) {
  if (name.size() > 255) return fail(ErrorCode::invalid_name, "a name over 255 bytes");
  if (parent.bucket.empty()) return BucketPath{name, ""};
  return BucketPath{parent.bucket, directory_prefix(parent) + name};
}

Task<void> BucketFs::State::do_lookup(Reply reply, NodeId parent, std::string name) {
  const auto directory = nodes.find(parent);
  if (directory == nullptr) co_return void(reply.error(ESTALE));
  const auto place = child(directory->place, name);
  if (!place) co_return void(reply.error(view_errno(place.error())));
  const auto node = co_await resolve(*place);
  if (!node) co_return void(reply.error(view_errno(node.error())));
  ++(*node)->lookups;
  reply.entry(entry(**node));
}

// The node that the name stands for now.
Task<Result<BucketNodePtr>> BucketFs::State::resolve(BucketPath place) {
  if (!view_known) co_return fail(ErrorCode::unavailable, "the list of buckets is not known yet");
  const Rights held = rights(place);
  const bool leads = view.leads_to_grant(place, clock.now());
  if (!held.read && !held.write && !leads) {
    co_return fail(ErrorCode::no_such_key, "no such name");
  }
  const Stat as_directory{.directory = true};
  if (place.path.empty() || (!held.read && leads)) co_return node_for(place, as_directory);
  if (const auto known = nodes.at(place); known != nullptr && known->staging != nullptr) {
    co_return known;
  }
  // Who may only drop files sees the ones that are still being written, and no others.
  if (!held.read) co_return fail(ErrorCode::no_such_key, "no such name");

  auto stat = co_await stat_object(place);
  if (!stat && leads && (is_missing(stat.error()) || to_errno(stat.error().code) == EACCES)) {
    stat = as_directory;
  }
  const auto known = nodes.at(place);
  if (known != nullptr && known->staging != nullptr) co_return known;
  if (!stat && is_missing(stat.error()) && known != nullptr && known->kept_empty) co_return known;
  if (!stat) co_return std::unexpected(stat.error());
  co_return node_for(place, *stat);
}

BucketNodePtr BucketFs::State::node_for(const BucketPath& place, const Stat& stat) {
  if (auto known = nodes.at(place); known != nullptr && known->directory == stat.directory) {
    if (stat.directory || known->etag == stat.etag || known->staging != nullptr) return known;
  }
  BucketNode node;
  node.place = place;
  node.directory = stat.directory;
  node.etag = stat.etag;
  node.size = stat.size;
  node.modified = stat.modified;
  return nodes.add(std::move(node));
}

// One listing tells both an object of that name and a directory, unless many names begin alike.
Task<Result<BucketFs::State::Stat>> BucketFs::State::stat_object(BucketPath place) {
  if (const auto found = listed.find(place_key(place)); found != listed.end()) {
    if (clock.monotonic() < found->second.until) co_return found->second.stat;
    listed.erase(found);
  }
  store::ListRequest request;
  request.bucket = BucketName(place.bucket);
  request.prefix = place.path;
  request.delimiter = "/";
  request.max_keys = 50;
  const auto page = co_await store.list(request);
  if (!page) co_return std::unexpected(page.error());
  const std::string as_prefix = place.path + "/";
  for (const auto& prefix : page->common_prefixes) {
    if (prefix == as_prefix) co_return Stat{.directory = true};
  }
  if (page->truncated) {
    store::ListRequest below;
    below.bucket = request.bucket;
    below.prefix = as_prefix;
    below.max_keys = 1;
    const auto inside = co_await store.list(below);
    if (!inside) co_return std::unexpected(inside.error());
    if (!inside->objects.empty()) co_return Stat{.directory = true};
  }
  for (const auto& object : page->objects) {
    if (object.key.value == place.path) {
      co_return Stat{.etag = object.etag, .size = object.size, .modified = object.modified};
    }
  }
  co_return fail(ErrorCode::no_such_key, "no such name");
}

// --- Listings.

Task<void> BucketFs::State::do_opendir(Reply reply, NodeId id) {
  const auto node = nodes.find(id);
  if (node == nullptr) co_return void(reply.error(ESTALE));
  if (!view_known) co_return void(reply.error(EIO));
  if (!shown(node->place)) co_return void(reply.error(EACCES));
  auto directory = std::make_shared<Directory>();
  directory->node = node;
  directory->items = {{".", {.directory = true}}, {"..", {.directory = true}}};
  for (const auto& name : view.names_below(node->place, clock.now())) {
    add_listed(*directory, name, {.directory = true});
  }
  if (!rights(node->place).read) {
    add_local(*directory);
    directory->listed = true;
  }
  Opened opened;
  opened.handle = next_handle++;
  directories[opened.handle] = std::move(directory);
  if (!reply.opened(opened)) directories.erase(opened.handle);
}

Task<void> BucketFs::State::do_releasedir(Reply reply, std::uint64_t handle) {
  directories.erase(handle);
  reply.error(0);
  co_return;
}

void BucketFs::State::add_listed(Directory& directory, const std::string& name, Stat stat) {
  if (!showable(name) || !directory.names.insert(name).second) return;
  directory.items.push_back({name, std::move(stat)});
}

// What is being written and what is kept although empty, which no listing shows.
void BucketFs::State::add_local(Directory& directory) {
  for (const auto& node : nodes.all()) {
    if (node->removed || node->place.path.empty()) continue;
    if (node->staging == nullptr && !node->kept_empty) continue;
    if (parent_of(node->place) != directory.node->place) continue;
    add_listed(directory, name_of(node->place), {.directory = node->directory, .size = node->size});
  }
}

// The next page of the listing.
Task<Result<void>> BucketFs::State::list_more(Directory& directory) {
  const BucketPath place = directory.node->place;
  if (!rights(place).read) co_return fail(ErrorCode::access_denied, "the grant is gone");
  store::ListRequest request;
  request.bucket = BucketName(place.bucket);
  request.prefix = directory_prefix(place);
  request.delimiter = "/";
  request.start_after = directory.start_after;
  const auto page = co_await store.list(request);
  if (!page) co_return std::unexpected(page.error());
  // Directories first: beside "a/b" an object "a" is not shown.
  for (const auto& prefix : page->common_prefixes) {
    const std::string name =
        prefix.substr(request.prefix.size(), prefix.size() - request.prefix.size() - 1);
    add_listed(directory, name, {.directory = true});
  }
  const auto until =
      clock.monotonic() + std::chrono::milliseconds(static_cast<int>(options.cache_seconds * 1000));
  if (listed.size() > 50'000) listed.clear();
  for (const auto& object : page->objects) {
    const std::string name = object.key.value.substr(request.prefix.size());
    const Stat stat{.etag = object.etag, .size = object.size, .modified = object.modified};
    if (!showable(name) || directory.names.contains(name)) continue;
    listed[place_key({place.bucket, object.key.value})] = {stat, until};
    add_listed(directory, name, stat);
  }
  directory.start_after = page->next;
  directory.listed = !page->truncated;
  if (directory.listed) add_local(directory);
  co_return Result<void>{};
}

Task<void> BucketFs::State::do_readdir(Reply reply, std::uint64_t handle, ReadSpan span,
                                       Plus plus) {
  const auto found = directories.find(handle);
  if (found == directories.end()) co_return void(reply.error(EBADF));
  const auto directory = found->second;
  while (directory->items.size() <= span.offset && !directory->listed) {
    auto more = co_await list_more(*directory);
    if (!more) co_return void(reply.error(view_errno(more.error())));
  }
  DirectoryPage page(span.size);
  for (std::size_t at = span.offset; at < directory->items.size(); ++at) {
    const auto& item = directory->items[at];
    const auto place = child(directory->node->place, item.name);
    const bool dots = at < 2;
    const DirectoryItem line{item.name,
                             dots || !place ? 1 : std::hash<std::string>{}(place_key(*place)),
                             item.stat.directory ? std::uint32_t{S_IFDIR} : std::uint32_t{S_IFREG},
                             static_cast<std::int64_t>(at + 1)};
    if (plus == Plus::no || dots || !place) {
      if (!(plus == Plus::no ? page.add(line) : page.add(line, Entry{}))) break;
      continue;
    }
    if (!page.fits_with_entry(item.name)) break;
    const auto node = node_for(*place, item.stat);
    ++node->lookups;
    page.add(line, entry(*node));
  }
  reply.data(page.bytes());
}

}  // namespace holdfast::fusefs
