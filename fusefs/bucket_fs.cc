#include "fusefs/bucket_fs.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "base/log.h"
#include "fusefs/bucket_state.h"

namespace holdfast::fusefs {

namespace asio = boost::asio;

BucketPath parent_of(const BucketPath& place) {
  if (place.path.empty()) return {};
  const auto slash = place.path.rfind('/');
  return {place.bucket, slash == std::string::npos ? "" : place.path.substr(0, slash)};
}

std::string name_of(const BucketPath& place) {
  if (place.path.empty()) return place.bucket;
  return place.path.substr(place.path.rfind('/') + 1);
}

int view_errno(const Error& error) {
  switch (error.code) {
    case ErrorCode::unavailable:
    case ErrorCode::timed_out:
    case ErrorCode::throttled:
    case ErrorCode::cancelled:
    case ErrorCode::checksum_mismatch:
    case ErrorCode::corrupted:
      return EIO;
    case ErrorCode::invalid_range:
      return ESTALE;  // the object became shorter
    default:
      return to_errno(error.code);
  }
}

BucketFs::State::State(asio::any_io_executor executor, BucketOptions wanted,
                       store::ObjectStore& objects, store::AccessFeed& access, Clock& time)
    : strand(executor),
      options(std::move(wanted)),
      store(objects),
      feed(access),
      clock(time),
      tasks(executor),
      cache(executor, options.cache_bytes) {}

BucketFs::BucketFs(asio::any_io_executor strand, BucketOptions options, store::ObjectStore& store,
                   store::AccessFeed& access, Clock& clock)
    : strand_(strand),
      state_(std::make_shared<State>(strand, std::move(options), store, access, clock)) {}

void BucketFs::attach(std::shared_ptr<Channel> channel) {
  constexpr std::size_t queue_limit = 65'536;
  state_->channel = std::move(channel);
  state_->invalidator = std::make_unique<Invalidator>(
      [channel = state_->channel] { channel->invalidate_content(root_node); }, queue_limit);
}

void BucketFs::detach() { state_->invalidator->stop(); }

asio::awaitable<void> BucketFs::start() {
  const auto state = state_;
  co_await state->poll_access();
  state->tasks.spawn("access feed", state->follow_access());
}

asio::awaitable<void> BucketFs::stop() {
  const auto state = state_;
  state->stopping = true;
  co_await state->tasks.stop(std::chrono::seconds(0));
}

template <class Method, class... Args>
void BucketFs::run(Method method, Reply reply, Args... args) {
  asio::post(strand_, [state = state_, method, reply = std::move(reply),
                       ... args = std::move(args)]() mutable {
    state->tasks.spawn("bucket view", (state.get()->*method)(std::move(reply), std::move(args)...));
  });
}

void BucketFs::lookup(Reply reply, NameAt name) {
  run(&State::do_lookup, std::move(reply), name.parent, std::string(name.name));
}
void BucketFs::forget(std::span<const ForgetItem> items) {
  asio::post(strand_, [state = state_, list = std::vector(items.begin(), items.end())] {
    for (const auto& item : list) state->nodes.forget(item.node, item.lookups);
  });
}
void BucketFs::getattr(Reply reply, NodeId node, std::uint64_t*) {
  run(&State::do_getattr, std::move(reply), node);
}
void BucketFs::setattr(Reply reply, NodeId node, AttributeChange change, std::uint64_t*) {
  run(&State::do_setattr, std::move(reply), node, change);
}
void BucketFs::mknod(Reply reply, NameAt, std::uint32_t, std::uint64_t) { reply.error(EPERM); }
void BucketFs::mkdir(Reply reply, NameAt name, std::uint32_t) {
  run(&State::do_mkdir, std::move(reply), name.parent, std::string(name.name));
}
void BucketFs::unlink(Reply reply, NameAt name) {
  run(&State::do_unlink, std::move(reply), name.parent, std::string(name.name));
}
void BucketFs::rmdir(Reply reply, NameAt name) {
  run(&State::do_rmdir, std::move(reply), name.parent, std::string(name.name));
}
void BucketFs::symlink(Reply reply, NameAt, std::string_view) { reply.error(EPERM); }
void BucketFs::link(Reply reply, NodeId, NameAt) { reply.error(EPERM); }
void BucketFs::rename(Reply reply, NameAt from, NameAt to, unsigned flags) {
  if ((flags & ~1u) != 0) return void(reply.error(EINVAL));  // only RENAME_NOREPLACE
  run(&State::do_rename, std::move(reply),
      State::RenameNames{from.parent, to.parent, std::string(from.name), std::string(to.name),
                         (flags & 1u) == 0});
}
void BucketFs::open(Reply reply, NodeId node, int flags) {
  run(&State::do_open, std::move(reply), node, flags);
}
void BucketFs::create(Reply reply, NameAt name, std::uint32_t, int flags) {
  run(&State::do_create, std::move(reply), name.parent, std::string(name.name), flags);
}
void BucketFs::read(Reply reply, NodeId, std::uint64_t handle, ReadSpan span) {
  run(&State::do_read, std::move(reply), handle, span);
}
void BucketFs::write(Reply reply, NodeId, std::uint64_t handle, std::uint64_t offset,
                     std::span<const std::byte> data) {
  run(&State::do_write, std::move(reply), handle, offset, std::vector(data.begin(), data.end()));
}
void BucketFs::flush(Reply reply, NodeId, std::uint64_t handle) {
  run(&State::do_flush, std::move(reply), handle);
}
void BucketFs::fsync(Reply reply, NodeId, std::uint64_t handle, bool) {
  run(&State::do_flush, std::move(reply), handle);
}
void BucketFs::release(Reply reply, NodeId, std::uint64_t handle) {
  run(&State::do_release, std::move(reply), handle);
}
void BucketFs::opendir(Reply reply, NodeId node) {
  run(&State::do_opendir, std::move(reply), node);
}
void BucketFs::readdir(Reply reply, NodeId, std::uint64_t handle, ReadSpan span) {
  run(&State::do_readdir, std::move(reply), handle, span, State::Plus::no);
}
void BucketFs::readdirplus(Reply reply, NodeId, std::uint64_t handle, ReadSpan span) {
  run(&State::do_readdir, std::move(reply), handle, span, State::Plus::yes);
}
void BucketFs::releasedir(Reply reply, NodeId, std::uint64_t handle) {
  run(&State::do_releasedir, std::move(reply), handle);
}
void BucketFs::statfs(Reply reply, NodeId) {
  struct statvfs statistics{};
  statistics.f_bsize = statistics.f_frsize = 4096;
  // A store has no size to speak of; tools that check for room first must not be turned away.
  statistics.f_blocks = statistics.f_bfree = statistics.f_bavail = 1ull << 38;
  statistics.f_files = statistics.f_ffree = statistics.f_favail = 1ull << 32;
  statistics.f_namemax = 255;
  reply.statistics(statistics);
}

// --- Attributes.

bool BucketFs::State::shown(const BucketPath& place) const {
  if (place.bucket.empty()) return true;
  const Rights held = rights(place);
  return held.read || held.write || view.leads_to_grant(place, clock.now());
}

struct stat BucketFs::State::attributes(const BucketNode& node) const {
  struct stat out{};
  const Rights held = rights(node.place);
  out.st_ino = std::hash<std::string>{}(place_key(node.place));
  out.st_uid = options.uid;
  out.st_gid = options.gid;
  out.st_blksize = 128 << 10;
  if (node.directory) {
    out.st_mode = S_IFDIR | (held.write ? 0700 : 0500);
    out.st_nlink = 2;
  } else {
    out.st_mode = S_IFREG | (held.read ? 0400u : 0u) | (held.write ? 0200u : 0u);
    out.st_nlink = node.removed ? 0 : 1;
    out.st_size = static_cast<off_t>(node.size);
    out.st_blocks = static_cast<blkcnt_t>((node.size + 511) / 512);
  }
  const auto since = node.modified.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  out.st_mtim = {seconds.count(), (since - seconds).count()};
  out.st_atim = out.st_ctim = out.st_mtim;
  return out;
}

Entry BucketFs::State::entry(const BucketNode& node) const {
  Entry out;
  out.node = node.id;
  out.attributes = attributes(node);
  out.attribute_timeout = out.entry_timeout = options.cache_seconds;
  return out;
}

Task<void> BucketFs::State::do_getattr(Reply reply, NodeId id) {
  const auto node = nodes.find(id);
  if (node == nullptr) co_return void(reply.error(ESTALE));
  if (!shown(node->place)) co_return void(reply.error(EACCES));
  reply.attributes(attributes(*node), options.cache_seconds);
}

// --- Grants.

Task<void> BucketFs::State::follow_access() {
  while (!stopping) {
    const auto pause = co_await poll_access();
    if (pause.count() > 0) co_await sleep_for(pause);
  }
}

// One look at the feed; answers how long to wait before the next.
Task<std::chrono::milliseconds> BucketFs::State::poll_access() {
  const auto wait = std::chrono::milliseconds(view_known ? 25'000 : 0);
  auto page = co_await feed.access(epoch, wait);
  if (stopping) co_return std::chrono::milliseconds(0);
  if (page) {
    epoch = page->epoch;
    feed_failed = false;
    apply(AccessView(std::move(page->visible)));
    co_return std::chrono::milliseconds(wait.count() == 0 ? 0 : 10);
  }
  if (page.error().code == ErrorCode::access_denied ||
      page.error().code == ErrorCode::unauthenticated) {
    apply(AccessView());
    co_return std::chrono::seconds(5);
  }
  if (page.error().code != ErrorCode::not_supported) {
    if (!std::exchange(feed_failed, true)) {
      SPDLOG_WARN("fusefs: the list of buckets cannot be had: {}", page.error().context);
    }
    co_return std::chrono::seconds(1);
  }
  // Another S3 endpoint: what it lists is what there is; its own policy judges each request.
  auto buckets = co_await store.list_buckets();
  if (!buckets) co_return std::chrono::seconds(1);
  std::vector<store::VisibleEntry> entries;
  for (auto& bucket : *buckets) entries.push_back({bucket.name, "", store::AccessLevel::write, {}});
  apply(AccessView(std::move(entries)));
  co_return std::chrono::seconds(10);
}

void BucketFs::State::apply(AccessView fresh) {
  const auto now = clock.now();
  const AccessView before = std::exchange(view, std::move(fresh));
  view_known = true;
  for (const auto& node : nodes.all()) {
    if (node->place.bucket.empty()) continue;
    const Rights held = before.rights(node->place, now);
    const bool was_shown = held.read || held.write || before.leads_to_grant(node->place, now);
    if (held != rights(node->place) || was_shown != shown(node->place)) announce_loss(*node);
  }
}

// Pages and attributes go, and the name where nothing may be seen any more.
void BucketFs::State::announce_loss(const BucketNode& node) {
  if (invalidator == nullptr) return;
  invalidator->post("content " + std::to_string(node.id),
                    [channel = channel, id = node.id] { channel->invalidate_content(id); });
  const auto parent = nodes.at(parent_of(node.place));
  const NodeId parent_id = node.place.path.empty() ? root_node : parent ? parent->id : 0;
  if (shown(node.place) || node.removed || parent_id == 0) return;
  invalidator->post("entry " + place_key(node.place),
                    [channel = channel, parent_id, name = name_of(node.place)] {
                      channel->invalidate_entry(parent_id, name);
                    });
}

}  // namespace holdfast::fusefs
