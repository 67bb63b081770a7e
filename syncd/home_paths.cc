#include "syncd/home_paths.h"

#include <fmt/chrono.h>
#include <fnmatch.h>

#include <algorithm>
#include <ctime>

namespace holdfast::syncd {
namespace {

constexpr std::size_t longest_name_bytes = 255;  // NAME_MAX of every filesystem we run on

std::string host_label(std::string_view host) {
  std::string label(host.substr(0, 64));
  std::replace(label.begin(), label.end(), '/', '-');
  std::replace(label.begin(), label.end(), '\0', '-');
  return label;
}

// A leading dot starts a hidden name, not an extension.
std::size_t extension_at(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot > 32) return name.size();
  return dot;
}

// Not within a UTF-8 sequence, where the name is UTF-8.
std::size_t cut_before(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  return limit;
}

}  // namespace

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of_path(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool is_below(std::string_view path, std::string_view directory) {
  if (directory.empty()) return !path.empty();
  return path.size() > directory.size() + 1 && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

bool is_excluded(const std::vector<std::string>& globs, const std::string& path) {
  if (globs.empty()) return false;
  for (std::string at = path; !at.empty(); at = std::string(parent_of(at))) {
    for (const auto& glob : globs) {
      if (::fnmatch(glob.c_str(), at.c_str(), 0) == 0) return true;
    }
  }
  return false;
}

std::string conflict_path(std::string_view path, std::string_view host, TimePoint now,
                          unsigned attempt) {
  const std::string_view directory = parent_of(path);
  const std::string_view name = name_of_path(path);
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  std::string label =
      fmt::format(" (conflict {} {:%Y-%m-%dT%H-%M-%SZ}", host_label(host), fmt::gmtime(seconds));
  if (attempt > 1) label += fmt::format(" {}", attempt);
  label += ")";
  const auto dot = extension_at(name);
  const std::string_view extension = name.substr(dot);
  std::string_view stem = name.substr(0, dot);
  stem = stem.substr(0, cut_before(stem, longest_name_bytes - label.size() - extension.size()));
  std::string out;
  if (!directory.empty()) out = std::string(directory) + "/";
  return out.append(stem).append(label).append(extension);
}

}  // namespace holdfast::syncd
