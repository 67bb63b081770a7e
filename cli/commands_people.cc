// holdfast user …, holdfast key …
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/places.h"
#include "s3/names.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

int list_users(const Invocation& invocation) {
  auto answer = invocation.client().get("users");
  if (!answer) return report(answer.error());
  print_rows(answer->at("users").as_array(),
             {{"NAME", "name"},
              {"KIND", "kind"},
              {"ADMIN", "admin"},
              {"DISABLED", "disabled"},
              {"UID", "uid"},
              {"CREATED", "created"}},
             invocation.format());
  return 0;
}

int change_user(const Invocation& invocation, const std::string& name, const std::string& verb) {
  auto answer =
      invocation.client().post(fmt::format("users/{}/{}", s3::uri_encode(name), verb), {});
  if (!answer) return report(answer.error());
  if (verb == "link") {
    if (invocation.json) {
      print_value(*answer);
    } else {
      fmt::print("{}\n", text_of(*answer, "url"));
    }
  }
  return 0;
}

void add_user_commands(CLI::App& app, Invocation& invocation) {
  auto* user = add_group(app, "user", "People, groups, apps and services");
  struct Options {
    std::string name, kind = "user";
    bool admin = false;
  };
  auto o = std::make_shared<Options>();

  auto* add = user->add_subcommand("add", "Create a user");
  add->add_option("name", o->name, "Name: [a-z_][a-z0-9_-]*")->required();
  add->add_option("--kind", o->kind, "user, group, app or service");
  add->add_flag("--admin", o->admin, "May do everything");
  add->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      auto answer = invocation.client().post(
          "users", {{"name", o->name}, {"kind", o->kind}, {"admin", o->admin}});
      if (!answer) return report(answer.error());
      if (invocation.json) {
        print_value(*answer);
      } else {
        fmt::print("{} is there (uid {}); `holdfast user link {}` makes a sign-in link\n", o->name,
                   text_of(*answer, "uid"), o->name);
      }
      return 0;
    };
  });

  user->add_subcommand("list", "Show all")->callback([&invocation] {
    invocation.run = [&invocation] { return list_users(invocation); };
  });
  for (const auto& [verb, text] :
       {std::pair("disable", "Lock out: keys, sessions and tools stop at once"),
        std::pair("enable", "Let in again"), std::pair("link", "Make a one-time sign-in link")}) {
    auto* command = user->add_subcommand(verb, text);
    command->add_option("name", o->name)->required();
    command->callback([&invocation, o, word = std::string(verb)] {
      invocation.run = [&invocation, o, word] { return change_user(invocation, o->name, word); };
    });
  }
  auto* remove = user->add_subcommand("rm", "Remove; the home's objects stay in the homes bucket");
  remove->add_option("name", o->name)->required();
  remove->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      auto answer = invocation.client().remove("users/" + s3::uri_encode(o->name));
      return answer ? 0 : report(answer.error());
    };
  });
}

// "s3://BUCKET/FOLDER/", as bucket and prefix of a request.
Result<void> add_place(json::object& body, std::string_view place) {
  if (place.empty()) return {};
  const auto there = parse_s3_place(place);
  if (!there) {
    return fail(ErrorCode::invalid_argument, "\"{}\" names no place; write s3://BUCKET/FOLDER/",
                place);
  }
  body["bucket"] = there->bucket;
  body["prefix"] = there->key;
  return {};
}

int lend_key(const Invocation& invocation, json::object body) {
  auto answer = invocation.client().post("credentials", std::move(body));
  if (!answer) return report(answer.error());
  if (invocation.json) {
    print_value(*answer);
    return 0;
  }
  fmt::print("AWS_ENDPOINT_URL={}\nAWS_REGION={}\nAWS_ACCESS_KEY_ID={}\n",
             text_of(*answer, "endpoint"), text_of(*answer, "region"),
             text_of(*answer, "access_key_id"));
  fmt::print("AWS_SECRET_ACCESS_KEY={}\nAWS_SESSION_TOKEN={}\n",
             text_of(*answer, "secret_access_key"), text_of(*answer, "session_token"));
  for (const auto& row : answer->at("left_out").as_array()) {
    fmt::print(stderr, "holdfast: not for {}/{}: {}\n", text_of(row.as_object(), "bucket"),
               text_of(row.as_object(), "prefix"), text_of(row.as_object(), "reason"));
  }
  return 0;
}

void add_lend_command(CLI::App& key, Invocation& invocation) {
  struct Options {
    std::string user, place;
    std::optional<std::uint64_t> seconds;
  };
  auto o = std::make_shared<Options>();
  auto* lend = key.add_subcommand("lend", "Lend credentials of the store behind the server");
  lend->add_option("user", o->user)->required();
  lend->add_option("place", o->place, "Only there: s3://BUCKET/FOLDER/");
  lend->add_option("--seconds", o->seconds, "From 900 to 3600, the default");
  lend->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      json::object body{{"user", o->user}};
      if (o->seconds) body["seconds"] = *o->seconds;
      if (auto there = add_place(body, o->place); !there) return report(there.error());
      return lend_key(invocation, std::move(body));
    };
  });
}

void add_key_commands(CLI::App& app, Invocation& invocation) {
  auto* key = add_group(app, "key", "Access keys for S3 clients");
  struct Options {
    std::string user, id, not_after;
  };
  auto o = std::make_shared<Options>();

  auto* create = key->add_subcommand("create", "Make a key pair; the secret is shown once");
  create->add_option("user", o->user)->required();
  create->add_option("--not-after", o->not_after, "Ends then (RFC 3339)");
  create->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      json::object body{{"user", o->user}};
      if (!o->not_after.empty()) body["not_after"] = o->not_after;
      auto answer = invocation.client().post("keys", std::move(body));
      if (!answer) return report(answer.error());
      if (invocation.json) {
        print_value(*answer);
      } else {
        fmt::print("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n",
                   text_of(*answer, "access_key_id"), text_of(*answer, "secret_access_key"));
      }
      return 0;
    };
  });
  auto* list = key->add_subcommand("list", "Show a user's keys, without secrets");
  list->add_option("user", o->user)->required();
  list->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      auto answer = invocation.client().get("keys", {{"user", o->user}});
      if (!answer) return report(answer.error());
      print_rows(answer->at("keys").as_array(),
                 {{"ACCESS KEY", "access_key_id"},
                  {"USER", "user"},
                  {"PURPOSE", "purpose"},
                  {"NOT AFTER", "not_after"}},
                 invocation.format());
      return 0;
    };
  });
  auto* revoke = key->add_subcommand("revoke", "End a key: its next request is denied");
  revoke->add_option("id", o->id)->required();
  revoke->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      auto answer = invocation.client().remove("keys/" + s3::uri_encode(o->id));
      return answer ? 0 : report(answer.error());
    };
  });
  add_lend_command(*key, invocation);
}

}  // namespace

CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& description) {
  auto* group = app.add_subcommand(name, description);
  group->require_subcommand(1);
  return group;
}

void add_people_commands(CLI::App& app, Invocation& invocation) {
  add_user_commands(app, invocation);
  add_key_commands(app, invocation);
}

}  // namespace holdfast::cli
