// The reconcile loop over an engine that the test owns: lost events, blindness, orphans, races.
#include "control/launcher.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <thread>

#include "base/event.h"
#include "control/tool_spec.h"
#include "tests/unit/control/fixtures.h"

namespace holdfast::control {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::administrator;
using testing::as;
using testing::jupyter_of;
using namespace std::chrono_literals;
using Phase = ContainerState::Phase;

// Containers are rows in a map; all on the context's thread.
class FakeEngine final : public EngineDriver {
 public:
  std::map<std::string, ContainerState> containers;
  std::map<std::string, ContainerSpec> specs;
  bool blind = false;  // nothing can be asked
  bool tells = false;  // whether changes are told by watch()
  Error refusal{ErrorCode::internal, ""};
  // An engine makes what it was asked for, also when its caller has gone meanwhile.
  std::chrono::milliseconds making_takes{0};
  int ensured = 0, made = 0, removed = 0;
  std::vector<std::string> asked_to_remove;
  std::function<void()> changed;
  std::function<void()> before_list_answers;

  asio::awaitable<Result<void>> prepare() override {
    if (blind) co_return fail(ErrorCode::unavailable, "no engine");
    co_return Result<void>();
  }
  asio::awaitable<Result<ContainerState>> ensure(ContainerSpec spec) override {
    ++ensured;
    co_await sleep_for(1ms);
    if (blind) co_return fail(ErrorCode::unavailable, "no engine");
    if (!refusal.context.empty()) co_return std::unexpected(refusal);
    if (containers.contains(spec.name)) co_return fail(ErrorCode::conflict, "is there");
    if (making_takes == 0ms) co_return put(std::move(spec));
    auto answered = std::make_shared<Event>(co_await asio::this_coro::executor);
    asio::co_spawn(co_await asio::this_coro::executor, make_alone(spec, answered),
                   [](std::exception_ptr) {});
    co_await answered->wait(std::chrono::hours(1));
    co_return containers.at(spec.name);
  }
  asio::awaitable<void> make_alone(ContainerSpec spec, std::shared_ptr<Event> answered) {
    co_await sleep_for(making_takes);
    put(std::move(spec));
    answered->notify();
  }
  ContainerState put(ContainerSpec spec) {
    ++made;
    specs[spec.name] = spec;
    return containers[spec.name] = {.name = spec.name,
                                    .tool = spec.tool,
                                    .generation = spec.generation,
                                    .spec_hash = spec.spec_hash,
                                    .phase = Phase::running,
                                    .address = "127.0.0.1",
                                    .started = std::chrono::system_clock::now()};
  }
  asio::awaitable<Result<void>> remove(std::string name, std::chrono::seconds) override {
    asked_to_remove.push_back(name);
    co_await sleep_for(1ms);
    if (blind) co_return fail(ErrorCode::unavailable, "no engine");
    removed += static_cast<int>(containers.erase(name));
    co_return Result<void>();
  }
  asio::awaitable<Result<std::vector<ContainerState>>> list() override {
    if (blind) co_return fail(ErrorCode::unavailable, "no engine");
    std::vector<ContainerState> all;
    for (const auto& [name, container] : containers) all.push_back(container);
    co_await sleep_for(1ms);  // the answer is as old as that
    co_return all;
  }
  asio::awaitable<Result<void>> watch(std::function<void()> callback) override {
    changed = std::move(callback);
    co_await sleep_for(std::chrono::hours(1));
    co_return Result<void>();
  }
  asio::awaitable<Result<std::string>> logs(std::string, std::size_t) override {
    co_return std::string("last words\n");
  }
  asio::awaitable<void> retire() override { co_return; }
  std::string host_address() const override { return "10.0.0.1"; }
};

class FakeMounts final : public MountSupervisor {
 public:
  std::atomic<int> released = 0;
  std::atomic<MountState> now = MountState::absent;
  std::atomic<bool> broken = false;
  asio::awaitable<Result<MountPaths>> ensure(MountRequest) override {
    co_await sleep_for(1ms);
    if (broken) co_return fail(ErrorCode::not_supported, "there is no /dev/fuse");
    now = MountState::ready;
    co_return MountPaths{"/m/home", "/m/buckets"};
  }
  asio::awaitable<void> release(PrincipalName) override {
    ++released;
    now = MountState::absent;
    co_return;
  }
  MountReport state(const PrincipalName&) const override { return {.state = now}; }
};

class LauncherTest : public testing::RegistryTest {
 protected:
  LauncherTest()
      : acceptor(context, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)),
        thread([this] { context.run(); }) {
    user("alice");
    ToolTemplate tool = registry->templates()->front();
    tool.port = acceptor.local_endpoint().port();
    EXPECT_TRUE(registry->add_template(administrator(), tool));
    asio::co_spawn(context, answer_probes(), [](std::exception_ptr) {});
    begin();
  }
  ~LauncherTest() override {
    end(ToolLauncher::Ending::keep_tools);
    context.stop();
    thread.join();
  }
  void begin() {
    launcher.emplace(context.get_executor(),
                     ToolLauncher::Parts{*registry, engine, mounts, pool, real_clock},
                     LauncherOptions{.s3_endpoint = "http://{host}:7070",
                                     .making_limit = making_limit,
                                     .full_scan_every = scan_every,
                                     .ready_poll_every = 5ms});
    (void)wait(launcher->run());
  }
  void stop(ToolLauncher::Ending ending) {
    asio::co_spawn(context, launcher->stop(ending), asio::use_future).get();
  }
  void end(ToolLauncher::Ending ending) {
    if (!launcher) return;
    stop(ending);
    launcher.reset();
  }
  asio::awaitable<void> answer_probes() {
    for (;;) {
      auto socket = co_await acceptor.async_accept(asio::use_awaitable);
      if (!healthy) continue;
      static constexpr std::string_view answer =
          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      boost::system::error_code ignored;
      char head[4096];
      socket.read_some(asio::buffer(head), ignored);
      asio::write(socket, asio::buffer(answer), ignored);
    }
  }
  template <class T>
  T wait(asio::awaitable<T> task) {
    return asio::co_spawn(context, std::move(task), asio::use_future).get();
  }
  // Runs on the context's thread.
  template <class F>
  auto on_engine(F work) {
    std::promise<decltype(work())> answer;
    asio::post(context, [&] { answer.set_value(work()); });
    return answer.get_future().get();
  }
  static asio::awaitable<int> pause() {
    co_await sleep_for(2ms);
    co_return 0;
  }
  ::testing::AssertionResult becomes(const std::function<bool()>& condition,
                                     std::chrono::seconds limit = 20s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        const auto shown = launcher->status(jupyter_of("alice"))->shown;
        return ::testing::AssertionFailure() << to_string(shown.state) << ": " << shown.reason;
      }
      wait(pause());
    }
    return ::testing::AssertionSuccess();
  }
  ShownState shown() { return launcher->status(jupyter_of("alice"))->shown; }
  ::testing::AssertionResult becomes(ToolState state) {
    return becomes([&] { return shown().state == state; });
  }
  void start() {
    auto started = wait(launcher->start(as("alice"), jupyter_of("alice")));
    ASSERT_TRUE(started) << started.error().context;
    ASSERT_TRUE(becomes(ToolState::ready));
  }
  std::string name() { return container_name(registry->instance_id(), jupyter_of("alice")); }
  std::size_t count() {
    return on_engine([&] { return engine.containers.size(); });
  }

  std::chrono::milliseconds scan_every = 30ms, making_limit = 30s;
  std::atomic<bool> healthy = true;
  SystemClock real_clock;
  asio::io_context context{1};
  BlockingPool pool{2};  // its threads end before what they answer to
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
  tcp::acceptor acceptor;
  FakeEngine engine;
  FakeMounts mounts;
  std::optional<ToolLauncher> launcher;
  std::thread thread;
};

TEST_F(LauncherTest, AStartGoesFromQueuedToReadyWithAnAddress) {
  EXPECT_EQ(shown().state, ToolState::stopped);
  EXPECT_FALSE(launcher->address(jupyter_of("alice")));
  auto started = wait(launcher->start(as("alice"), jupyter_of("alice")));
  ASSERT_TRUE(started);
  EXPECT_NE(started->shown.state, ToolState::stopped);
  ASSERT_TRUE(becomes(ToolState::ready));
  const auto address = launcher->address(jupyter_of("alice"));
  ASSERT_TRUE(address);
  EXPECT_EQ(address->port, acceptor.local_endpoint().port());
  EXPECT_EQ(on_engine([&] { return engine.specs[name()].environment["AWS_ENDPOINT_URL"]; }),
            "http://10.0.0.1:7070");
}

TEST_F(LauncherTest, ALostEventIsMadeUpForByTheFullScan) {
  start();
  on_engine([&] {
    engine.containers[name()].phase = Phase::exited;  // and nobody tells
    engine.containers[name()].exit_code = 137;
    return 0;
  });
  ASSERT_TRUE(becomes(ToolState::failed));
  ASSERT_TRUE(becomes([&] { return !shown().log_tail.empty(); }));
  EXPECT_NE(shown().reason.find("SIGKILL"), std::string::npos);
  EXPECT_EQ(shown().log_tail, "last words\n");
  ASSERT_TRUE(becomes([&] { return registry->keys(PrincipalName("alice"))->empty(); }));
  ASSERT_TRUE(becomes([&] { return mounts.released > 0; }));
}

TEST_F(LauncherTest, AFailureStaysUntilAPersonStartsAgain) {
  start();
  on_engine([&] {
    engine.containers[name()].phase = Phase::exited;
    return 0;
  });
  ASSERT_TRUE(becomes([&] { return shown().state == ToolState::failed && count() == 0; }));
  const auto made = on_engine([&] { return engine.ensured; });
  for (int i = 0; i < 50; ++i) wait(pause());  // three scans and more
  EXPECT_EQ(on_engine([&] { return engine.ensured; }), made);
  start();
}

TEST_F(LauncherTest, BlindnessKillsNothingAndIsShown) {
  start();
  on_engine([&] {
    engine.blind = true;
    return 0;
  });
  ASSERT_TRUE(becomes(ToolState::unknown));
  EXPECT_EQ(shown().reason, "no engine");
  EXPECT_FALSE(launcher->address(jupyter_of("alice")));
  on_engine([&] {
    engine.blind = false;
    return 0;
  });
  ASSERT_TRUE(becomes(ToolState::ready));
  EXPECT_EQ(on_engine([&] { return engine.removed; }), 0);
  EXPECT_EQ(on_engine([&] { return engine.ensured; }), 1) << "the same container";
}

TEST_F(LauncherTest, ATornDownServerAdoptsWhatRuns) {
  start();
  const auto keys = registry->keys(PrincipalName("alice"));
  end(ToolLauncher::Ending::keep_tools);
  begin();
  ASSERT_TRUE(becomes(ToolState::ready));
  EXPECT_EQ(on_engine([&] { return engine.ensured; }), 1);
  EXPECT_EQ(registry->keys(PrincipalName("alice"))->at(0).id, keys->at(0).id);
}

TEST_F(LauncherTest, AStopRemovesWhatTheEngineWasStillMaking) {
  on_engine([&] { return engine.making_takes = 400ms; });
  ASSERT_TRUE(wait(launcher->start(as("alice"), jupyter_of("alice"))));
  ASSERT_TRUE(becomes([&] { return on_engine([&] { return engine.ensured; }) == 1; }));
  ASSERT_EQ(on_engine([&] { return engine.made; }), 0) << "nothing is made yet";
  stop(ToolLauncher::Ending::remove_tools);
  ASSERT_TRUE(becomes([&] { return on_engine([&] { return engine.made; }) == 1; }));
  EXPECT_EQ(count(), 0u);
  EXPECT_EQ(on_engine([&] { return engine.removed; }), 1);
}

TEST_F(LauncherTest, AStopDoesNotWaitForeverForAnEngineThatStandsStill) {
  end(ToolLauncher::Ending::keep_tools);
  making_limit = 20ms;
  begin();
  on_engine([&] { return engine.making_takes = std::chrono::hours(1); });
  ASSERT_TRUE(wait(launcher->start(as("alice"), jupyter_of("alice"))));
  ASSERT_TRUE(becomes([&] { return on_engine([&] { return engine.ensured; }) == 1; }));
  stop(ToolLauncher::Ending::remove_tools);
  EXPECT_EQ(on_engine([&] { return engine.asked_to_remove; }), std::vector{name()})
      << "it may have come to be without being listed yet";
}

TEST_F(LauncherTest, AContainerThatNobodyWantsIsRemoved) {
  end(ToolLauncher::Ending::keep_tools);
  on_engine([&] {
    engine.containers["orphan"] = {.name = "orphan", .tool = jupyter_of("ghost")};
    return 0;
  });
  begin();
  ASSERT_TRUE(becomes([&] { return count() == 0; }));
}

TEST_F(LauncherTest, AHalfMadeContainerIsMadeAnew) {
  end(ToolLauncher::Ending::keep_tools);
  ASSERT_TRUE(registry->start_tool(as("alice"), jupyter_of("alice")));
  on_engine([&] {
    engine.containers[name()] = {.name = name(), .tool = jupyter_of("alice"), .generation = 1};
    return 0;
  });
  begin();
  ASSERT_TRUE(becomes(ToolState::ready));
  EXPECT_EQ(on_engine([&] { return engine.removed; }), 1);
}

TEST_F(LauncherTest, ARestartReplacesTheContainerAndItsKey) {
  start();
  const auto key = registry->keys(PrincipalName("alice"))->at(0).id;
  ASSERT_TRUE(wait(launcher->restart(as("alice"), jupyter_of("alice"))));
  ASSERT_TRUE(becomes([&] {
    const auto address = launcher->address(jupyter_of("alice"));
    return address && address->generation == 2;
  }));
  const auto keys = registry->keys(PrincipalName("alice"));
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_NE(keys->at(0).id, key);
}

TEST_F(LauncherTest, AStopEndsTheToolItsKeyAndItsMounts) {
  start();
  ASSERT_TRUE(wait(launcher->stop_tool(as("alice"), jupyter_of("alice"))));
  ASSERT_TRUE(becomes(ToolState::stopped));
  ASSERT_TRUE(becomes([&] { return mounts.released == 1; }));
  EXPECT_TRUE(registry->keys(PrincipalName("alice"))->empty());
  EXPECT_EQ(count(), 0u);
}

TEST_F(LauncherTest, AStormOfStartsStopsAndRestartsEndsAsTheLastWordSays) {
  for (int round = 0; round < 10; ++round) {
    ASSERT_TRUE(wait(launcher->start(as("alice"), jupyter_of("alice"))));
    wait(pause());
    ASSERT_TRUE(wait(launcher->restart(as("alice"), jupyter_of("alice"))));
    ASSERT_TRUE(wait(launcher->stop_tool(as("alice"), jupyter_of("alice"))));
    if (round % 3 == 0) wait(pause());
  }
  start();
  EXPECT_EQ(count(), 1u);
  ASSERT_TRUE(becomes([&] { return registry->keys(PrincipalName("alice"))->size() == 1; }));
  const auto key = registry->keys(PrincipalName("alice"))->at(0).id.value;
  EXPECT_EQ(on_engine([&] { return engine.specs[name()].environment["AWS_ACCESS_KEY_ID"]; }), key)
      << "the running tool holds the living key";
}

TEST_F(LauncherTest, WhatCannotBeMountedFailsWithTheReason) {
  mounts.broken = true;
  ASSERT_TRUE(wait(launcher->start(as("alice"), jupyter_of("alice"))));
  ASSERT_TRUE(becomes(ToolState::failed));
  EXPECT_NE(shown().reason.find("/dev/fuse"), std::string::npos);
  EXPECT_EQ(count(), 0u);
}

TEST_F(LauncherTest, AnEngineThatRefusesFailsTheToolAfterThreeAttempts) {
  on_engine([&] {
    engine.refusal = {ErrorCode::io, "no such image"};
    return 0;
  });
  ASSERT_TRUE(wait(launcher->start(as("alice"), jupyter_of("alice"))));
  ASSERT_TRUE(becomes(ToolState::failed));
  EXPECT_NE(shown().reason.find("no such image"), std::string::npos);
  EXPECT_EQ(on_engine([&] { return engine.ensured; }), 3);
}

TEST_F(LauncherTest, ATruantThatNeverAnswersFailsByItsDeadline) {
  healthy = false;
  ToolTemplate tool = registry->templates()->front();
  tool.start_seconds = 1;
  ASSERT_TRUE(registry->add_template(administrator(), tool));
  ASSERT_TRUE(wait(launcher->start(as("alice"), jupyter_of("alice"))));
  ASSERT_TRUE(becomes(ToolState::failed));
  EXPECT_NE(shown().reason.find("did not answer"), std::string::npos);
  ASSERT_TRUE(becomes([&] { return count() == 0; }));
}

TEST_F(LauncherTest, ADisabledUsersToolsEnd) {
  start();
  ASSERT_TRUE(registry->disable_principal(administrator(), PrincipalName("alice")));
  launcher->user_changed(PrincipalName("alice"));
  ASSERT_TRUE(becomes([&] { return count() == 0; }));
}

TEST_F(LauncherTest, ARemovedUsersContainersAreGone) {
  start();
  ASSERT_TRUE(registry->remove_principal(administrator(), PrincipalName("alice")));
  launcher->user_changed(PrincipalName("alice"));
  ASSERT_TRUE(becomes([&] { return count() == 0; }));
}

TEST_F(LauncherTest, WithoutAnEngineToolsShowAsUnknownUntilOneAppears) {
  end(ToolLauncher::Ending::keep_tools);
  on_engine([&] {
    engine.blind = true;
    return 0;
  });
  begin();
  ASSERT_TRUE(wait(launcher->start(as("alice"), jupyter_of("alice"))));
  ASSERT_TRUE(becomes(ToolState::unknown));
  on_engine([&] {
    engine.blind = false;
    return 0;
  });
  ASSERT_TRUE(becomes(ToolState::ready));
}

TEST_F(LauncherTest, UnknownUsersToolsAndStrangersAreRefused) {
  EXPECT_EQ(code(wait(launcher->start(administrator(), jupyter_of("eve")))), ErrorCode::not_found);
  EXPECT_EQ(code(wait(launcher->start(as("eve"), jupyter_of("alice")))), ErrorCode::access_denied);
  EXPECT_FALSE(launcher->status({PrincipalName("alice"), "quake"}));
}

TEST(HostLabels, AreATemplateADashAndAUser) {
  const auto id = ToolLauncher::parse_host_label("jupyter-alice-b");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->tool, "jupyter");
  EXPECT_EQ(id->user.value, "alice-b");
  for (const auto* bad : {"", "jupyter", "-alice", "jupyter-", "Jupyter-alice", "jupyter-root"}) {
    EXPECT_FALSE(ToolLauncher::parse_host_label(bad)) << bad;
  }
}

}  // namespace
}  // namespace holdfast::control
