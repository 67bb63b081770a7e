// The few plain pages that need no console: sign-in, tool start, errors. Pure. Every text that
// comes from outside is escaped here. Internal to gateway/.
#pragma once

#include <string>
#include <string_view>

#include "net/http_message.h"

namespace holdfast::gateway {

std::string escape_html(std::string_view text);

struct Page {
  std::string_view title;
  std::string_view heading;
  std::string body_html;    // already escaped by its maker
  std::string_view script;  // inline; its hash goes into the page's own policy
};
std::string render_page(const Page& page);

// Content-Type, nosniff, no framing, no referrer, and a Content-Security-Policy that allows this
// page's own inline style and script and nothing else.
net::Headers page_headers(const Page& page);

}  // namespace holdfast::gateway
