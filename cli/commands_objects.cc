// holdfast ls, cat, cp, rm, presign: PLACE is home:USER/PATH or s3://BUCKET/KEY.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "cli/commands.h"
#include "cli/places.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

// The server knows the homes bucket.
Result<Place> target_of(const Invocation& invocation, const std::string& place) {
  if (place.starts_with("home:")) {
    auto session = invocation.client().get("session");
    if (!session) return std::unexpected(session.error());
    Place target{text_of(*session, "homes_bucket"), place.substr(5)};
    if (target.key.find('/') == std::string::npos) target.key += '/';
    return target;
  }
  if (auto target = parse_s3_place(place)) return *std::move(target);
  return fail(ErrorCode::invalid_argument,
              "\"{}\" names no place; write home:USER/PATH or s3://BUCKET/KEY", place);
}

int list(const Invocation& invocation, const std::string& place) {
  auto target = target_of(invocation, place);
  if (!target) return report(target.error());
  std::string after;
  json::array rows;
  for (;;) {
    auto page = invocation.client().get(
        "files", {{"bucket", target->bucket}, {"prefix", target->key}, {"after", after}});
    if (!page) return report(page.error());
    for (auto& prefix : page->at("prefixes").as_array()) {
      rows.push_back(json::object{{"key", prefix.at("prefix")}, {"size", nullptr}});
    }
    for (auto& object : page->at("objects").as_array()) rows.push_back(object);
    if (page->at("next").is_null()) break;
    after = page->at("next").as_string();
  }
  print_rows(rows, {{"SIZE", "size"}, {"MODIFIED", "modified"}, {"KEY", "key"}},
             invocation.format());
  return 0;
}

// Who transfers the bytes: this program, by way of the server's own socket, or whoever is given the
// URL.
enum class UsedBy : bool { us, others };

Result<std::string> sign(const Invocation& invocation, const std::string& place,
                         const std::string& method, UsedBy used_by) {
  auto target = target_of(invocation, place);
  if (!target) return std::unexpected(target.error());
  auto signed_place =
      invocation.client().post("files/sign", {{"bucket", target->bucket},
                                              {"key", target->key},
                                              {"method", method},
                                              {"attachment", false},
                                              {"direct", used_by == UsedBy::others}});
  if (!signed_place) return std::unexpected(signed_place.error());
  return text_of(*signed_place, "url");
}

Result<void> fetch_to(const Invocation& invocation, const std::string& place, int fd) {
  auto url = sign(invocation, place, "GET", UsedBy::us);
  if (!url) return std::unexpected(url.error());
  auto done = invocation.client().download(
      *url, [fd](std::span<const std::byte> bytes) { return write_all(fd, bytes); });
  if (!done) return fail_within(place, done.error());
  return {};
}

// To a temporary name first: a broken transfer leaves what was there.
Result<void> fetch_file(const Invocation& invocation, const std::string& place,
                        const std::string& path) {
  const std::string temporary = path + ".holdfast-part";
  auto file = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (!file) return std::unexpected(file.error());
  auto done = fetch_to(invocation, place, file->get());
  if (!done || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return done ? Result<void>(fail_errno(error, "rename to " + path)) : done;
  }
  return {};
}

Result<void> send_file(const Invocation& invocation, const std::string& path,
                       const std::string& place) {
  auto file = open_file(path, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  struct stat status{};
  if (::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid_argument, "{} is no regular file", path);
  }
  auto url = sign(invocation, place, "PUT", UsedBy::us);
  if (!url) return std::unexpected(url.error());
  return invocation.client().upload(*url, std::move(*file),
                                    static_cast<std::uint64_t>(status.st_size));
}

bool is_place(const std::string& text) {
  return text.starts_with("home:") || text.starts_with("s3://");
}

int copy(const Invocation& invocation, const std::string& from, const std::string& to) {
  if (is_place(from) == is_place(to)) {
    return report({ErrorCode::invalid_argument,
                   "cp takes one local path and one place (home:USER/PATH or s3://BUCKET/KEY)"});
  }
  auto done = is_place(from) ? fetch_file(invocation, from, to) : send_file(invocation, from, to);
  return done ? 0 : report(done.error());
}

int remove(const Invocation& invocation, const std::string& place) {
  auto target = target_of(invocation, place);
  if (!target) return report(target.error());
  json::object body{{"bucket", target->bucket}};
  if (target->key.ends_with('/')) {
    body["prefix"] = target->key;
  } else {
    body["keys"] = json::array{target->key};
  }
  auto answer = invocation.client().post("delete", std::move(body));
  if (!answer) return report(answer.error());
  const auto& failed = answer->at("failed").as_array();
  for (const auto& row : failed) {
    fmt::print(stderr, "holdfast: {}: {}\n", text_of(row.as_object(), "key"),
               text_of(row.as_object(), "message"));
  }
  fmt::print("{} deleted\n", text_of(*answer, "deleted"));
  return failed.empty() ? 0 : 1;
}

}  // namespace

void add_object_commands(CLI::App& app, Invocation& invocation) {
  struct Options {
    std::string place, to;
  };
  auto o = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* text,
                       int (*run)(const Invocation&, const std::string&)) {
    auto* command = app.add_subcommand(name, text);
    command->add_option("place", o->place, "home:USER/PATH or s3://BUCKET/KEY")->required();
    command->callback([&invocation, o, run] {
      invocation.run = [&invocation, o, run] { return run(invocation, o->place); };
    });
  };
  add("ls", "List a folder", list);
  add("cat", "Print an object", [](const Invocation& i, const std::string& place) {
    auto done = fetch_to(i, place, STDOUT_FILENO);
    return done ? 0 : report(done.error());
  });
  add("rm", "Delete an object, or a whole folder/ ; versions stay", remove);
  add("presign", "Print a signed URL for reading",
      [](const Invocation& i, const std::string& place) {
        auto url = sign(i, place, "GET", UsedBy::others);
        if (!url) return report(url.error());
        fmt::print("{}\n", *url);
        return 0;
      });
  auto* cp = app.add_subcommand("cp", "Copy between a local file and a place");
  cp->add_option("from", o->place)->required();
  cp->add_option("to", o->to)->required();
  cp->callback([&invocation, o] {
    invocation.run = [&invocation, o] { return copy(invocation, o->place, o->to); };
  });
}

}  // namespace holdfast::cli
