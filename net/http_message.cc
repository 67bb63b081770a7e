#include "net/http_message.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/error.h"

namespace holdfast::net {
namespace {

// The default upstream of pmr asks operator new for an alignment, which in glibc before 2.38 goes
// round the thread's cache.
class PlainMemory final : public std::pmr::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    HOLDFAST_CHECK(alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    return ::operator new(bytes);
  }
  void do_deallocate(void* place, std::size_t bytes, std::size_t) override {
    ::operator delete(place, bytes);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

// Without state, and never destroyed: heads may still go when the program ends.
PlainMemory* plain_memory() {
  static auto* const memory = new PlainMemory;
  return memory;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

Headers::Headers(const Headers& other) {
  std::size_t bytes = 0;
  for (const auto& item : other.items_) bytes += item.name.size() + item.value.size();
  if (bytes == 0) return;
  reserve(bytes);
  for (const auto& item : other.items_) add(item.name, item.value);
}

Headers& Headers::operator=(const Headers& other) {
  if (this != &other) *this = Headers(other);
  return *this;
}

// Not memberwise: the fields must not outlive their texts.
Headers& Headers::operator=(Headers&& other) noexcept {
  items_ = std::move(other.items_);
  texts_ = std::move(other.texts_);
  other.items_.clear();
  return *this;
}

void Headers::reserve(std::size_t bytes) {
  constexpr std::size_t most = 4096;  // a bound for what a peer's head makes us set aside
  if (!texts_) {
    texts_ = std::make_unique<std::pmr::monotonic_buffer_resource>(std::min(bytes, most),
                                                                   plain_memory());
  }
}

std::string_view Headers::keep(std::string_view text) {
  if (text.empty()) return {};
  reserve(512);
  auto* place = static_cast<char*>(texts_->allocate(text.size(), 1));
  std::memcpy(place, text.data(), text.size());
  return {place, text.size()};
}

void Headers::add(std::string_view name, std::string_view value) {
  if (items_.capacity() == 0) items_.reserve(12);
  items_.push_back({keep(name), keep(value)});
}

void Headers::set(std::string_view name, std::string_view value) {
  const auto first = std::ranges::find_if(
      items_, [&](const Header& h) { return equal_ignoring_case(h.name, name); });
  if (first == items_.end()) return add(name, value);
  first->value = keep(value);
  items_.erase(std::remove_if(first + 1, items_.end(),
                              [&](const Header& h) { return equal_ignoring_case(h.name, name); }),
               items_.end());
}

void Headers::remove(std::string_view name) {
  std::erase_if(items_, [&](const Header& h) { return equal_ignoring_case(h.name, name); });
}

std::string_view Headers::get(std::string_view name) const {
  for (const auto& item : items_) {
    if (equal_ignoring_case(item.name, name)) return item.value;
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::ranges::any_of(items_,
                             [&](const Header& h) { return equal_ignoring_case(h.name, name); });
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const auto& item : items_) {
    if (equal_ignoring_case(item.name, name)) found.push_back(item.value);
  }
  return found;
}

std::string_view RequestHead::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view RequestHead::query() const {
  const auto mark = target.find('?');
  return mark == std::string::npos ? std::string_view{} : std::string_view(target).substr(mark + 1);
}

std::string_view RequestHead::host() const { return headers.get("Host"); }

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

}  // namespace holdfast::net
