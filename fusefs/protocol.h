// Parts of the kernel's FUSE protocol (7.40 and later) that Debian 12's headers do not have yet.
// Included by sources of this folder only. See linux/fuse.h of Linux 6.9 and later.
#pragma once

#include <linux/fuse.h>
#include <sys/ioctl.h>

#include <cstdint>

namespace holdfast::fusefs::protocol {

inline constexpr std::uint32_t passthrough_flags2 = 1u << 5;  // FUSE_PASSTHROUGH, bit 37
inline constexpr std::uint32_t open_passthrough = 1u << 7;    // FOPEN_PASSTHROUGH
inline constexpr std::uint32_t newest_minor = 45;
inline constexpr std::uint32_t passthrough_minor = 40;

// fuse_init_out as of 7.40; libfuse 3.14 sends max_stack_depth as part of its unused tail.
struct InitOut {
  std::uint32_t major, minor, max_readahead, flags;
  std::uint16_t max_background, congestion_threshold;
  std::uint32_t max_write, time_gran;
  std::uint16_t max_pages, map_alignment;
  std::uint32_t flags2, max_stack_depth, unused[6];
};
static_assert(sizeof(InitOut) == 64);

struct OpenOut {
  std::uint64_t handle;
  std::uint32_t open_flags;
  std::int32_t backing_id;
};
static_assert(sizeof(OpenOut) == 16);

struct BackingMap {
  std::int32_t fd;
  std::uint32_t flags;
  std::uint64_t padding;
};
inline constexpr unsigned long backing_open = _IOW(229, 1, BackingMap);
inline constexpr unsigned long backing_close = _IOW(229, 2, std::uint32_t);

}  // namespace holdfast::fusefs::protocol
