#include "store/local_format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "base/fd.h"
#include "base/log.h"
#include "store/extents.h"

namespace holdfast::store {
namespace {

constexpr std::string_view plain_format = "holdfast-store 1\n";
constexpr std::string_view sealed_format = "holdfast-store 2\n";
constexpr std::string_view key_word = "root-key ";
constexpr std::size_t longest_format = 64u << 10;

std::string path_in(const std::string& directory) { return directory + "/FORMAT"; }

// nullopt: a newer one.
std::optional<StoreFormat> parse(std::string_view text) {
  if (text == plain_format) return StoreFormat{};
  if (!text.starts_with(sealed_format)) return std::nullopt;
  StoreFormat format{.encrypted = true, .root_keys = {}};
  text.remove_prefix(sealed_format.size());
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    if (line.size() == text.size() || !line.starts_with(key_word)) return std::nullopt;
    format.root_keys.emplace_back(line.substr(key_word.size()));
    text.remove_prefix(line.size() + 1);
  }
  return format;
}

std::string to_text(const StoreFormat& format) {
  std::string text(format.encrypted ? sealed_format : plain_format);
  for (const auto& id : format.root_keys) text += fmt::format("{}{}\n", key_word, id);
  return text;
}

struct Need {
  std::uint64_t objects = 0;
  std::string example;
};
using Needs = std::map<std::string, Need>;  // by id

// What needs the root keys of these ids.
Result<Needs> find_needs(index::Catalogue& catalogue, const std::vector<std::string>& ids) {
  Needs needs;
  auto visited = catalogue.visit_extents([&](const index::ExtentOwner& owner) -> Result<void> {
    auto extents = decode_extents(owner.extents);
    if (!extents) return std::unexpected(extents.error());
    std::map<std::string, bool> seen;
    for (const auto& extent : *extents) {
      if (extent.piece.seal.empty()) continue;
      const auto id = root_key_id_of(extent.piece.seal).value_or("of a damaged seal");
      if (std::ranges::find(ids, id) == ids.end() || std::exchange(seen[id], true)) continue;
      Need& need = needs[id];
      if (++need.objects > 1) continue;
      need.example = owner.upload.empty() ? log_field(owner.key) : "a part of an open upload";
    }
    return {};
  });
  if (!visited) return std::unexpected(visited.error());
  return needs;
}

std::unexpected<Error> refuse(const std::string& id, const Need& need) {
  return fail(ErrorCode::invalid_argument,
              "{} objects, {} among them, are encrypted under root key {}, which is not here: give "
              "its file as store.root_key_file or in store.old_root_key_files; if it is lost for "
              "good, name the id in store.lost_root_keys and these objects answer an error; "
              "nothing was changed",
              need.objects, need.example, id);
}

}  // namespace

Result<StoreFormat> check_format(const std::string& directory) {
  const std::string path = path_in(directory);
  auto text = read_file(path, longest_format);
  if (text) {
    if (auto known = parse(*text)) return std::move(*known);
    return fail(ErrorCode::not_supported,
                "{} has the format '{}', this program knows '{}' and '{}': use the program that "
                "made it; nothing was changed",
                directory, log_field(*text), log_field(plain_format), log_field(sealed_format));
  }
  if (text.error().code != ErrorCode::not_found) return std::unexpected(text.error());
  if (std::filesystem::exists(directory + "/log")) {
    return fail(ErrorCode::corrupted, "{} has a log but no FORMAT file", directory);
  }
  if (auto written = replace_file(path, plain_format); !written) {
    return std::unexpected(written.error());
  }
  return StoreFormat{};
}

Result<void> settle_root_keys(const std::string& directory, StoreFormat format,
                              const RootKeys* keys, index::Catalogue& catalogue) {
  if (keys == nullptr && !format.root_keys.empty()) {
    return fail(ErrorCode::invalid_argument,
                "the bodies in {} are encrypted under the root keys {}: give their files as "
                "store.root_key_file and store.old_root_key_files; to store new bodies in the "
                "clear from now on, give all as old ones; nothing was changed",
                directory, fmt::join(format.root_keys, ", "));
  }
  if (keys == nullptr) return {};
  const auto before = format.root_keys;
  std::vector<std::string> missing;
  for (const auto& id : before) {
    if (!keys->knows(id) && !keys->may_lack(id)) missing.push_back(id);
  }
  if (!missing.empty()) {
    auto needs = find_needs(catalogue, missing);
    if (!needs) return std::unexpected(needs.error());
    if (!needs->empty()) return refuse(needs->begin()->first, needs->begin()->second);
    // All that needed them is gone.
    for (const auto& id : missing) std::erase(format.root_keys, id);
  }
  if (keys->seals() &&
      std::ranges::find(format.root_keys, keys->current_id()) == format.root_keys.end()) {
    format.encrypted = true;
    format.root_keys.push_back(keys->current_id());
  }
  if (format.root_keys == before) return {};
  return replace_file(path_in(directory), to_text(format));
}

}  // namespace holdfast::store
