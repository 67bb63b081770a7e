// The launcher over a real podman with a real Jupyter: start, limits, isolation, kill, adoption.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <cstdio>
#include <future>
#include <random>
#include <thread>

#include "base/blocking_pool.h"
#include "base/event.h"
#include "base/fd.h"
#include "control/launcher.h"
#include "control/podman_driver.h"
#include "control/podman_service.h"
#include "control/tool_spec.h"
#include "tests/unit/control/fixtures.h"

namespace holdfast::control {
namespace {

namespace asio = boost::asio;
using testing::as;
using testing::jupyter_of;
using namespace std::chrono_literals;

// Plain directories stand in for the mounts.
class DirectoryMounts final : public MountSupervisor {
 public:
  explicit DirectoryMounts(std::string root) : root_(std::move(root)) {}
  asio::awaitable<Result<MountPaths>> ensure(MountRequest request) override {
    MountPaths paths{root_ + "/" + request.user.value + "/home",
                     root_ + "/" + request.user.value + "/buckets"};
    for (const auto& path : {paths.home, paths.buckets}) {
      if (auto made = make_directories(path, 0755); !made) co_return std::unexpected(made.error());
      if (chown(path.c_str(), request.uid, request.uid) != 0) {
        co_return fail_errno(errno, "chown " + path);
      }
    }
    state_ = MountState::ready;
    co_return paths;
  }
  asio::awaitable<void> release(PrincipalName) override {
    state_ = MountState::absent;
    co_return;
  }
  MountReport state(const PrincipalName&) const override { return {.state = state_}; }

 private:
  std::string root_;
  std::atomic<MountState> state_ = MountState::absent;
};

struct Output {
  int status = -1;
  std::string text;
};
Output run(const std::string& command) {
  Output output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const auto got = fread(buffer, 1, sizeof buffer, pipe)) output.text.append(buffer, got);
  output.status = WEXITSTATUS(pclose(pipe));
  return output;
}

class PodmanTest : public testing::RegistryTest {
 protected:
  // A new instance each time: the engine remembers addresses by the network's name.
  PodmanTest()
      : testing::RegistryTest(std::random_device{}()),
        mounts(directory.path + "/mounts"),
        thread([this] { context.run(); }) {
    user("alice");
    begin();
  }
  ~PodmanTest() override {
    end(ToolLauncher::Ending::remove_tools);
    work.reset();
    thread.join();
  }
  void begin() {
    engine = make_podman_driver(
        context.get_executor(),
        {.run_dir = directory.path + "/run", .instance_id = registry->instance_id()}, real_clock);
    launcher.emplace(
        context.get_executor(), ToolLauncher::Parts{*registry, *engine, mounts, pool, real_clock},
        LauncherOptions{.s3_endpoint = "http://{host}:7070", .hidden_paths = {directory.path}});
    auto ready = wait(launcher->run());
    ASSERT_TRUE(ready) << ready.error().context;
  }
  void end(ToolLauncher::Ending ending) {
    if (!launcher) return;
    asio::co_spawn(context, launcher->stop(ending), asio::use_future).get();
    launcher.reset();
    // The driver's sockets belong to the context's thread.
    std::promise<void> gone;
    asio::post(context, [&] {
      engine.reset();
      gone.set_value();
    });
    gone.get_future().get();
  }
  template <class T>
  T wait(asio::awaitable<T> task) {
    return asio::co_spawn(context, std::move(task), asio::use_future).get();
  }
  ShownState await_state(ToolState state, std::chrono::seconds limit = 60s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    ShownState shown;
    do {
      shown = launcher->status(jupyter_of("alice"))->shown;
      if (shown.state == state) return shown;
      wait(pause());
    } while (std::chrono::steady_clock::now() < deadline);
    ADD_FAILURE() << "still " << to_string(shown.state) << ": " << shown.reason << shown.log_tail;
    return shown;
  }
  static asio::awaitable<int> pause() {
    co_await sleep_for(10ms);
    co_return 0;
  }
  void start() {
    auto started = wait(launcher->start(as("alice"), jupyter_of("alice")));
    ASSERT_TRUE(started) << started.error().context;
    ASSERT_EQ(await_state(ToolState::ready).state, ToolState::ready);
  }
  std::string name() { return container_name(registry->instance_id(), jupyter_of("alice")); }
  Output inside(const std::string& command) {
    const std::string runtime = find_program("runc").empty() ? "" : "--runtime runc ";
    return run("timeout 60 podman " + runtime + "exec " + name() + " sh -c '" + command + "'");
  }

  SystemClock real_clock;
  BlockingPool pool{2};
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  DirectoryMounts mounts;
  std::unique_ptr<EngineDriver> engine;
  std::optional<ToolLauncher> launcher;
  std::thread thread;
};

TEST_F(PodmanTest, JupyterRunsAsThePersonWithLimitsAndNoNetworkButTheHost) {
  const auto begun = std::chrono::steady_clock::now();
  start();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  RecordProperty("start_seconds", std::to_string(took.count()));
  std::printf("click to ready: %.2f s\n", took.count());

  const auto uid = std::to_string(registry->principal(PrincipalName("alice"))->uid);
  EXPECT_EQ(inside("whoami").text, "alice\n");
  EXPECT_EQ(inside("id -u; id -g").text, uid + "\n" + uid + "\n");
  EXPECT_EQ(inside("echo $HOME; pwd").text, "/home/alice\n/home/alice\n");
  EXPECT_EQ(inside("grep CapEff /proc/self/status").text, "CapEff:\t0000000000000000\n");
  EXPECT_EQ(inside("grep NoNewPrivs /proc/self/status").text, "NoNewPrivs:\t1\n");
  const auto limits = inside(
      "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max 2>/dev/null || "
      "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max");
  EXPECT_EQ(limits.text, "1073741824\n512\n");
  EXPECT_EQ(inside("ip route show default").text, "");
  EXPECT_NE(inside("curl -sS -m 3 http://192.0.2.1/").status, 0);
  EXPECT_EQ(inside("echo $AWS_ENDPOINT_URL").text, "http://" + engine->host_address() + ":7070\n");
  EXPECT_TRUE(inside("echo $AWS_ACCESS_KEY_ID").text.starts_with("AK"));

  ASSERT_EQ(inside("echo kept > ~/note && mkdir /buckets/x").status, 0);
  EXPECT_EQ(*read_file(directory.path + "/mounts/alice/home/note"), "kept\n");
  EXPECT_NE(inside("cat " + directory.path + "/registry.db").status, 0) << "secrets are hidden";
  EXPECT_NE(inside("touch /usr/x").status, 0);

  const auto address = launcher->address(jupyter_of("alice"));
  ASSERT_TRUE(address);
  EXPECT_NE(address->ip, engine->host_address()) << "the host's own address is no tool's";
  const auto api = run("curl -sS http://" + address->ip + ":8888/api");
  EXPECT_NE(api.text.find("version"), std::string::npos) << api.text;
}

TEST_F(PodmanTest, OneToolCannotReachAnother) {
  user("bob");
  start();
  ASSERT_TRUE(wait(launcher->start(as("bob"), jupyter_of("bob"))));
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!launcher->address(jupyter_of("bob")) && std::chrono::steady_clock::now() < deadline) {
    wait(pause());
  }
  const auto other = launcher->address(jupyter_of("bob"));
  ASSERT_TRUE(other);
  EXPECT_EQ(run("curl -sS -m 3 http://" + other->ip + ":8888/api").status, 0);
  EXPECT_NE(inside("curl -sS -m 3 http://" + other->ip + ":8888/api").status, 0);
}

TEST_F(PodmanTest, AKilledToolIsShownAsFailedWithTheReasonUntilItIsStartedAgain) {
  start();
  const auto first_key = registry->keys(PrincipalName("alice"))->at(0).id;
  const std::string runtime = find_program("runc").empty() ? "" : "--runtime runc ";
  ASSERT_EQ(run("podman " + runtime + "kill --signal KILL " + name()).status, 0);
  const auto shown = await_state(ToolState::failed);
  EXPECT_NE(shown.reason.find("SIGKILL"), std::string::npos) << shown.reason;
  const auto failed = [&] { return launcher->status(jupyter_of("alice")); };
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (failed()->shown.log_tail.empty() && std::chrono::steady_clock::now() < deadline) {
    wait(pause());
  }
  EXPECT_NE(failed()->shown.log_tail.find("Jupyter Notebook"), std::string::npos);
  start();
  EXPECT_EQ(failed()->generation, 2u);
  const auto keys = registry->keys(PrincipalName("alice"));
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_NE(keys->at(0).id, first_key);
}

TEST_F(PodmanTest, AToolThatEatsAllMemoryIsSaidToBeOutOfMemory) {
  ToolTemplate hungry;
  hungry.name = "jupyter";
  hungry.command = {"/usr/bin/python3", "-c",
                    "import time\nx=[]\nwhile True: x.append(bytearray(1<<20)); time.sleep(0.001)"};
  hungry.memory_bytes = 64u << 20;
  ASSERT_TRUE(registry->add_template(testing::administrator(), hungry));
  ASSERT_TRUE(wait(launcher->start(as("alice"), jupyter_of("alice"))));
  const auto shown = await_state(ToolState::failed);
  EXPECT_NE(shown.reason.find("out of memory"), std::string::npos) << shown.reason;
}

TEST_F(PodmanTest, WhatRunsIsAdoptedByTheNextServer) {
  start();
  const auto before = launcher->status(jupyter_of("alice"))->since;
  const auto key = registry->keys(PrincipalName("alice"))->at(0).id;
  end(ToolLauncher::Ending::keep_tools);
  begin();
  ASSERT_EQ(await_state(ToolState::ready).state, ToolState::ready);
  EXPECT_EQ(launcher->status(jupyter_of("alice"))->since, before) << "the same container";
  EXPECT_EQ(registry->keys(PrincipalName("alice"))->at(0).id, key);
}

TEST_F(PodmanTest, AStoppedToolIsGoneAndItsKeyIsRevoked) {
  start();
  ASSERT_TRUE(wait(launcher->stop_tool(as("alice"), jupyter_of("alice"))));
  ASSERT_EQ(await_state(ToolState::stopped).state, ToolState::stopped);
  EXPECT_NE(run("podman container exists " + name()).status, 0);
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!registry->keys(PrincipalName("alice"))->empty() &&
         std::chrono::steady_clock::now() < deadline) {
    wait(pause());
  }
  EXPECT_TRUE(registry->keys(PrincipalName("alice"))->empty());
}

TEST_F(PodmanTest, AnEndThatRemovesToolsLeavesNothingBehind) {
  start();
  const auto id = registry->instance_id();
  end(ToolLauncher::Ending::remove_tools);
  EXPECT_EQ(run("podman ps -a -q --filter label=io.holdfast.instance=" + id).text, "");
  EXPECT_EQ(run("podman network ls -q --filter name=holdfast-" + id).text, "");
  EXPECT_FALSE(std::filesystem::exists("/sys/class/net/hf" + id));
  EXPECT_FALSE(listener_of(directory.path + "/run/podman.sock"));
}

}  // namespace
}  // namespace holdfast::control
