#include "control/tool_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::control {
namespace {

bool failed(const ToolRecord& desired) {
  return desired.generation != 0 && desired.failed_generation == desired.generation;
}

bool wanted(const ToolRecord& desired) {
  return desired.desired == Desired::running && !failed(desired);
}

std::chrono::seconds start_limit(const ToolTemplate& tool) {
  return std::chrono::seconds(tool.start_seconds);
}

bool too_late(const ContainerState& container, const ToolTemplate& tool, TimePoint now) {
  return now - container.started > start_limit(tool);
}

ShownState starting(const ContainerState& container, TimePoint now) {
  if (container.phase == ContainerState::Phase::created) {
    return {.state = ToolState::starting, .progress = 45};
  }
  // A usual start takes two seconds: half of the rest is gone by then, the end never comes early.
  const auto seconds = std::chrono::duration<double>(now - container.started).count();
  const double share = std::max(0.0, seconds) / (std::max(0.0, seconds) + 2.0);
  return {.state = ToolState::starting, .progress = 50 + static_cast<unsigned>(45.0 * share)};
}

// A container whose mounts are dead reads and writes nothing any more. One that had run for a while
// is made anew; one that had not is a failure, so that a mount that always dies ends the attempts.
constexpr std::chrono::seconds worth_another_start{10};

bool has_lost_its_mounts(const Observation& observed) {
  return observed.mount.state == MountState::lost &&
         observed.container.phase == ContainerState::Phase::running;
}

ShownState shown_present(const ToolRecord& desired, const ToolTemplate& tool,
                         const Observation& observed, TimePoint now) {
  const auto& container = observed.container;
  if (container.generation != desired.generation) {
    return {.state = ToolState::draining, .reason = "the last one is being ended", .progress = 5};
  }
  if (container.phase == ContainerState::Phase::exited) {
    return {.state = ToolState::failed, .reason = exit_sentence(container, tool)};
  }
  if (has_lost_its_mounts(observed)) {
    return {.state = ToolState::draining, .reason = observed.mount.reason, .progress = 5};
  }
  if (observed.answers && container.phase == ContainerState::Phase::running) {
    return {.state = ToolState::ready, .progress = 100};
  }
  return starting(container, now);
}

ShownState shown_absent(const Observation& observed) {
  switch (observed.mount.state) {
    case MountState::absent:
      return {.state = ToolState::queued, .progress = 5};
    case MountState::starting:
    case MountState::draining:
      return {.state = ToolState::preparing, .progress = 20};
    case MountState::ready:
      return {.state = ToolState::preparing, .progress = 35};
    case MountState::failed:
    case MountState::lost:
      return {.state = ToolState::preparing, .reason = observed.mount.reason, .progress = 10};
  }
  return {};
}

}  // namespace

std::string_view to_string(ToolState state) {
  switch (state) {
    case ToolState::stopped:
      return "stopped";
    case ToolState::queued:
      return "queued";
    case ToolState::preparing:
      return "preparing";
    case ToolState::starting:
      return "starting";
    case ToolState::ready:
      return "ready";
    case ToolState::draining:
      return "draining";
    case ToolState::failed:
      return "failed";
    case ToolState::unknown:
      return "unknown";
  }
  return "unknown";
}

ShownState shown_state(const ToolRecord& desired, const ToolTemplate& tool,
                       const Observation& observed, TimePoint now) {
  using Engine = Observation::Engine;
  if (desired.generation == 0) return {.state = ToolState::stopped};
  if (desired.desired == Desired::running && failed(desired)) {
    return {.state = ToolState::failed, .reason = desired.failure, .log_tail = desired.failure_log};
  }
  if (observed.engine == Engine::unknown) {
    return {.state = ToolState::unknown, .reason = observed.engine_error};
  }
  if (desired.desired == Desired::stopped) {
    return {.state = observed.engine == Engine::present ? ToolState::draining : ToolState::stopped};
  }
  return observed.engine == Engine::present ? shown_present(desired, tool, observed, now)
                                            : shown_absent(observed);
}

Step next_step(const ToolRecord& desired, const ToolTemplate& tool, const Observation& observed,
               TimePoint now) {
  using Engine = Observation::Engine;
  if (observed.engine == Engine::unknown) return Step::none;
  if (observed.engine == Engine::absent) {
    if (wanted(desired)) return Step::bring_up;
    const bool holds = !desired.key.empty() || observed.mount.state == MountState::ready;
    return holds && !observed.released ? Step::release : Step::none;
  }
  const auto& container = observed.container;
  if (!wanted(desired) || container.generation != desired.generation) return Step::remove;
  switch (container.phase) {
    case ContainerState::Phase::created:
      return Step::remove;
    case ContainerState::Phase::exited:
      return Step::record_failure;
    case ContainerState::Phase::running:
      break;
  }
  if (has_lost_its_mounts(observed)) {
    return now - container.started > worth_another_start ? Step::remove : Step::record_failure;
  }
  if (observed.mount.state == MountState::absent) return Step::mount;
  if (observed.answers) return Step::none;
  return too_late(container, tool, now) ? Step::record_failure : Step::probe;
}

std::string exit_sentence(const ContainerState& container, const ToolTemplate& tool) {
  if (container.phase != ContainerState::Phase::exited) {
    return fmt::format("it did not answer on port {} within {} s", tool.port, tool.start_seconds);
  }
  if (container.out_of_memory) {
    return fmt::format("killed: out of memory (limit {} MiB, exit code {})",
                       tool.memory_bytes >> 20, container.exit_code);
  }
  if (container.exit_code > 128 && container.exit_code < 160) {
    const int signal = container.exit_code - 128;
    return fmt::format("killed by signal {}{} (exit code {})", signal,
                       signal == 9    ? " (SIGKILL)"
                       : signal == 15 ? " (SIGTERM)"
                       : signal == 11 ? " (SIGSEGV)"
                       : signal == 6  ? " (SIGABRT)"
                                      : "",
                       container.exit_code);
  }
  return fmt::format("it ended by itself with exit code {}", container.exit_code);
}

}  // namespace holdfast::control
