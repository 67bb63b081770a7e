#include "fusefs/session.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"
#include "base/log.h"
#include "fusefs/protocol.h"
#include "fusefs/session_core.h"

#define FUSE_USE_VERSION 35
#include <fuse3/fuse_lowlevel.h>

namespace holdfast::fusefs {

struct Session::Kernel {
  // The device's read: notes the INIT request, to know its answer when it passes by.
  static ssize_t read(int fd, void* buffer, std::size_t size, void* user) {
    const ssize_t got = ::read(fd, buffer, size);
    auto& core = *static_cast<Core*>(user);
    if (got < static_cast<ssize_t>(sizeof(fuse_in_header) + sizeof(fuse_init_in))) return got;
    fuse_in_header head;
    std::memcpy(&head, buffer, sizeof(head));
    if (head.opcode != FUSE_INIT) return got;
    fuse_init_in init;
    std::memcpy(&init, static_cast<const char*>(buffer) + sizeof(head), sizeof(init));
    core.kernel_minor = init.minor;
    core.kernel_flags = init.flags;
    core.kernel_flags2 = (init.flags & FUSE_INIT_EXT) != 0 ? init.flags2 : 0;
    core.init_request = head.unique;
    return got;
  }

  static ssize_t write(int fd, iovec* parts, int count, void* user) {
    auto& core = *static_cast<Core*>(user);
    const std::uint64_t init = core.init_request.load(std::memory_order_relaxed);
    if (init == 0) return ::writev(fd, parts, count);
    fuse_out_header head;
    std::memcpy(&head, parts[0].iov_base, sizeof(head));
    if (head.unique != init || head.error != 0 || count < 2 ||
        parts[1].iov_len != sizeof(protocol::InitOut)) {
      return ::writev(fd, parts, count);
    }
    core.init_request = 0;
    protocol::InitOut answer;
    std::memcpy(&answer, parts[1].iov_base, sizeof(answer));
    amend(core, answer);
    iovec amended[2] = {parts[0], {&answer, sizeof(answer)}};
    return ::writev(fd, amended, 2);
  }

  static ssize_t splice_send(int from, off_t* from_offset, int to, off_t* to_offset,
                             std::size_t size, unsigned flags, void*) {
    return ::splice(from, from_offset, to, to_offset, size, flags);
  }

  static void amend(Core& core, protocol::InitOut& answer) {
    const std::uint32_t offered = core.kernel_flags;
    answer.flags |= offered & FUSE_PARALLEL_DIROPS;
    if ((offered & FUSE_HANDLE_KILLPRIV_V2) != 0) {
      // Spares a GETXATTR of security.capability before each write.
      answer.flags |= FUSE_HANDLE_KILLPRIV_V2;
      answer.flags &= ~static_cast<std::uint32_t>(FUSE_HANDLE_KILLPRIV);
    }
    if (!core.options.passthrough || core.kernel_minor < protocol::passthrough_minor ||
        (core.kernel_flags2 & protocol::passthrough_flags2) == 0) {
      return;
    }
    answer.minor = std::min<std::uint32_t>(core.kernel_minor, protocol::newest_minor);
    answer.flags |= FUSE_INIT_EXT;
    answer.flags2 |= protocol::passthrough_flags2;
    answer.max_stack_depth = 1;
    core.passthrough = true;
  }
};

namespace {

// Wakes a worker that waits in read(2); the handler has nothing to do.
int wake_signal() { return SIGRTMIN + 3; }
void on_wake(int) {}

void install_wake_handler() {
  struct sigaction action{};
  action.sa_handler = on_wake;
  ::sigaction(wake_signal(), &action, nullptr);
}

// Each worker has its own umask (the kernel has applied the caller's), and may take a caller's uid
// for a moment without losing the capability to work in any directory.
void prepare_worker() {
  if (::unshare(CLONE_FS) == 0) {
    ::umask(0);
    // Its working directory is its own now, too: one that lay in a mount would keep that busy.
    if (::chdir("/") != 0) SPDLOG_DEBUG("fusefs: chdir /: {}", std::strerror(errno));
  }
  if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) != 0) {
    SPDLOG_DEBUG("fusefs: securebits cannot be set: {}", std::strerror(errno));
  }
}

Result<void> prepare_mount_point(const std::string& path) {
  if (is_dead_mount(path)) {
    SPDLOG_WARN("fusefs: {} holds a mount whose server is gone; taking it away", path);
    if (::umount2(path.c_str(), MNT_DETACH) != 0) return fail_errno(errno, "unmount " + path);
  }
  if (auto made = make_directories(path, 0755); !made) return made;
  struct stat here{}, above{};
  if (::stat(path.c_str(), &here) != 0) return fail_errno(errno, "stat " + path);
  if (::stat((path + "/..").c_str(), &above) != 0) return fail_errno(errno, "stat " + path + "/..");
  if (here.st_dev != above.st_dev) {
    return fail(ErrorCode::conflict,
                "mount {}: something is mounted there already; unmount it or choose another "
                "directory",
                path);
  }
  return {};
}

Result<int> open_device() {
  auto device = open_file("/dev/fuse", O_RDWR);
  if (device) return device->release();
  if (device.error().code == ErrorCode::access_denied) {
    return fail(ErrorCode::access_denied, "open /dev/fuse: permission denied; run as root");
  }
  return fail(ErrorCode::not_supported,
              "open /dev/fuse failed ({}); load the fuse module, or give the container "
              "--device /dev/fuse, or use holdfast sync, which needs no mount",
              device.error().context);
}

Result<void> mount_device(int device, const SessionOptions& options) {
  const std::string data = fmt::format(
      "fd={},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", device);
  if (::mount(options.name.c_str(), options.mount_point.c_str(), "fuse.holdfast",
              MS_NOSUID | MS_NODEV, data.c_str()) == 0) {
    return {};
  }
  if (errno == EPERM) {
    return fail(ErrorCode::access_denied, "mount {}: not permitted; run as root (CAP_SYS_ADMIN)",
                options.mount_point);
  }
  return fail_errno(errno, "mount " + options.mount_point);
}

// A mount that another namespace still shows: nobody there shall wait for an answer for ever.
void abort_connection(unsigned device_number) {
  auto file = open_file(fmt::format("/sys/fs/fuse/connections/{}/abort", device_number), O_WRONLY);
  if (file && ::write(file->get(), "1", 1) != 1) SPDLOG_DEBUG("fusefs: the connection was not cut");
}

}  // namespace

bool is_dead_mount(const std::string& path) {
  struct statx status{};
  // Forced: the kernel may still know a dead mount's attributes by heart.
  return ::statx(AT_FDCWD, path.c_str(), AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &status) != 0 &&
         (errno == ENOTCONN || errno == ECONNABORTED);
}

Session::Core::~Core() {
  if (session != nullptr)
    fuse_session_destroy(session);
  else if (device >= 0)
    ::close(device);
}

namespace {

// Filesystem's way to the kernel. Holds the core weakly: the mount may be gone.
class SessionChannel final : public Channel {
 public:
  template <class Core>
  explicit SessionChannel(const std::shared_ptr<Core>& core)
      : core_(core),
        session_(core->session),
        device_(core->device),
        passthrough_(&core->passthrough) {}

  bool passthrough() const override {
    const auto alive = core_.lock();
    return alive != nullptr && passthrough_->load(std::memory_order_relaxed);
  }
  Result<int> open_backing(int fd) override {
    const auto alive = core_.lock();
    if (alive == nullptr) return fail(ErrorCode::cancelled, "the mount is gone");
    protocol::BackingMap map{fd, 0, 0};
    const int id = ::ioctl(device_, protocol::backing_open, &map);
    if (id <= 0) return fail_errno(id < 0 ? errno : EIO, "register a backing file");
    return id;
  }
  void close_backing(int backing_id) override {
    const auto alive = core_.lock();
    if (alive == nullptr) return;
    auto id = static_cast<std::uint32_t>(backing_id);
    ::ioctl(device_, protocol::backing_close, &id);
  }
  void invalidate_entry(NodeId parent, const std::string& name) override {
    const auto alive = core_.lock();
    if (alive != nullptr) {
      fuse_lowlevel_notify_inval_entry(session_, parent, name.data(), name.size());
    }
  }
  void invalidate_attributes(NodeId node) override { invalidate(node, -1); }
  void invalidate_content(NodeId node) override { invalidate(node, 0); }

 private:
  void invalidate(NodeId node, off_t from) {
    const auto alive = core_.lock();
    if (alive != nullptr) fuse_lowlevel_notify_inval_inode(session_, node, from, 0);
  }
  std::weak_ptr<void> core_;
  fuse_session* session_;
  int device_;
  const std::atomic<bool>* passthrough_;
};

}  // namespace

Session::Session(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Session::~Session() { unmount(std::chrono::milliseconds(0)); }

bool Session::passthrough() const { return core_->passthrough; }

Result<std::unique_ptr<Session>> Session::mount(SessionOptions options,
                                                std::shared_ptr<Filesystem> filesystem,
                                                std::function<void()> ended) {
  while (options.mount_point.size() > 1 && options.mount_point.ends_with('/')) {
    options.mount_point.pop_back();
  }
  auto core = std::make_shared<Core>();
  core->options = std::move(options);
  core->filesystem = std::move(filesystem);
  core->ended = std::move(ended);
  auto device = open_device();
  if (!device) return std::unexpected(device.error());
  core->device = *device;
  if (auto ready = prepare_mount_point(core->options.mount_point); !ready) {
    return std::unexpected(ready.error());
  }

  char program[] = "holdfast";
  char* arguments[] = {program, nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  core->session =
      fuse_session_new(&args, &session_operations(), session_operations_size(), core.get());
  fuse_opt_free_args(&args);  // what the parsing of options allocated
  if (core->session == nullptr) return fail(ErrorCode::internal, "libfuse made no session");
  const fuse_custom_io io{.writev = Kernel::write,
                          .read = Kernel::read,
                          .splice_receive = nullptr,
                          .splice_send = Kernel::splice_send};
  if (fuse_session_custom_io(core->session, &io, core->device) != 0) {
    return fail(ErrorCode::internal, "libfuse took no device");
  }
  if (auto mounted = mount_device(core->device, core->options); !mounted) {
    return std::unexpected(mounted.error());
  }

  install_wake_handler();
  core->filesystem->attach(std::make_shared<SessionChannel>(core));
  core->running = std::max<std::size_t>(1, core->options.workers);
  for (std::size_t n = 0; n < core->running; ++n) {
    core->workers.emplace_back([core] {
      prepare_worker();
      fuse_buf buffer{};
      while (fuse_session_exited(core->session) == 0) {
        const int got = fuse_session_receive_buf(core->session, &buffer);
        if (got == -EINTR || got == -EAGAIN) continue;
        if (got <= 0) break;
        fuse_session_process_buf(core->session, &buffer);
      }
      std::free(buffer.mem);
      std::unique_lock lock(core->mutex);
      const bool last = --core->running == 0;
      core->changed.notify_all();
      lock.unlock();
      if (last && core->ended) core->ended();
    });
  }
  std::unique_ptr<Session> session(new Session(core));
  struct stat status{};
  if (::stat(core->options.mount_point.c_str(), &status) != 0) {
    return fail_errno(errno, "use the new mount " + core->options.mount_point);
  }
  core->device_number = minor(status.st_dev);
  return session;
}

bool Session::unmount(std::chrono::milliseconds grace) {
  Core& core = *core_;
  if (core.unmounted) return true;
  core.unmounted = true;
  const auto deadline = std::chrono::steady_clock::now() + grace;
  const char* path = core.options.mount_point.c_str();
  bool clean = true;
  const auto serving = [&core] {
    const std::lock_guard lock(core.mutex);
    return core.running > 0;  // else it was unmounted from outside: the path is not ours any more
  };
  while (serving() && ::umount2(path, UMOUNT_NOFOLLOW) != 0 && errno == EBUSY) {
    if (std::chrono::steady_clock::now() >= deadline) {
      clean = false;
      ::umount2(path, MNT_FORCE | MNT_DETACH);  // waiting requests end with ECONNABORTED
      break;
    }
    std::unique_lock lock(core.mutex);
    core.changed.wait_for(lock, std::chrono::milliseconds(20));
  }
  // Another mount namespace may still show the mount: the workers are woken whether or not the
  // kernel has ended the connection.
  fuse_session_exit(core.session);
  std::unique_lock lock(core.mutex);
  while (core.running > 0) {
    for (auto& worker : core.workers) ::pthread_kill(worker.native_handle(), wake_signal());
    core.changed.wait_for(lock, std::chrono::milliseconds(20));
  }
  lock.unlock();
  for (auto& worker : core.workers) worker.join();
  core.workers.clear();
  abort_connection(core.device_number);
  core.filesystem->detach();
  return clean;
}

}  // namespace holdfast::fusefs
