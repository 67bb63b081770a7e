#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "store/conditions.h"
#include "store/local_body.h"
#include "store/local_rows.h"
#include "store/local_state.h"

namespace holdfast::store {
namespace {

// Bodies up to this size are kept with what is known of their object.
constexpr std::uint64_t hot_body_bytes = 16u << 10;

using Found = std::shared_ptr<const HotObject>;

Result<Found> look_up(CatalogueReaders& readers, const GetRequest& request) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  auto bucket = find_bucket(**snapshot, request.bucket);
  if (!bucket) return std::unexpected(bucket.error());
  auto object = find_object(**snapshot, bucket->id, request.key, request.version);
  if (!object) return std::unexpected(object.error());
  auto extents = decode_extents(object->row.extents);
  if (!extents) return std::unexpected(extents.error());
  return std::make_shared<const HotObject>(
      HotObject{request.bucket, std::move(object->info), std::move(*extents), std::nullopt});
}

// The answer without its body.
Result<GetResult> judge_read(const GetRequest& request, const HotObject& object) {
  auto held = check_read(request.conditions, object.info);
  if (!held) return std::unexpected(held.error());
  auto window = resolve_window(request.range, request.part_number, object.info);
  if (!window) return std::unexpected(window.error());
  return GetResult{object.info, window->first, window->length, window->partial, std::string()};
}

// A read of the latest version may be remembered, and answered from what was.
struct Lookup {
  Found found;
  std::optional<HotObjects::Ticket> ticket;  // to remember it
};

Result<Lookup> find_for(CatalogueReaders& readers, HotObjects& hot, const GetRequest& request) {
  if (request.version) {
    auto found = look_up(readers, request);
    if (!found) return std::unexpected(found.error());
    return Lookup{std::move(*found), std::nullopt};
  }
  if (auto known = hot.find(request.bucket, request.key.value)) {
    return Lookup{std::move(known), std::nullopt};
  }
  const auto ticket = hot.ticket(request.key.value);
  auto found = look_up(readers, request);
  if (!found) return std::unexpected(found.error());
  return Lookup{std::move(*found), ticket};
}

void remember(HotObjects& hot, const Lookup& lookup, const GetResult& result) {
  if (!lookup.ticket) return;
  const auto* body = std::get_if<std::string>(&result.body);
  if (body == nullptr || result.partial || result.length > hot_body_bytes) {
    return hot.keep(*lookup.ticket, lookup.found);
  }
  auto whole = std::make_shared<HotObject>(*lookup.found);
  whole->body = *body;
  hot.keep(*lookup.ticket, std::move(whole));
}

// Of a listing's rows, which bring no metadata. In place: a thousand of them are moved else.
std::vector<ObjectInfo> to_infos(std::vector<index::VersionRow> rows) {
  std::vector<ObjectInfo> infos(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ObjectInfo& info = infos[i];
    info.key.value = std::move(rows[i].key);
    info.version.value = std::move(rows[i].version);
    info.etag.value = std::move(rows[i].etag);
    info.size = rows[i].size;
    info.modified = from_nanoseconds(rows[i].modified);
    info.sequence = rows[i].sequence;
    info.delete_marker = rows[i].delete_marker;
    info.latest = rows[i].latest;
  }
  return infos;
}

}  // namespace

Async<GetResult> LocalStore::get(GetRequest request) {
  // A file can go between the look into the index and its opening, when the version was replaced
  // just then: looking again finds what replaced it.
  for (int attempt = 1;; ++attempt) {
    auto lookup = find_for(state_->readers, state_->hot, request);
    if (!lookup) co_return std::unexpected(lookup.error());
    const HotObject& object = *lookup->found;
    auto result = judge_read(request, object);
    if (!result) co_return result;
    if (object.body) {
      const auto part = std::string_view(*object.body).substr(result->first, result->length);
      result->body = SharedText{std::move(lookup->found), part};
      co_return result;
    }
    auto extents = slice_extents(object.extents, result->first, result->length);
    for (const auto& extent : extents) {
      if (!state_->is_damaged(extent.piece.blob)) continue;
      co_return fail(ErrorCode::corrupted, "a scrub found blob {} damaged", extent.piece.blob);
    }
    auto body = co_await open_local_body(state_->sink(), std::move(extents));
    if (body) {
      result->body = std::move(*body);
      remember(state_->hot, *lookup, *result);
      co_return result;
    }
    state_->hot.forget(request.key.value);
    if (body.error().code != ErrorCode::not_found) co_return std::unexpected(body.error());
    if (attempt == 3) {
      co_return fail(ErrorCode::corrupted, "a stored body is missing: {}", body.error().context);
    }
  }
}

Async<GetResult> LocalStore::head(GetRequest request) {
  auto lookup = find_for(state_->readers, state_->hot, request);
  if (!lookup) co_return std::unexpected(lookup.error());
  auto result = judge_read(request, *lookup->found);
  if (result && lookup->ticket) state_->hot.keep(*lookup->ticket, lookup->found);
  co_return result;
}

Async<ListPage> LocalStore::list(ListRequest request) {
  auto snapshot = state_->readers.snapshot();
  if (!snapshot) co_return std::unexpected(snapshot.error());
  auto bucket = find_bucket(**snapshot, request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  auto rows =
      (*snapshot)->list({bucket->id, std::move(request.prefix), std::move(request.delimiter),
                         std::move(request.start_after), request.max_keys});
  if (!rows) co_return std::unexpected(rows.error());
  co_return ListPage{to_infos(std::move(rows->versions)), std::move(rows->common_prefixes),
                     rows->truncated, std::move(rows->next)};
}

Async<ListVersionsPage> LocalStore::list_versions(ListVersionsRequest request) {
  auto snapshot = state_->readers.snapshot();
  if (!snapshot) co_return std::unexpected(snapshot.error());
  auto bucket = find_bucket(**snapshot, request.bucket);
  if (!bucket) co_return std::unexpected(bucket.error());
  index::VersionQuery query{bucket->id,         request.prefix, request.delimiter,
                            request.key_marker, std::nullopt,   request.max_keys};
  if (request.version_marker && !request.version_marker->empty()) {
    auto row = find_version_row(**snapshot, bucket->id, ObjectKey(request.key_marker),
                                *request.version_marker);
    if (!row) co_return std::unexpected(row.error());
    // A marker that was removed meanwhile still tells its place; "null" that is gone does not, and
    // then the key's old versions come again: twice is better than never.
    query.sequence_marker = *row ? (*row)->sequence
                                 : sequence_of(*request.version_marker)
                                       .value_or(std::numeric_limits<std::int64_t>::max());
  }
  auto rows = (*snapshot)->list_versions(query);
  if (!rows) co_return std::unexpected(rows.error());
  co_return ListVersionsPage{to_infos(std::move(rows->versions)), std::move(rows->common_prefixes),
                             rows->truncated, std::move(rows->next_key),
                             VersionId(std::move(rows->next_version))};
}

namespace {

struct FeedPage {
  std::uint64_t bucket = 0;
  ChangesPage page;
};

Result<FeedPage> read_feed(CatalogueReaders& readers, const ChangesRequest& request) {
  auto snapshot = readers.snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  auto bucket = find_bucket(**snapshot, request.bucket);
  if (!bucket) return std::unexpected(bucket.error());
  auto state = (*snapshot)->state();
  if (!state) return std::unexpected(state.error());
  FeedPage feed{bucket->id, {}};
  feed.page.next = state->sequence;
  if (!request.after) return feed;
  // A bucket that was made after `after` is another one than the caller knew.
  const std::uint64_t reaches = std::max(state->feed_after, bucket->id - 1);
  if (*request.after < reaches || *request.after > state->sequence) {
    feed.page.reset = true;
    return feed;
  }
  auto rows = (*snapshot)->changes({bucket->id, *request.after, request.prefix, request.limit});
  if (!rows) return std::unexpected(rows.error());
  for (auto& row : rows->changes) {
    feed.page.changes.push_back({row.sequence, static_cast<ChangeKind>(row.kind),
                                 ObjectKey(std::move(row.key)), VersionId(std::move(row.version)),
                                 ETag(std::move(row.etag)), row.size, from_nanoseconds(row.time)});
  }
  if (rows->more) {
    feed.page.next = feed.page.changes.empty() ? *request.after : feed.page.changes.back().sequence;
  }
  return feed;
}

}  // namespace

Async<ChangesPage> LocalStore::changes(ChangesRequest request) {
  const auto limit = std::min<std::chrono::milliseconds>(request.wait, std::chrono::seconds(60));
  const auto deadline = state_->clock.monotonic() + limit;
  auto feed = read_feed(state_->readers, request);
  for (;;) {
    if (!feed) co_return std::unexpected(feed.error());
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - state_->clock.monotonic());
    const bool news = feed->page.reset || !feed->page.changes.empty();
    if (!request.after || news || left.count() <= 0) co_return std::move(feed->page);
    auto ticket = co_await state_->waiters.enter(feed->bucket);
    feed = read_feed(state_->readers, request);  // for what came before we entered
    if (feed && !feed->page.reset && feed->page.changes.empty()) {
      co_await ChangeWaiters::wait(std::move(ticket), left);
      feed = read_feed(state_->readers, request);
    }
  }
}

}  // namespace holdfast::store
