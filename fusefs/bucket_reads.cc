// Reading of the bucket view: blocks, windows, pinned versions.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "fusefs/bucket_state.h"

namespace holdfast::fusefs {

namespace {

constexpr std::uint64_t first_window = 1u << 20;
constexpr std::uint64_t largest_window = 8u << 20;
constexpr std::uint64_t blocks_a_request = 8;  // 2 MiB
constexpr int parallel_requests = 4;
constexpr auto wake_up = std::chrono::seconds(5);

std::uint64_t block_of(std::uint64_t offset) { return offset / block_bytes; }

}  // namespace

// Asks the store whether the node still is what the name stands for. The first bytes come along.
Task<Result<void>> BucketFs::State::confirm(BucketNodePtr node) {
  if (node->staging != nullptr) co_return Result<void>{};
  if (node->size > 0 && cache.find(node->content, 0) == nullptr) {
    const auto blocks = std::min(block_of(node->size - 1), first_window / block_bytes - 1);
    const auto block = ask(node, 0, blocks, std::make_shared<int>(0)).front();
    while (!block->settled()) co_await block->arrived.wait(wake_up);
    if (block->failure) co_return std::unexpected(*block->failure);
    co_return Result<void>{};
  }
  store::GetRequest request;
  request.bucket = BucketName(node->place.bucket);
  request.key = ObjectKey(node->place.path);
  const auto head = co_await store.head(std::move(request));
  if (!head) co_return std::unexpected(head.error());
  if (head->info.etag != node->etag) co_return fail(ErrorCode::conflict, "the object was replaced");
  co_return Result<void>{};
}

Task<void> BucketFs::State::do_read(Reply reply, std::uint64_t handle, ReadSpan span) {
  const auto found = files.find(handle);
  if (found == files.end()) co_return void(reply.error(EBADF));
  const auto file = found->second;
  const auto node = file->node;
  if (!rights(node->place).read) co_return void(reply.error(EACCES));
  if (node->staging != nullptr && node->staging->ready) {
    const auto staging = node->staging;
    reply.file_data(staging->file->get(), span.offset, span.size);
    co_return;
  }
  if (span.offset >= node->size) co_return void(reply.data({}));
  const std::uint64_t size = std::min<std::uint64_t>(span.size, node->size - span.offset);
  const std::uint64_t first = block_of(span.offset), last = block_of(span.offset + size - 1);

  // Runs forward: the kernel's own readahead may come a little out of order.
  const std::uint64_t distance = span.offset > file->next_offset ? span.offset - file->next_offset
                                                                 : file->next_offset - span.offset;
  if (distance > first_window)
    file->window = file->ahead = 0;
  else if (last + file->window / block_bytes / 2 >= file->ahead) {
    file->window = std::clamp(file->window * 2, first_window, largest_window);
  }
  file->next_offset = span.offset + size;

  std::string out;
  out.reserve(size);
  const auto blocks = ask(node, first, last, file->fetching);
  read_ahead(*file, last);
  for (std::uint64_t index = first; index <= last; ++index) {
    const auto& block = blocks[index - first];
    while (!block->settled()) co_await block->arrived.wait(wake_up);
    if (block->failure) co_return void(reply.error(view_errno(*block->failure)));
    const std::uint64_t start = index * block_bytes;
    const std::uint64_t from = std::max(span.offset, start) - start;
    const std::uint64_t until = std::min(span.offset + size, start + block_bytes) - start;
    if (until > block->bytes.size()) co_return void(reply.error(EIO));
    out.append(block->bytes, from, until - from);
  }
  // Judged again: the grant may have gone while the bytes were on their way.
  if (!rights(node->place).read) co_return void(reply.error(EACCES));
  reply.data(std::as_bytes(std::span(out)));
}

// Keeps at least half a window ahead of the reader, in requests of a good size.
void BucketFs::State::read_ahead(File& file, std::uint64_t last) {
  const std::uint64_t window = file.window / block_bytes;
  if (window == 0 || file.ahead > last + window / 2) return;
  const std::uint64_t end = std::min(last + window, block_of(file.node->size - 1));
  std::uint64_t at = std::max(last + 1, file.ahead);
  while (at <= end && *file.fetching < parallel_requests) {
    const std::uint64_t until = std::min(at + blocks_a_request - 1, end);
    ask(file.node, at, until, file.fetching);
    at = until + 1;
  }
  file.ahead = std::max(file.ahead, at);
}

// The blocks from first to last; those that are not here yet are fetched, a request for each
// gapless run. A fetch may fail before this returns: the blocks say so.
std::vector<BlockPtr> BucketFs::State::ask(const BucketNodePtr& node, std::uint64_t first,
                                           std::uint64_t last,
                                           const std::shared_ptr<int>& fetching) {
  std::vector<BlockPtr> all;
  for (std::uint64_t index = first; index <= last;) {
    if (auto block = cache.find(node->content, index); block != nullptr) {
      all.push_back(std::move(block));
      ++index;
      continue;
    }
    const std::uint64_t start = index;
    std::vector<BlockPtr> missing;
    while (index <= last && missing.size() < blocks_a_request &&
           cache.find(node->content, index) == nullptr) {
      missing.push_back(cache.add(node->content, index));
      ++index;
    }
    all.insert(all.end(), missing.begin(), missing.end());
    ++*fetching;
    if (tasks.spawn("fetch", fetch(node, start, missing, fetching))) continue;
    for (const auto& block : missing) {
      block->failure = Error{ErrorCode::cancelled, "the mount ends"};
    }
  }
  return all;
}

Task<void> BucketFs::State::fetch(BucketNodePtr node, std::uint64_t first,
                                  std::vector<BlockPtr> blocks, std::shared_ptr<int> fetching) {
  const std::uint64_t start = first * block_bytes;
  const std::uint64_t end = std::min(node->size, start + blocks.size() * block_bytes);
  store::GetRequest request;
  request.bucket = BucketName(node->place.bucket);
  request.key = ObjectKey(node->place.path);
  request.range = store::ByteRange{start, end - 1, std::nullopt};
  request.conditions.if_match = {node->etag};
  auto got = co_await store.get(std::move(request));
  std::optional<Error> failure;
  if (!got)
    failure = got.error();
  else if (got->info.etag != node->etag || got->first != start || got->length != end - start) {
    failure = Error{ErrorCode::conflict, "the object was replaced while it was read"};
  }
  std::unique_ptr<BodyReader> reader;
  if (!failure) reader = make_reader(std::move(got->body));
  for (std::size_t n = 0; n < blocks.size(); ++n) {
    auto& block = *blocks[n];
    std::string bytes(std::min(block_bytes, end - start - n * block_bytes), '\0');
    for (std::size_t at = 0; !failure && at < bytes.size();) {
      const auto piece =
          co_await reader->read(std::as_writable_bytes(std::span(bytes)).subspan(at));
      if (!piece)
        failure = piece.error();
      else if (*piece == 0)
        failure = Error{ErrorCode::incomplete_body, "the object ended early"};
      else
        at += *piece;
    }
    if (failure)
      block.failure = failure;
    else
      block.bytes = std::move(bytes);
    block.loaded = !failure;
    block.arrived.notify();
  }
  --*fetching;
}

}  // namespace holdfast::fusefs
