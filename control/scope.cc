#include "control/scope.h"

namespace holdfast::control {
namespace {

std::string_view without_slash(std::string_view prefix) {
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  return prefix;
}

bool reads(Action action) {
  switch (action) {
    case Action::list_objects:
    case Action::list_versions:
    case Action::read_object:
    case Action::read_version:
    case Action::read_tags:
    case Action::watch_changes:
      return true;
    default:
      return false;
  }
}

bool drops(Action action) {
  switch (action) {
    case Action::write_object:
    case Action::list_objects:  // own uploads only: whoever asks narrows the answer
    case Action::list_uploads:
    case Action::list_parts:
    case Action::abort_upload:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool covers_path(std::string_view prefix, std::string_view path) {
  if (prefix.empty()) return true;
  const auto base = without_slash(prefix);
  if (!path.starts_with(base)) return false;
  return path.size() == base.size() || path[base.size()] == '/';
}

bool covers_listing(std::string_view prefix, std::string_view listed) {
  if (prefix.empty()) return true;
  const auto base = without_slash(prefix);
  return listed.size() > base.size() && listed.starts_with(base) && listed[base.size()] == '/';
}

bool covers_scope(std::string_view outer, std::string_view inner) {
  if (outer.empty()) return true;
  return !inner.empty() && covers_path(outer, without_slash(inner));
}

bool is_listing(Action action) {
  return action == Action::list_objects || action == Action::list_versions ||
         action == Action::list_uploads || action == Action::watch_changes;
}

bool concerns_bucket(Action action) {
  switch (action) {
    case Action::list_buckets:
    case Action::head_bucket:
    case Action::read_bucket_config:
    case Action::write_bucket_config:
    case Action::create_bucket:
    case Action::delete_bucket:
      return true;
    default:
      return is_listing(action);
  }
}

bool level_allows(Level level, Action action) {
  switch (level) {
    case Level::read:
      return reads(action);
    case Level::drop:
      return drops(action);
    case Level::write:
      return reads(action) || drops(action) || action == Action::delete_object ||
             action == Action::write_tags;
    case Level::admin:
      return level_allows(Level::write, action) || action == Action::delete_version ||
             action == Action::write_retention || action == Action::bypass_governance ||
             action == Action::share_object;
  }
  return false;
}

bool level_includes(Level higher, Level lower) {
  if (higher == lower || higher == Level::admin) return true;
  return higher == Level::write && lower != Level::admin;
}

}  // namespace holdfast::control
