// holdfast audit …, holdfast status
#include <memory>

#include "cli/commands.h"
#include "syncd/home_engine.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

int verify(const Invocation& invocation) {
  auto answer = invocation.client().get("audit/verify");
  if (!answer) return report(answer.error());
  const bool good = answer->at("ok").as_bool();
  if (invocation.json) {
    print_value(*answer);
  } else if (good) {
    fmt::print("the chain holds: {} events, head {}\n", text_of(*answer, "events"),
               text_of(*answer, "head"));
  } else {
    fmt::print("the chain is broken at event {}: {}\n", text_of(*answer, "first_bad"),
               text_of(*answer, "reason"));
  }
  return good ? 0 : 1;
}

int tail(const Invocation& invocation, unsigned lines, const std::string& actor,
         const std::string& action) {
  auto answer = invocation.client().get(
      "audit", {{"limit", std::to_string(lines)}, {"actor", actor}, {"action", action}});
  if (!answer) return report(answer.error());
  auto& events = answer->at("events").as_array();
  // The API answers newest first; a tail reads downwards.
  const json::array rows(events.rbegin(), events.rend());
  print_rows(rows,
             {{"SEQ", "seq"},
              {"TIME", "time"},
              {"ACTOR", "actor"},
              {"ACTION", "action"},
              {"TARGET", "target"},
              {"OUTCOME", "outcome"},
              {"SOURCE", "source"}},
             invocation.format());
  return 0;
}

// One line of the scrub, where there is one.
void print_scrub(const json::object& status) {
  const json::value* scrub = status.if_contains("scrub");
  if (scrub == nullptr || !scrub->is_object()) return;
  const json::value& present = scrub->at("present");
  const json::value& last = scrub->at("last");
  std::string text = "scrub: none ended yet";
  if (last.is_object()) {
    const json::object& pass = last.get_object();
    const std::string damaged = text_of(pass, "damaged");
    text = fmt::format(
        "scrub: the last began {}, {}", text_of(pass, "started"),
        damaged == "0" ? "no damage" : damaged + " places are DAMAGED: holdfast check --scrub");
  }
  if (present.is_object()) {
    text += fmt::format("; one {}, {} damaged so far",
                        scrub->at("running").as_bool() ? "runs" : "is to go on",
                        text_of(present.get_object(), "damaged"));
  }
  fmt::print("{}\n", text);
}

// How many there are; `holdfast parked list` shows them.
void count_parked(json::object& home) {
  const json::value* parked = home.if_contains("parked");
  if (parked == nullptr || !parked->is_array()) return;
  const std::size_t count = parked->get_array().size();
  const bool all = count < syncd::HomeStatus::most_parked;
  home["parked"] = fmt::format("{}{}", count, all ? "" : " or more");
}

int status(const Invocation& invocation) {
  auto answer = invocation.client().get("status");
  if (!answer) return report(answer.error());
  if (invocation.json) {
    print_value(*answer);
    return 0;
  }
  fmt::print("holdfast {}, data {}\nS3 {}   console {}   policy epoch {}\n",
             text_of(*answer, "version"), text_of(*answer, "data"), text_of(*answer, "s3_endpoint"),
             text_of(*answer, "console"), text_of(*answer, "epoch"));
  print_scrub(*answer);
  fmt::print("\n");
  print_rows(answer->at("tools").as_array(),
             {{"TOOL", "tool"}, {"USER", "user"}, {"STATE", "state"}, {"REASON", "reason"}},
             Format::table);
  fmt::print("\n");
  json::array homes = answer->at("homes").as_array();
  for (json::value& home : homes) count_parked(home.as_object());
  print_rows(homes,
             {{"HOME", "user"},
              {"STATE", "state"},
              {"WAITS TO UPLOAD", "dirty"},
              {"SINCE", "oldest_dirty"},
              {"STUBS", "stubs"},
              {"CONFLICTS", "conflicts"},
              {"PARKED", "parked"},
              {"LAST ERROR", "last_error"}},
             Format::table);
  return 0;
}

}  // namespace

void add_audit_commands(CLI::App& app, Invocation& invocation) {
  auto* audit = add_group(app, "audit", "Who did what");
  audit->add_subcommand("verify", "Prove that the chain of events is whole")
      ->callback([&invocation] { invocation.run = [&invocation] { return verify(invocation); }; });
  auto lines = std::make_shared<unsigned>(50);
  auto actor = std::make_shared<std::string>();
  auto action = std::make_shared<std::string>();
  auto* last = audit->add_subcommand("tail", "Show the newest events");
  last->add_option("-n,--lines", *lines)->check(CLI::Range(1u, 10'000u));
  last->add_option("--actor", *actor, "Only what this person did");
  last->add_option("--action", *action,
                   "Only this action; all of a kind where it ends in a dot (grant.)");
  last->callback([&invocation, lines, actor, action] {
    invocation.run = [&invocation, lines, actor, action] {
      return tail(invocation, *lines, *actor, *action);
    };
  });
  app.add_subcommand("status", "What runs, what waits to upload, what is parked")
      ->callback([&invocation] { invocation.run = [&invocation] { return status(invocation); }; });
}

}  // namespace holdfast::cli
