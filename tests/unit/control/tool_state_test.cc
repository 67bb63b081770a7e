#include "control/tool_state.h"

#include <gtest/gtest.h>

namespace holdfast::control {
namespace {

using namespace std::chrono_literals;
using Engine = Observation::Engine;
using Phase = ContainerState::Phase;

const TimePoint noon(std::chrono::hours(500'000));

// A world in which generation 3 is wanted, runs and answers; each row changes something.
struct World {
  ToolRecord record{.desired = Desired::running, .generation = 3};
  ToolTemplate tool{.name = "jupyter", .start_seconds = 60};
  Observation seen{.engine = Engine::present,
                   .container = {.generation = 3, .phase = Phase::running, .started = noon - 5s},
                   .mount = {.state = MountState::ready},
                   .answers = true};
};

struct Row {
  std::string_view what;
  void (*change)(World&);
  ToolState state;
  Step step;
};

const Row rows[] = {
    {"runs and answers", [](World&) {}, ToolState::ready, Step::none},
    {"never started",
     [](World& w) {
       w.record = {};
       w.seen = {};
     },
     ToolState::stopped, Step::none},
    {"does not answer yet", [](World& w) { w.seen.answers = false; }, ToolState::starting,
     Step::probe},
    {"does not answer in time",
     [](World& w) {
       w.seen.answers = false;
       w.seen.container.started = noon - 61s;
     },
     ToolState::starting, Step::record_failure},
    {"answered long ago", [](World& w) { w.seen.container.started = noon - 24h; }, ToolState::ready,
     Step::none},
    {"wanted, nothing there yet",
     [](World& w) {
       w.seen.engine = Engine::absent;
       w.seen.mount = {};
     },
     ToolState::queued, Step::bring_up},
    {"mounting",
     [](World& w) {
       w.seen.engine = Engine::absent;
       w.seen.mount.state = MountState::starting;
     },
     ToolState::preparing, Step::bring_up},
    {"mounted, no container", [](World& w) { w.seen.engine = Engine::absent; },
     ToolState::preparing, Step::bring_up},
    {"its mounts died after a while",
     [](World& w) {
       w.seen.mount = {.state = MountState::lost, .reason = "killed"};
       w.seen.container.started = noon - 11s;
     },
     ToolState::draining, Step::remove},
    {"its mounts died at once",
     [](World& w) { w.seen.mount = {.state = MountState::lost, .reason = "killed"}; },
     ToolState::draining, Step::record_failure},
    {"gone because its mounts died",
     [](World& w) {
       w.seen.mount = {.state = MountState::lost, .reason = "killed"};
       w.seen.engine = Engine::absent;
     },
     ToolState::preparing, Step::bring_up},
    {"half made",
     [](World& w) {
       w.seen.container.phase = Phase::created;
       w.seen.answers = false;
     },
     ToolState::starting, Step::remove},
    {"ended by itself", [](World& w) { w.seen.container.phase = Phase::exited; }, ToolState::failed,
     Step::record_failure},
    {"its end is recorded, the container is there",
     [](World& w) {
       w.seen.container.phase = Phase::exited;
       w.record.failed_generation = 3;
     },
     ToolState::failed, Step::remove},
    {"failed and gone",
     [](World& w) {
       w.seen.engine = Engine::absent;
       w.record.failed_generation = 3;
     },
     ToolState::failed, Step::release},
    {"failed, gone and released",
     [](World& w) {
       w.seen.engine = Engine::absent;
       w.record.failed_generation = 3;
       w.seen.released = true;
     },
     ToolState::failed, Step::none},
    {"an older generation's failure does not count",
     [](World& w) {
       w.seen.engine = Engine::absent;
       w.record.failed_generation = 2;
     },
     ToolState::preparing, Step::bring_up},
    {"a restart finds the last generation", [](World& w) { w.record.generation = 4; },
     ToolState::draining, Step::remove},
    {"stopped while it runs", [](World& w) { w.record.desired = Desired::stopped; },
     ToolState::draining, Step::remove},
    {"stopped and gone",
     [](World& w) {
       w.record.desired = Desired::stopped;
       w.seen.engine = Engine::absent;
     },
     ToolState::stopped, Step::release},
    {"stopped, gone, nothing held",
     [](World& w) {
       w.record.desired = Desired::stopped;
       w.seen.engine = Engine::absent;
       w.seen.mount = {};
     },
     ToolState::stopped, Step::none},
    {"stopped, gone, its key is still there",
     [](World& w) {
       w.record.desired = Desired::stopped;
       w.seen.engine = Engine::absent;
       w.seen.mount = {};
       w.record.key = AccessKeyId("AK");
     },
     ToolState::stopped, Step::release},
    {"the engine cannot be seen", [](World& w) { w.seen.engine = Engine::unknown; },
     ToolState::unknown, Step::none},
    {"stopped, the engine cannot be seen",
     [](World& w) {
       w.seen.engine = Engine::unknown;
       w.record.desired = Desired::stopped;
     },
     ToolState::unknown, Step::none},
    {"failed, the engine cannot be seen",
     [](World& w) {
       w.seen.engine = Engine::unknown;
       w.record.failed_generation = 3;
     },
     ToolState::failed, Step::none},
    {"adopted without known mounts",
     [](World& w) {
       w.seen.mount = {};
       w.seen.answers = false;
     },
     ToolState::starting, Step::mount},
};

}  // namespace

TEST(ToolState, EachSituationIsShownAndActedOnAsTheTableSays) {
  for (const auto& row : rows) {
    World world;
    row.change(world);
    const auto shown = shown_state(world.record, world.tool, world.seen, noon);
    EXPECT_EQ(to_string(shown.state), to_string(row.state)) << row.what;
    EXPECT_EQ(int(next_step(world.record, world.tool, world.seen, noon)), int(row.step))
        << row.what;
  }
}

TEST(ToolState, ProgressGrowsWhileItStartsAndOnlyReadyIs100) {
  World world;
  world.seen.answers = false;
  unsigned last = 0;
  for (const auto after : {0s, 1s, 2s, 5s, 30s, 59s}) {
    world.seen.container.started = noon - after;
    const auto shown = shown_state(world.record, world.tool, world.seen, noon);
    EXPECT_GE(shown.progress, last);
    EXPECT_LT(shown.progress, 100u);
    last = shown.progress;
  }
  world.seen.answers = true;
  EXPECT_EQ(shown_state(world.record, world.tool, world.seen, noon).progress, 100u);
}

TEST(ToolState, AFailureSaysWhyWithTheLogsEnd) {
  World world;
  world.record.failed_generation = 3;
  world.record.failure = "killed: out of memory";
  world.record.failure_log = "last words";
  const auto shown = shown_state(world.record, world.tool, world.seen, noon);
  EXPECT_EQ(shown.reason, "killed: out of memory");
  EXPECT_EQ(shown.log_tail, "last words");
}

TEST(ToolState, ExitsAreSaidInWords) {
  ToolTemplate tool{.port = 8888, .memory_bytes = 1u << 30, .start_seconds = 60};
  ContainerState ended{.phase = Phase::exited, .exit_code = 137, .out_of_memory = true};
  EXPECT_EQ(exit_sentence(ended, tool), "killed: out of memory (limit 1024 MiB, exit code 137)");
  ended.out_of_memory = false;
  EXPECT_EQ(exit_sentence(ended, tool), "killed by signal 9 (SIGKILL) (exit code 137)");
  ended.exit_code = 3;
  EXPECT_EQ(exit_sentence(ended, tool), "it ended by itself with exit code 3");
  ended.phase = Phase::running;
  EXPECT_EQ(exit_sentence(ended, tool), "it did not answer on port 8888 within 60 s");
}

}  // namespace holdfast::control
