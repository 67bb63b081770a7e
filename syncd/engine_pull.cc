// Remote changes on their way into the tree, and the filling of stubs.
#include <sys/stat.h>

#include "base/log.h"
#include "syncd/engine.h"
#include "syncd/engine_rows.h"
#include "syncd/home_paths.h"

namespace holdfast::syncd {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t chunk_bytes = 256u << 10;
constexpr std::uint64_t write_inline_bytes = 64u << 10;
constexpr std::uint64_t longest_link_bytes = 65536;
constexpr milliseconds child_poll{50};
constexpr const char* blocked_reason = "the store holds a file of the name of its directory";

// Something else is there than a moment ago: look again instead of failing.
bool moved_underneath(const Error& error) {
  return error.code == ErrorCode::already_exists || error.code == ErrorCode::not_found ||
         error.code == ErrorCode::conflict;
}

}  // namespace

Engine::Async<Step> Engine::pull(Case& at, Work& work, Displaced displaced) {
  const RemoteNode* node = at.fetched();
  if (!node) co_return fail(ErrorCode::internal, "{}: nothing to pull", at.path);
  if (at.local.kind == Kind::absent && !work.moved_to.empty()) {
    co_return co_await follow_move(at, work);
  }
  // Whoever holds it open would go on writing to what is no longer there.
  if (at.local.kind == Kind::file && writers_.contains(at.path)) {
    work.due = clock_.monotonic() + config_.settle_max;
    co_return Step::later;
  }
  if (auto blocker = file_above(at.path)) {
    if (work_.contains(*blocker)) {
      work.due = clock_.monotonic() + child_poll;
      co_return Step::later;
    }
    drop(at.path);  // nothing is agreed on about what cannot be here
    ledger_->park(at.path, blocked_reason);
    co_return Step::done;
  }
  if (auto made = make_parents(at.path); !made) co_return std::unexpected(made.error());
  if (node->kind == Kind::directory) co_return co_await pull_directory(at, displaced);
  if (at.local.kind == Kind::directory) co_return co_await clear_directory(at, work);
  if (node->kind == Kind::symlink) co_return co_await pull_symlink(at, displaced);
  co_return co_await pull_file(at, displaced);
}

// A directory became a file in the store. Where something in the directory survives, it keeps the
// name after all.
Engine::Async<Step> Engine::clear_directory(Case& at, Work& work) {
  auto removed = tree_->remove_directory(at.path);
  if (removed || moved_underneath(removed.error())) co_return Step::again;
  if (removed.error().code != ErrorCode::bucket_not_empty) {
    co_return std::unexpected(removed.error());
  }
  if (has_work_below(at.path)) {
    work.due = clock_.monotonic() + child_poll;
    co_return Step::later;
  }
  drop(at.path);
  co_return co_await push_keeping_remote(at, work);
}

// The store can hold `a` and `a/b`; a tree cannot.
std::optional<HomePath> Engine::file_above(const HomePath& path) const {
  for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    const HomePath above = path.substr(0, at);
    auto seen = tree_->observe(above);
    if (!seen || seen->kind == Kind::absent) return std::nullopt;
    if (seen->kind != Kind::directory) return above;
  }
  return std::nullopt;
}

// What a file had kept from appearing below its name.
void Engine::unblock(const HomePath& path) {
  const auto& parked = ledger_->parked();
  std::vector<HomePath> free;
  for (auto at = parked.lower_bound(path + "/"); at != parked.end() && is_below(at->first, path);
       ++at) {
    if (at->second == blocked_reason) free.push_back(at->first);
  }
  for (const auto& each : free) {
    ledger_->unpark(each);
    note_remote(each, HomeKind::file, "", 0);
    note_remote(each, HomeKind::directory, "", 0);
  }
}

// The directories above, made where they are missing. Those without an object of their own are
// implicit in the base, so that they are not pushed back.
Result<void> Engine::make_parents(const HomePath& path) {
  for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    const HomePath directory = path.substr(0, at);
    auto seen = tree_->observe(directory);
    if (!seen) return std::unexpected(seen.error());
    if (seen->kind == Kind::directory) continue;
    if (seen->kind != Kind::absent) {
      return fail(ErrorCode::unavailable, "{} cannot be made: {} is no directory", path, directory);
    }
    auto made = tree_->make_directory(
        directory, {.mode = 0755, .mtime_ns = clock_.now().time_since_epoch().count()});
    if (!made) return std::unexpected(made.error());
    auto row = ledger_->find(directory);
    if (row && *row) {
      // It was deleted here and something in it survives: the deletion is looked at again.
      note_local(directory);
    } else {
      BaseRow implicit;
      implicit.path = directory;
      implicit.kind = static_cast<std::uint8_t>(Kind::directory);
      implicit.implicit = true;
      implicit.mode = made->stamp.mode;
      implicit.mtime_ns = made->stamp.mtime_ns;
      stamp_row(implicit, *made);
      save(std::move(implicit));
      // A file of this name waits in the store for the name to become free.
      if (ledger_->parked().contains(directory)) note_remote(directory, HomeKind::file, "", 0);
    }
    if (observer_) observer_->entry_changed(directory);
  }
  return {};
}

void Engine::installed(Case& at, const Observed& now) {
  save(row_of(at.path, *at.fetched(), now));
  ledger_->unpark(at.path);
  if (observer_) observer_->entry_changed(at.path);
}

Engine::Async<Step> Engine::pull_directory(Case& at, Displaced displaced) {
  const RemoteNode& node = *at.fetched();
  if (at.local.kind == Kind::directory) {
    auto now = tree_->set_looks(at.path, Kind::directory, looks_of(node));
    if (!now) co_return std::unexpected(now.error());
    installed(at, *now);
    co_return Step::done;
  }
  if (at.local.kind != Kind::absent) {
    if (displaced == Displaced::keep_always) {
      auto kept = tree_->set_aside(at.path);
      if (!kept) co_return std::unexpected(kept.error());
      ++conflicts_;
      note_local(*kept);
      if (observer_) observer_->entry_changed(*kept);
    } else if (auto removed = remove_unwritten(at); !removed) {
      if (moved_underneath(removed.error())) co_return Step::again;
      co_return std::unexpected(removed.error());
    }
  }
  auto made = tree_->make_directory(at.path, looks_of(node));
  if (!made) {
    if (moved_underneath(made.error())) co_return Step::again;
    co_return std::unexpected(made.error());
  }
  installed(at, *made);
  co_return Step::done;
}

// conflict: somebody has it open for writing since pull() looked, or has changed it.
Result<void> Engine::remove_unwritten(const Case& at) {
  const auto hold = writers_.hold(at.path);
  if (!hold) return fail(ErrorCode::conflict, "remove {}: it is being written", at.path);
  return tree_->remove_file(at.path, at.local.stamp);
}

Engine::Async<Step> Engine::install(Case& at, TemporaryFile file, Displaced displaced) {
  std::optional<Stamp> expected;
  if (at.local.kind != Kind::absent) expected = at.local.stamp;
  if (expected && displaced == Displaced::keep_always) expected->inode = 0;  // nothing is
  const auto put_in_place = [&]() -> Result<Installed> {
    // A writer that came since pull() looked: looking again finds it and waits. Held for this only:
    // a note begins the work of other paths, which ask the same table.
    const auto hold = writers_.hold(at.path);
    if (expected && !hold) return fail(ErrorCode::conflict, "{}: it is being written", at.path);
    return tree_->install(std::move(file), at.path, expected);
  };
  auto done = put_in_place();
  if (!done) {
    if (moved_underneath(done.error())) co_return Step::again;
    co_return std::unexpected(done.error());
  }
  installed(at, done->now);
  if (done->kept) {
    ++conflicts_;
    spdlog::info("syncd: both sides changed {}; the local one is kept as {}", log_field(at.path),
                 log_field(*done->kept));
    note_local(*done->kept);
    if (observer_) observer_->entry_changed(*done->kept);
  }
  co_return Step::done;
}

Engine::Async<Step> Engine::pull_symlink(Case& at, Displaced displaced) {
  const RemoteNode node = *at.fetched();
  auto got = co_await remote_.read(at.path, node.version, node.etag);
  if (!got) co_return std::unexpected(got.error());
  auto reader = make_reader(std::move(got->body));
  auto target = co_await read_all(*reader, longest_link_bytes);
  if (!target) co_return std::unexpected(target.error());
  if (target->empty() || target->find('\0') != std::string::npos) {
    ledger_->park(at.path, "the store's symlink has no usable target");
    co_return Step::done;
  }
  auto file = tree_->make_symlink(*target, looks_of(node));
  if (!file) co_return std::unexpected(file.error());
  ++downloaded_;
  co_return co_await install(at, std::move(*file), displaced);
}

// Another name of the same inode, already here with the same content.
std::optional<TemporaryFile> Engine::link_from_group(const Case& at) {
  const RemoteNode& node = *at.fetched();
  if (node.link.empty() || node.hash.empty()) return std::nullopt;
  auto rows = ledger_->with_link(node.link);
  if (!rows) return std::nullopt;
  for (const auto& row : *rows) {
    if (row.path == at.path || row.hash != node.hash || row.mtime_ns != node.mtime_ns) continue;
    auto seen = tree_->observe(row.path);
    if (!seen || seen->stamp.inode != row.inode || seen->stamp.ctime_ns != row.local_ctime_ns) {
      continue;
    }
    if (at.local.kind != Kind::absent && at.local.stamp.inode == row.inode) continue;
    auto file = tree_->make_link(row.path);
    if (!file) continue;
    // The link moved the inode's ctime, so the other name is looked at again.
    note_local(row.path);
    return std::move(*file);
  }
  return std::nullopt;
}

Engine::Async<Step> Engine::pull_file(Case& at, Displaced displaced) {
  const RemoteNode node = *at.fetched();
  const Looks looks = looks_of(node);
  if (auto linked = link_from_group(at)) {
    co_return co_await install(at, std::move(*linked), displaced);
  }
  const bool content_here = at.local.kind == Kind::file && !at.local.stub;
  if (config_.stubs && (!content_here || displaced == Displaced::keep_always)) {
    auto stub = tree_->make_stub(node.size, StubOrigin::of(at.path, node).encode(), looks);
    if (!stub) co_return std::unexpected(stub.error());
    co_return co_await install(at, std::move(*stub), displaced);
  }
  auto file = co_await download(at, looks);
  if (!file) {
    // The version went away meanwhile: something newer is there.
    const auto code = file.error().code;
    if (code == ErrorCode::no_such_key || code == ErrorCode::no_such_version ||
        code == ErrorCode::precondition_failed) {
      co_return fail(ErrorCode::unavailable, "{} changed in the store", at.path);
    }
    co_return std::unexpected(file.error());
  }
  ++downloaded_;
  co_return co_await install(at, std::move(*file), displaced);
}

Engine::Async<TemporaryFile> Engine::download(Case& at, const Looks& looks) {
  const RemoteNode node = *at.fetched();
  auto file = tree_->make_file(looks);
  if (!file) co_return std::unexpected(file.error());
  auto got = co_await remote_.read(at.path, node.version, node.etag);
  if (!got) co_return std::unexpected(got.error());
  auto received = co_await receive(std::move(got->body), file->fd(), row_of(at.path, node, {}), {});
  if (!received) co_return std::unexpected(received.error());
  std::function<Result<void>()> work = [&] { return tree_->finish_file(*file, looks); };
  auto finished = co_await offload(work);
  if (!finished) co_return std::unexpected(finished.error());
  co_return std::move(*file);
}

// Streams a body into the file and proves that it is what the row says.
Engine::Async<void> Engine::receive(Body body, int fd, const BaseRow& row, StubInode stub) {
  auto reader = make_reader(std::move(body));
  ContentDigest digest(Md5::skip);
  std::string buffer(std::min<std::uint64_t>(chunk_bytes, row.size + 1), '\0');
  std::uint64_t at = 0;
  for (;;) {
    auto got = co_await reader->read(std::as_writable_bytes(std::span(buffer)));
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) break;
    if (at + *got > row.size) co_return fail(ErrorCode::corrupted, "{}: too long", row.path);
    const auto part = std::as_bytes(std::span(buffer)).first(*got);
    std::function<Result<void>()> work = [&]() -> Result<void> {
      digest.update(part);
      if (!stub) return write_all_at(fd, part, at);
      const auto hold = gate_.hold(*stub);
      if (HomeTree::is_stub(fd)) return write_all_at(fd, part, at);
      return fail(ErrorCode::conflict, "fill {}: it was emptied meanwhile", row.path);
    };
    auto done = row.size <= write_inline_bytes ? work() : co_await offload(work);
    if (!done) co_return done;
    at += *got;
  }
  if (at != row.size) co_return fail(ErrorCode::incomplete_body, "{}: cut short", row.path);
  if (!row.hash.empty() && row.hash != digest.hash()) {
    co_return fail(ErrorCode::corrupted, "{}: the bytes received are not those uploaded", row.path);
  }
  co_return Result<void>();
}

Engine::Async<Step> Engine::pull_metadata(Case& at, Work& work) {
  const RemoteNode* node = at.fetched();
  if (!node) co_return fail(ErrorCode::internal, "{}: nothing to pull", at.path);
  // The stub names its version, so it is replaced as a whole.
  if (at.local.stub) co_return co_await pull(at, work, Displaced::as_observed);
  auto now = tree_->set_looks(at.path, at.local.kind, looks_of(*node));
  if (!now) {
    if (moved_underneath(now.error())) co_return Step::again;
    co_return std::unexpected(now.error());
  }
  BaseRow row = row_of(at.path, *node, *now);
  if (row.hash.empty() && at.content) row.hash = at.content->hash;
  if (row.hash.empty() && at.base) row.hash = at.base->hash;
  save(std::move(row));
  if (observer_) observer_->content_changed(at.path);
  co_return Step::done;
}

Engine::Async<Step> Engine::pull_removal(Case& at, Work& work) {
  if (at.local.kind == Kind::directory) {
    auto removed = tree_->remove_directory(at.path);
    if (!removed && removed.error().code == ErrorCode::bucket_not_empty) {
      if (has_work_below(at.path)) {
        work.due = clock_.monotonic() + child_poll;
        co_return Step::later;
      }
      // Something in it survives, so it does too: as if it were new.
      drop(at.path);
      co_return Step::again;
    }
    if (!removed && !moved_underneath(removed.error())) co_return std::unexpected(removed.error());
  } else {
    if (writers_.contains(at.path)) {
      work.due = clock_.monotonic() + config_.settle_max;
      co_return Step::later;
    }
    auto removed = remove_unwritten(at);
    if (!removed) {
      if (moved_underneath(removed.error())) co_return Step::again;
      co_return std::unexpected(removed.error());
    }
  }
  drop(at.path);
  if (observer_) observer_->entry_changed(at.path);
  co_return Step::done;
}

// Moved here, edited there: the edit goes to the new name.
Engine::Async<Step> Engine::follow_move(Case& at, Work& work) {
  const HomePath target = std::exchange(work.moved_to, {});
  const auto busy = work_.find(target);
  auto seen = tree_->observe(target);
  const bool there = seen && seen->kind != Kind::absent;
  if (there && busy != work_.end() && busy->second.local) {
    work.moved_to = target;
    work.due = clock_.monotonic() + child_poll;
    co_return Step::later;
  }
  auto row = ledger_->find(target);
  // Only a target that still holds what was moved may take the edit.
  if (!row || !*row || !at.base || (*row)->hash != at.base->hash || !at.file) co_return Step::again;
  UploadSpec spec;
  spec.path = target;
  spec.attributes = {.mtime = TimePoint(std::chrono::nanoseconds(at.file->mtime_ns)),
                     .mode = at.file->mode};
  if (!at.file->hash.empty()) spec.attributes.hash = at.file->hash;
  spec.attributes.xattrs = at.file->xattrs;
  spec.replaces = ETag((*row)->etag);
  auto copied = co_await remote_.copy({at.path, at.file->version, at.file->etag}, std::move(spec));
  if (!copied) co_return Step::again;
  auto removed = co_await remote_.remove(at.path, HomeKind::file, ETag(at.file->etag));
  if (!removed) {
    work.remote_file = true;
    co_return std::unexpected(removed.error());
  }
  remember_own(*removed);
  at.fetched_file = at.fetched_directory = false;
  drop(at.path);
  note_remote(target, HomeKind::file, copied->version, copied->sequence);
  co_return Step::done;
}

Engine::Async<void> Engine::hydrate(HomePath path) {
  auto seen = tree_->observe(path);
  if (!seen) co_return std::unexpected(seen.error());
  if (!seen->stub) co_return Result<void>();
  auto found = ledger_->find(path);
  if (!found) co_return std::unexpected(found.error());
  const StubOrigin origin = StubOrigin::decode(seen->stub_value);
  BaseRow row = *found ? **found : BaseRow{};
  if (!*found || !origin.is_of(row)) {
    row.path = path;
    row.size = seen->stamp.size;
    row.hash = origin.hash;
  }
  auto got =
      co_await remote_.read(origin.path.empty() ? path : origin.path, origin.version, origin.etag);
  if (!got) co_return std::unexpected(got.error());
  store_answered();
  row.size = got->info.size;
  auto fd = tree_->open_stub(path, seen->stamp);
  if (!fd) co_return std::unexpected(fd.error());
  if (auto done = co_await receive(std::move(got->body), fd->get(), row, seen->stamp.inode);
      !done) {
    co_return done;
  }
  Result<Stamp> stamp = Stamp{};
  std::function<Result<void>()> work = [&]() -> Result<void> {
    const auto hold = gate_.hold(seen->stamp.inode);
    stamp = tree_->finish_stub(fd->get(), seen->stamp);
    return stamp ? Result<void>() : std::unexpected(stamp.error());
  };
  if (auto done = co_await offload(work); !done) co_return done;
  ++downloaded_;
  // Every name of the inode is filled by this.
  auto rows = ledger_->with_inode(stamp->inode);
  for (auto& each : rows ? *rows : std::vector<BaseRow>{}) {
    auto now = tree_->observe(each.path);
    if (!now || now->stamp != *stamp) continue;
    stamp_row(each, *now);
    const HomePath name = each.path;
    save(std::move(each));
    if (observer_) observer_->content_changed(name);
  }
  co_return Result<void>();
}

}  // namespace holdfast::syncd
