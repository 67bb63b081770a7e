// What a tool's state is shown as: a pure function of what is desired, what was observed and the
// time. Nothing shown is stored. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "control/engine_driver.h"
#include "control/mount_supervisor.h"
#include "control/records.h"

namespace holdfast::control {

enum class ToolState : std::uint8_t {
  stopped,
  queued,
  preparing,
  starting,
  ready,
  draining,
  failed,
  unknown,
};
std::string_view to_string(ToolState state);  // "ready", as the JSON API says it

// What the reconcile loop last saw of one tool.
struct Observation {
  enum class Engine : std::uint8_t { unknown, absent, present } engine = Engine::unknown;
  ContainerState container;  // where present
  MountReport mount;
  bool released = false;     // since it stopped or failed: its mounts were given back
  bool answers = false;      // the ready path answered in this generation
  std::string engine_error;  // why unknown, or why ensure failed last
};

struct ShownState {
  ToolState state = ToolState::stopped;
  std::string reason;     // a sentence, for failed and unknown
  std::string log_tail;   // for failed
  unsigned progress = 0;  // 0 to 100, for the start page
};

ShownState shown_state(const ToolRecord& desired, const ToolTemplate& tool_template,
                       const Observation& observed, TimePoint now);

// What the reconcile loop does next for one tool. Pure, so that every case is in a table of tests.
enum class Step : std::uint8_t {
  none,            // as desired, or unknown: what cannot be seen is not touched
  bring_up,        // mount, make a key, make and start the container
  mount,           // a container that was adopted runs, its mounts are not known: ensure them
  probe,           // runs, has not answered yet
  record_failure,  // ended by itself, or did not answer in time
  remove,          // not wanted, of an older generation, or half made
  release,         // gone: revoke its key, give the mounts back
};
Step next_step(const ToolRecord& desired, const ToolTemplate& tool_template,
               const Observation& observed, TimePoint now);

// Why a container that ended by itself ended: "killed: out of memory (limit 1024 MiB)" …
std::string exit_sentence(const ContainerState& container, const ToolTemplate& tool_template);

}  // namespace holdfast::control
