// holdfast bucket …, holdfast grant …
#include <memory>

#include "cli/commands.h"
#include "s3/names.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

void add_quota_command(CLI::App& bucket, Invocation& invocation) {
  struct Options {
    std::string name;
    std::optional<std::uint64_t> bytes, objects;
    bool none = false;
  };
  auto o = std::make_shared<Options>();
  auto* quota = bucket.add_subcommand("quota", "Show what a bucket holds and may hold, or set it");
  quota->add_option("name", o->name)->required();
  auto* bytes = quota->add_option("--bytes", o->bytes, "Of all versions and parts; 10GB, 1GiB")
                    ->transform(CLI::AsSizeValue(false));
  auto* objects = quota->add_option("--objects", o->objects, "Of all versions");
  quota->add_flag("--none", o->none, "No quota")->excludes(bytes)->excludes(objects);
  quota->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      const std::string path = "buckets/" + s3::uri_encode(o->name) + "/quota";
      if (o->none || o->bytes || o->objects) {
        json::object body;
        if (o->bytes) body["bytes"] = *o->bytes;
        if (o->objects) body["objects"] = *o->objects;
        auto set = invocation.client().post(path, std::move(body));
        if (!set) return report(set.error());
      }
      auto answer = invocation.client().get(path);
      if (!answer) return report(answer.error());
      const json::object& usage = answer->at("usage").as_object();
      const json::array rows{
          json::object{
              {"kind", "bytes"}, {"holds", usage.at("bytes")}, {"quota", answer->at("bytes")}},
          json::object{{"kind", "objects"},
                       {"holds", usage.at("objects")},
                       {"quota", answer->at("objects")}}};
      print_rows(rows, {{"KIND", "kind"}, {"HOLDS", "holds"}, {"QUOTA", "quota"}},
                 invocation.format());
      return 0;
    };
  });
}

void add_bucket_commands(CLI::App& app, Invocation& invocation) {
  auto* bucket = add_group(app, "bucket", "Buckets");
  auto name = std::make_shared<std::string>();
  auto unversioned = std::make_shared<bool>(false);

  auto* create = bucket->add_subcommand("create", "Make a versioned bucket");
  create->add_option("name", *name)->required();
  create->add_flag("--unversioned", *unversioned, "Keep no old versions");
  create->callback([&invocation, name, unversioned] {
    invocation.run = [&invocation, name, unversioned] {
      auto answer =
          invocation.client().post("buckets", {{"name", *name}, {"versioning", !*unversioned}});
      return answer ? 0 : report(answer.error());
    };
  });
  bucket->add_subcommand("list", "Show all")->callback([&invocation] {
    invocation.run = [&invocation] {
      auto answer = invocation.client().get("buckets");
      if (!answer) return report(answer.error());
      print_rows(answer->at("buckets").as_array(),
                 {{"NAME", "name"}, {"VERSIONING", "versioning"}, {"CREATED", "created"}},
                 invocation.format());
      return 0;
    };
  });
  add_quota_command(*bucket, invocation);
  auto* remove = bucket->add_subcommand("rm", "Remove an empty bucket");
  remove->add_option("name", *name)->required();
  remove->callback([&invocation, name] {
    invocation.run = [&invocation, name] {
      auto answer = invocation.client().remove("buckets/" + s3::uri_encode(*name));
      return answer ? 0 : report(answer.error());
    };
  });
}

void add_grant_commands(CLI::App& app, Invocation& invocation) {
  auto* grant = add_group(app, "grant", "Who may do what in which bucket");
  struct Options {
    std::string principal, place, level, not_after, bucket, id;
  };
  auto o = std::make_shared<Options>();

  auto* add = grant->add_subcommand("add", "holdfast grant add bob read research/public/");
  add->add_option("principal", o->principal, "User, group, app or service")->required();
  add->add_option("level", o->level, "read, write, drop or admin")->required();
  add->add_option("place", o->place, "BUCKET or BUCKET/PREFIX/")->required();
  add->add_option("--not-after", o->not_after, "Ends then (RFC 3339)");
  add->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      const auto slash = o->place.find('/');
      json::object body{
          {"principal", o->principal},
          {"level", o->level},
          {"bucket", o->place.substr(0, slash)},
          {"prefix", slash == std::string::npos ? std::string() : o->place.substr(slash + 1)}};
      if (!o->not_after.empty()) body["not_after"] = o->not_after;
      auto answer = invocation.client().post("grants", std::move(body));
      if (!answer) return report(answer.error());
      if (invocation.json) {
        print_value(*answer);
      } else {
        fmt::print("grant {}\n", text_of(*answer, "id"));
      }
      return 0;
    };
  });
  auto* list = grant->add_subcommand("list", "Show grants");
  list->add_option("--principal", o->principal);
  list->add_option("--bucket", o->bucket);
  list->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      auto answer =
          invocation.client().get("grants", {{"principal", o->principal}, {"bucket", o->bucket}});
      if (!answer) return report(answer.error());
      print_rows(answer->at("grants").as_array(),
                 {{"ID", "id"},
                  {"PRINCIPAL", "principal"},
                  {"LEVEL", "level"},
                  {"BUCKET", "bucket"},
                  {"PREFIX", "prefix"},
                  {"NOT AFTER", "not_after"},
                  {"GRANTED BY", "granted_by"}},
                 invocation.format());
      return 0;
    };
  });
  auto* remove = grant->add_subcommand("rm", "Remove a grant: the next request is denied");
  remove->add_option("id", o->id)->required();
  remove->callback([&invocation, o] {
    invocation.run = [&invocation, o] {
      auto answer = invocation.client().remove("grants/" + s3::uri_encode(o->id));
      return answer ? 0 : report(answer.error());
    };
  });
}

}  // namespace

void add_access_commands(CLI::App& app, Invocation& invocation) {
  add_bucket_commands(app, invocation);
  add_grant_commands(app, invocation);
}

}  // namespace holdfast::cli
