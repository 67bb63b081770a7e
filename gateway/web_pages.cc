#include "gateway/web_pages.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>

#include "base/encoding.h"

namespace holdfast::gateway {
namespace {

constexpr std::string_view style = R"(
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center;
background:light-dark(#f6f8fa,#15191e);color:light-dark(#1c2733,#e6edf3)}
main{width:min(44rem,calc(100vw - 3rem));padding:2rem;border-radius:12px;
background:light-dark(#fff,#1d232b);box-shadow:0 1px 3px #0003}
h1{font-size:1.35rem;margin:0 0 .75rem}p{margin:.5rem 0}
progress{width:100%;height:.6rem;accent-color:#0b7285}
pre{max-height:18rem;overflow:auto;padding:.75rem;border-radius:8px;font-size:.8rem;
background:light-dark(#f1f3f5,#10141a)}
button,a.button{font:inherit;border:0;border-radius:8px;padding:.5rem 1rem;background:#0b7285;
color:#fff;text-decoration:none;cursor:pointer}
)";

std::string sha256_source(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return fmt::format("'sha256-{}'", to_base64(std::as_bytes(std::span(digest))));
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string render_page(const Page& page) {
  return fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>"
      "<style>{}</style></head><body><main><h1>{}</h1>{}</main>{}{}{}</body></html>",
      escape_html(page.title), style, escape_html(page.heading), page.body_html,
      page.script.empty() ? "" : "<script>", page.script, page.script.empty() ? "" : "</script>");
}

net::Headers page_headers(const Page& page) {
  net::Headers headers;
  headers.add("Content-Type", "text/html; charset=utf-8");
  headers.add("Cache-Control", "no-store");
  headers.add("X-Content-Type-Options", "nosniff");
  headers.add("Referrer-Policy", "no-referrer");
  headers.add("Content-Security-Policy",
              fmt::format("default-src 'none'; connect-src 'self'; form-action 'self'; "
                          "frame-ancestors 'none'; base-uri 'none'; style-src {}; script-src {}",
                          sha256_source(style),
                          page.script.empty() ? "'none'" : sha256_source(page.script)));
  return headers;
}

}  // namespace holdfast::gateway
