#include "fusefs/reply.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "fusefs/wire.h"

#define FUSE_USE_VERSION 35
#include <fuse3/fuse_lowlevel.h>

namespace holdfast::fusefs {

namespace {

void split_seconds(double seconds, std::uint64_t& whole, std::uint32_t& nanoseconds) {
  whole = static_cast<std::uint64_t>(seconds);
  nanoseconds = static_cast<std::uint32_t>((seconds - std::floor(seconds)) * 1e9);
}

fuse_req_t as_request(void* request) { return static_cast<fuse_req_t>(request); }

template <class T>
const char* raw(const T& value) {
  return reinterpret_cast<const char*>(&value);
}

}  // namespace

fuse_attr to_wire(const struct stat& attributes) {
  fuse_attr out{};
  out.ino = attributes.st_ino;
  out.size = static_cast<std::uint64_t>(attributes.st_size);
  out.blocks = static_cast<std::uint64_t>(attributes.st_blocks);
  out.atime = static_cast<std::uint64_t>(attributes.st_atim.tv_sec);
  out.mtime = static_cast<std::uint64_t>(attributes.st_mtim.tv_sec);
  out.ctime = static_cast<std::uint64_t>(attributes.st_ctim.tv_sec);
  out.atimensec = static_cast<std::uint32_t>(attributes.st_atim.tv_nsec);
  out.mtimensec = static_cast<std::uint32_t>(attributes.st_mtim.tv_nsec);
  out.ctimensec = static_cast<std::uint32_t>(attributes.st_ctim.tv_nsec);
  out.mode = attributes.st_mode;
  out.nlink = static_cast<std::uint32_t>(attributes.st_nlink);
  out.uid = attributes.st_uid;
  out.gid = attributes.st_gid;
  out.rdev = static_cast<std::uint32_t>(attributes.st_rdev);
  out.blksize = static_cast<std::uint32_t>(attributes.st_blksize);
  return out;
}

fuse_entry_out to_wire(const Entry& entry) {
  fuse_entry_out out{};
  out.nodeid = entry.node;
  split_seconds(entry.entry_timeout, out.entry_valid, out.entry_valid_nsec);
  split_seconds(entry.attribute_timeout, out.attr_valid, out.attr_valid_nsec);
  out.attr = to_wire(entry.attributes);
  return out;
}

protocol::OpenOut to_wire(const Opened& opened) {
  protocol::OpenOut out{opened.handle, 0, opened.backing_id};
  if (opened.backing_id > 0) out.open_flags |= protocol::open_passthrough;
  if (opened.direct_io) out.open_flags |= FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
  if (opened.keep_cache) out.open_flags |= FOPEN_KEEP_CACHE;
  if (opened.no_flush) out.open_flags |= FOPEN_NOFLUSH;
  if (opened.cache_directory) out.open_flags |= FOPEN_CACHE_DIR;
  return out;
}

Reply::Reply(std::shared_ptr<void> session, void* request)
    : session_(std::move(session)), request_(request) {}

Reply::Reply(Reply&& other) noexcept
    : session_(std::move(other.session_)), request_(std::exchange(other.request_, nullptr)) {}

Reply::~Reply() {
  if (request_ != nullptr) error(EIO);
}

Caller Reply::caller() const {
  const fuse_ctx* context = fuse_req_ctx(as_request(request_));
  return {context->uid, context->gid, context->pid};
}

void* Reply::take() { return std::exchange(request_, nullptr); }

bool Reply::error(int error_number) {
  return fuse_reply_err(as_request(take()), error_number) == 0;
}

bool Reply::entry(const Entry& entry) {
  const auto out = to_wire(entry);
  return fuse_reply_buf(as_request(take()), raw(out), sizeof(out)) == 0;
}

bool Reply::created(const Entry& entry, const Opened& opened) {
  char out[sizeof(fuse_entry_out) + sizeof(protocol::OpenOut)];
  const auto entry_out = to_wire(entry);
  const auto open_out = to_wire(opened);
  std::memcpy(out, &entry_out, sizeof(entry_out));
  std::memcpy(out + sizeof(entry_out), &open_out, sizeof(open_out));
  return fuse_reply_buf(as_request(take()), out, sizeof(out)) == 0;
}

bool Reply::opened(const Opened& opened) {
  const auto out = to_wire(opened);
  return fuse_reply_buf(as_request(take()), raw(out), sizeof(out)) == 0;
}

bool Reply::attributes(const struct stat& attributes, double timeout_seconds) {
  return fuse_reply_attr(as_request(take()), &attributes, timeout_seconds) == 0;
}

bool Reply::link_target(const std::string& target) {
  return fuse_reply_readlink(as_request(take()), target.c_str()) == 0;
}

bool Reply::data(std::span<const std::byte> bytes) {
  return fuse_reply_buf(as_request(take()), reinterpret_cast<const char*>(bytes.data()),
                        bytes.size()) == 0;
}

bool Reply::file_data(int fd, std::uint64_t offset, std::size_t size) {
  fuse_bufvec buffer = FUSE_BUFVEC_INIT(size);
  buffer.buf[0].flags = static_cast<fuse_buf_flags>(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK);
  buffer.buf[0].fd = fd;
  buffer.buf[0].pos = static_cast<off_t>(offset);
  return fuse_reply_data(as_request(take()), &buffer, FUSE_BUF_SPLICE_MOVE) == 0;
}

bool Reply::written(std::size_t bytes) { return fuse_reply_write(as_request(take()), bytes) == 0; }

bool Reply::statistics(const struct statvfs& statistics) {
  return fuse_reply_statfs(as_request(take()), &statistics) == 0;
}

bool Reply::xattr_size(std::size_t bytes) {
  return fuse_reply_xattr(as_request(take()), bytes) == 0;
}

bool Reply::offset(std::int64_t position) {
  return fuse_reply_lseek(as_request(take()), position) == 0;
}

void Reply::none() { fuse_reply_none(as_request(take())); }

}  // namespace holdfast::fusefs
