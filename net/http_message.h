// HTTP messages as Holdfast passes them between net and its callers: heads as plain values,
// bodies as BodyReader. RFC 9110, RFC 9112. Header names keep their case and order (signing and
// proxying need both); look-ups ignore case.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/header_view.h"

namespace holdfast::net {

using Header = HeaderView;

// Keeps its texts in one place: a head has a dozen fields, most of them too long for a std::string
// without an allocation of its own. What it hands out stays valid, whatever is added, until the
// object ends or is assigned to; what set() and remove() took out keeps its room until then.
class Headers {
 public:
  Headers() = default;
  Headers(const Headers& other);
  Headers& operator=(const Headers& other);
  Headers(Headers&&) noexcept = default;
  Headers& operator=(Headers&& other) noexcept;

  // Room for so many bytes of text, when that is known before the first is added.
  void reserve(std::size_t bytes);
  void add(std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);  // replaces every one of that name
  void remove(std::string_view name);
  // The first of that name; empty when there is none. `has` tells empty from absent.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;

  const std::vector<Header>& items() const { return items_; }

 private:
  std::string_view keep(std::string_view text);

  std::unique_ptr<std::pmr::monotonic_buffer_resource> texts_;
  std::vector<Header> items_;
};

bool equal_ignoring_case(std::string_view a, std::string_view b);

struct RequestHead {
  std::string method;  // upper case as sent
  std::string target;  // raw, as on the request line: "/a%2Fb?x=1"; never decoded here
  Headers headers;

  std::string_view path() const;   // raw target before '?'
  std::string_view query() const;  // raw, without '?'; may be empty
  std::string_view host() const;   // Host header, with port if it was sent
};

struct ResponseHead {
  unsigned status = 200;
  Headers headers;  // Content-Length, Transfer-Encoding, Connection and Date are the server's
};

std::string_view reason_phrase(unsigned status);

}  // namespace holdfast::net
