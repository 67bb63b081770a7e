// holdfast history, restore, undelete.
#include <memory>

#include "cli/commands.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

struct RestoreOptions {
  std::string place, at;
  bool beside = false, dry_run = false;
};

int history(const Invocation& invocation, const std::string& place) {
  auto answer = invocation.client().get("history", {{"place", place}});
  if (!answer) return report(answer.error());
  print_rows(answer->at("versions").as_array(),
             {{"MODIFIED", "modified"},
              {"SIZE", "size"},
              {"VERSION", "version"},
              {"LATEST", "latest"},
              {"DELETED", "deleted"},
              {"ETAG", "etag"}},
             invocation.format());
  return 0;
}

int restore(const Invocation& invocation, const RestoreOptions& o) {
  auto answer = invocation.client().post(
      "restore", {{"place", o.place}, {"at", o.at}, {"beside", o.beside}, {"dry_run", o.dry_run}});
  if (!answer) return report(answer.error());
  if (invocation.json) {
    print_value(*answer);
  } else {
    print_rows(answer->at("rows").as_array(),
               {{"ACTION", "action"}, {"SIZE", "size"}, {"KEY", "key"}, {"WHY", "reason"}},
               Format::table);
    fmt::print("\n{}{} restored, {} removed, {} unchanged, {} failed (as of {})\n",
               o.dry_run ? "dry run: " : "", text_of(*answer, "restored"),
               text_of(*answer, "removed"), text_of(*answer, "unchanged"),
               text_of(*answer, "failed"), text_of(*answer, "at"));
    fmt::print("expected root {}\nactual root   {}\n", text_of(*answer, "expected_root"),
               text_of(*answer, "actual_root"));
  }
  const bool whole = o.dry_run || text_of(*answer, "failed") == "0";
  return whole ? 0 : 1;
}

int undelete(const Invocation& invocation, const std::string& place) {
  auto answer = invocation.client().post("restore", {{"place", place}, {"undelete", true}});
  if (!answer) return report(answer.error());
  fmt::print("{} restored, {} failed\n", text_of(*answer, "restored"), text_of(*answer, "failed"));
  return text_of(*answer, "failed") == "0" ? 0 : 1;
}

int show_parked(const Invocation& invocation, const std::string& user) {
  auto answer = invocation.client().get("parked", {{"user", user}});
  if (!answer) return report(answer.error());
  print_rows(answer->at("parked").as_array(), {{"PATH", "path"}, {"WHY", "reason"}},
             invocation.format());
  return 0;
}

int decide_parked(const Invocation& invocation, const std::string& user, const std::string& path,
                  const std::string& decision) {
  auto answer =
      invocation.client().post("parked", {{"user", user}, {"path", path}, {"decision", decision}});
  return answer ? 0 : report(answer.error());
}

void add_parked_commands(CLI::App& app, Invocation& invocation) {
  auto* group = add_group(app, "parked", "What a home's sync waits for a person to decide");
  auto user = std::make_shared<std::string>();
  auto path = std::make_shared<std::string>();
  auto* list = group->add_subcommand("list", "Show it");
  list->add_option("user", *user)->required();
  list->callback([&invocation, user] {
    invocation.run = [&invocation, user] { return show_parked(invocation, *user); };
  });
  struct Verb {
    const char *name, *decision, *description;
  };
  for (const Verb& verb :
       {Verb{"bring-back", "bring_back", "The files return to the home"},
        Verb{"let-go", "let_go", "The deletion goes through; versions are kept"}}) {
    auto* decide = group->add_subcommand(verb.name, verb.description);
    decide->add_option("user", *user)->required();
    decide->add_option("path", *path, "A path or folder in the home; without it: everything");
    decide->callback([&invocation, user, path, decision = std::string(verb.decision)] {
      invocation.run = [&invocation, user, path, decision] {
        return decide_parked(invocation, *user, *path, decision);
      };
    });
  }
}

}  // namespace

void add_history_commands(CLI::App& app, Invocation& invocation) {
  auto o = std::make_shared<RestoreOptions>();
  auto* show = app.add_subcommand("history", "Show the versions of a file");
  show->add_option("place", o->place, "home:USER/PATH or s3://BUCKET/KEY")->required();
  show->callback([&invocation, o] {
    invocation.run = [&invocation, o] { return history(invocation, o->place); };
  });

  auto* back = app.add_subcommand("restore", "Bring a file or folder back as it was");
  back->add_option("place", o->place, "home:USER/PATH or s3://BUCKET/KEY; a folder ends in /")
      ->required();
  back->add_option("--at", o->at, "Time: 2026-11-22T10:30:00Z, or -10m, -2h, -3d")->required();
  back->add_flag("--beside", o->beside, "Into a new folder beside it, leaving what is there");
  back->add_flag("--dry-run", o->dry_run, "Only show what would be done, and why");
  back->callback(
      [&invocation, o] { invocation.run = [&invocation, o] { return restore(invocation, *o); }; });

  add_parked_commands(app, invocation);

  auto* undo = app.add_subcommand("undelete", "Bring back what was deleted last");
  undo->add_option("place", o->place)->required();
  undo->callback([&invocation, o] {
    invocation.run = [&invocation, o] { return undelete(invocation, o->place); };
  });
}

}  // namespace holdfast::cli
