// Serves a home over TREE at MOUNT with an engine that does nothing, until standard input closes:
// what the mount itself costs, without synchronisation. For bench/file_io.cc and scripts/bench.
#include <cstdio>
#include <cstring>
#include <memory>

#include "fusefs/home_fs.h"
#include "fusefs/session.h"

namespace {

class NoEngine final : public holdfast::fusefs::HomeEvents {
 public:
  void changed(const std::string&) override {}
  void renamed(const std::string&, const std::string&) override {}
  void opened_for_write(const std::string&) override {}
  void closed_for_write(const std::string&) override {}
  void ensure_local(const std::string&, Done done) override { done({}); }
  void wait_uploaded(const std::string&, Done done) override { done({}); }
};

}  // namespace

int main(int count, char** arguments) {
  using namespace holdfast::fusefs;
  if (count < 3) {
    std::fputs("usage: holdfast_bench_home_mount TREE MOUNT [--no-passthrough]\n", stderr);
    return 2;
  }
  NoEngine engine;
  HomeOptions options;
  options.tree = arguments[1];
  auto home = HomeFs::open(std::move(options), engine);
  if (!home) return std::fprintf(stderr, "%s\n", home.error().context.c_str()), 1;
  SessionOptions wanted{.mount_point = arguments[2]};
  wanted.passthrough = count < 4 || std::strcmp(arguments[3], "--no-passthrough") != 0;
  auto session = Session::mount(std::move(wanted), *home, [] {});
  if (!session) return std::fprintf(stderr, "%s\n", session.error().context.c_str()), 1;
  std::puts((*session)->passthrough() ? "ready passthrough" : "ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  (*session)->unmount(std::chrono::seconds(5));
  return 0;
}
