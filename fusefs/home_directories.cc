// Directories: listings, with and without the entries' attributes.
#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "fusefs/directory_page.h"
#include "fusefs/home_internal.h"

namespace holdfast::fusefs {

void HomeFs::opendir(Reply reply, NodeId node) {
  const InodePtr inode = table_->find(node);
  const auto pinned = inode != nullptr ? table_->pin(inode) : std::unexpected(ESTALE);
  if (!pinned) return void(reply.error(pinned.error()));
  Fd fd(::openat((*pinned)->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return void(reply.error(errno));
  auto handle = std::make_unique<DirectoryHandle>();
  handle->inode = inode;
  handle->stream = ::fdopendir(fd.get());
  if (handle->stream == nullptr) return void(reply.error(errno));
  fd.release();
  Opened opened;
  opened.handle = reinterpret_cast<std::uint64_t>(handle.get());
  opened.cache_directory = opened.keep_cache = true;
  if (reply.opened(opened)) handle.release();
}

void HomeFs::releasedir(Reply reply, NodeId, std::uint64_t handle) {
  delete DirectoryHandle::from(handle);
  reply.error(0);
}

void HomeFs::readdir(Reply reply, NodeId, std::uint64_t handle, ReadSpan span) {
  list(std::move(reply), handle, span, Listing::names);
}

void HomeFs::readdirplus(Reply reply, NodeId, std::uint64_t handle, ReadSpan span) {
  list(std::move(reply), handle, span, Listing::with_entries);
}

void HomeFs::list(Reply reply, std::uint64_t handle, ReadSpan span, Listing listing) {
  DirectoryPage page(span.size);
  const int error = fill_page(page, *DirectoryHandle::from(handle),
                              static_cast<std::int64_t>(span.offset), listing);
  // The handle may be gone as soon as this is answered: its lock is not held any more.
  if (error != 0)
    reply.error(error);
  else
    reply.data(page.bytes());
}

int HomeFs::fill_page(DirectoryPage& page, DirectoryHandle& directory, std::int64_t from,
                      Listing listing) {
  const std::lock_guard lock(directory.mutex);
  if (from != directory.position || from == 0) ::seekdir(directory.stream, from);
  directory.position = from;
  for (;;) {
    errno = 0;
    const dirent* item = ::readdir(directory.stream);
    if (item == nullptr) return errno != 0 && page.bytes().empty() ? errno : 0;
    if (!add_item(page, directory, *item, listing)) {
      ::seekdir(directory.stream, directory.position);
      return 0;
    }
    directory.position = item->d_off;
  }
}

bool HomeFs::add_item(DirectoryPage& page, const DirectoryHandle& directory,
                      const struct dirent& item, Listing listing) {
  const std::string_view name(item.d_name);
  const DirectoryItem line{name, item.d_ino, static_cast<std::uint32_t>(DTTOIF(item.d_type)),
                           item.d_off};
  if (listing == Listing::names) return page.add(line);
  if (name == "." || name == "..") return page.add(line, Entry{});
  // Asked first: an entry that is looked up counts as one the kernel knows.
  if (!page.fits_with_entry(name)) return false;
  const auto found = table_->lookup(directory.inode, std::string(name));
  return page.add(line, found ? entry_of(*found) : Entry{});
}

void HomeFs::fsyncdir(Reply reply, NodeId, std::uint64_t handle, bool data_only) {
  const int fd = ::dirfd(DirectoryHandle::from(handle)->stream);
  reply.error((data_only ? ::fdatasync(fd) : ::fsync(fd)) == 0 ? 0 : errno);
}

}  // namespace holdfast::fusefs
