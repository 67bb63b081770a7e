#include "gateway/s3_target.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace holdfast::gateway {
namespace {

using s3::ApiError;

std::string_view without_port(std::string_view host) {
  if (!host.empty() && host.front() == '[') return host.substr(0, host.find(']') + 1);  // IPv6
  return host.substr(0, host.find(':'));
}

// More than any S3 operation has; also bounds the look for duplicates.
constexpr std::size_t max_parameters = 64;

// "us-east-1", "eu-central-2", "us-gov-west-1": two letters, words, one digit.
bool looks_like_region(std::string_view label) {
  const std::size_t last = label.rfind('-');
  if (last == std::string_view::npos || last + 2 != label.size()) return false;
  if (!std::isdigit(static_cast<unsigned char>(label.back()))) return false;
  return label.find('-') == 2 && last > 2;
}

bool is_region(std::string_view label, const HostNames& names) {
  return label == names.region || looks_like_region(label);
}

// The listen call names each event in a parameter of its own; it chooses among what may be seen and
// decides no right. As one list it cannot be read in two ways.
void join_events(s3::QueryParameters& items) {
  const auto named = [](const auto& item) { return item.first == "events"; };
  const auto first = std::ranges::find_if(items, named);
  if (first == items.end()) return;
  for (auto at = first + 1; at != items.end();) {
    if (!named(*at)) {
      ++at;
      continue;
    }
    first->second += "," + at->second;
    at = items.erase(at);
  }
}

}  // namespace

s3::ApiResult<Query> Query::parse(std::string_view raw) {
  Query query;
  if (raw.empty()) return query;
  auto items = s3::parse_query(raw);
  if (!items) return s3::refuse(ApiError::invalid_uri, "The query string has a broken escape.");
  query.items_ = std::move(*items);
  if (query.items_.size() > max_parameters) {
    return s3::refuse(ApiError::invalid_argument, "The query has too many parameters.");
  }
  join_events(query.items_);
  for (std::size_t i = 1; i < query.items_.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (query.items_[i].first != query.items_[j].first) continue;
      return s3::refuse(ApiError::invalid_argument, "A query parameter is given twice.");
    }
  }
  return query;
}

std::string_view Query::get(std::string_view name) const {
  const std::string* value = s3::find_query(items_, name);
  return value == nullptr ? std::string_view() : std::string_view(*value);
}

std::string bucket_of_host(std::string_view host_header, const HostNames& names) {
  const std::string host = s3::ascii_lower(without_port(host_header));
  for (const std::string& domain : names.domains) {
    if (host.size() <= domain.size() + 1 || !host.ends_with(domain)) continue;
    if (host[host.size() - domain.size() - 1] != '.') continue;
    std::string_view label(host);
    label.remove_suffix(domain.size() + 1);
    if (label == "s3" || is_region(label, names)) return {};
    const std::size_t dot = label.rfind('.');  // "<bucket>.<region>.<domain>"
    if (dot != std::string_view::npos && is_region(label.substr(dot + 1), names)) {
      label = label.substr(0, dot);
    }
    return std::string(label);
  }
  return {};
}

s3::ApiResult<S3Target> parse_target(const net::RequestHead& request, const HostNames& names) {
  std::string_view raw = request.path();
  if (raw.empty() || raw.front() != '/') {
    return s3::refuse(ApiError::invalid_uri, "The request target must be a path.");
  }
  raw.remove_prefix(1);
  S3Target target;
  auto query = Query::parse(request.query());
  if (!query) return std::unexpected(std::move(query.error()));
  target.query = std::move(*query);
  target.bucket = BucketName(bucket_of_host(request.host(), names));
  target.virtual_host = !target.bucket.empty();
  if (!target.virtual_host) {
    const std::size_t slash = std::min(raw.find('/'), raw.size());
    auto bucket = s3::percent_decode(raw.substr(0, slash));
    if (!bucket) return s3::refuse(ApiError::invalid_uri, "The path has a broken escape.");
    target.bucket = BucketName(std::move(*bucket));
    raw.remove_prefix(std::min(slash + 1, raw.size()));
  }
  auto key = s3::percent_decode(raw);
  if (!key) return s3::refuse(ApiError::invalid_uri, "The path has a broken escape.");
  target.key = ObjectKey(std::move(*key));
  if (target.key.value.size() > s3::max_key_bytes) return s3::refuse(ApiError::key_too_long);
  if (!target.key.empty() && !s3::validate_key(target.key.value)) {
    return s3::refuse(ApiError::invalid_uri, "The key holds a NUL byte.");
  }
  const bool named = !target.bucket.empty();
  if (!named && !target.key.empty()) return s3::refuse(ApiError::invalid_bucket_name);
  if (named && !s3::validate_bucket_name(target.bucket.value)) {
    return s3::refuse(ApiError::invalid_bucket_name);
  }
  return target;
}

}  // namespace holdfast::gateway
