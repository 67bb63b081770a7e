#include "s3/xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <pugixml.hpp>

#include "base/encoding.h"

namespace holdfast::s3 {
namespace {

std::string_view local_name(std::string_view name) {
  const auto colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

class Converter {
 public:
  explicit Converter(const XmlLimits& limits) : limits_(limits) {}

  // False: over a limit.
  bool convert(const pugi::xml_node& from, XmlNode& to, std::size_t depth) {
    if (depth > limits_.depth || ++nodes_ > limits_.nodes) return false;
    to.name = local_name(from.name());
    for (const pugi::xml_attribute& attribute : from.attributes()) {
      if (++nodes_ > limits_.nodes) return false;
      to.attributes.emplace_back(local_name(attribute.name()), attribute.value());
    }
    for (const pugi::xml_node& child : from.children()) {
      switch (child.type()) {
        case pugi::node_element:
          if (!convert(child, to.children.emplace_back(), depth + 1)) return false;
          break;
        case pugi::node_pcdata:
        case pugi::node_cdata:
          to.text += child.value();
          break;
        default:
          break;
      }
    }
    return true;
  }

 private:
  const XmlLimits& limits_;
  std::size_t nodes_ = 0;
};

// The one element of the document; empty where there is a DOCTYPE, text or a second root.
pugi::xml_node only_root(const pugi::xml_document& document) {
  pugi::xml_node root;
  for (const pugi::xml_node& node : document.children()) {
    switch (node.type()) {
      case pugi::node_element:
        if (root) return {};
        root = node;
        break;
      case pugi::node_pcdata:
        if (!is_blank(node.value())) return {};
        break;
      case pugi::node_declaration:
      case pugi::node_comment:
      case pugi::node_pi:
        break;
      default:
        return {};
    }
  }
  return root;
}

// Length of the UTF-8 sequence at the front; 0 when it is none that XML may hold.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t n = lead < 0x80   ? 1
                        : lead < 0xc2 ? 0
                        : lead < 0xe0 ? 2
                        : lead < 0xf0 ? 3
                        : lead < 0xf5 ? 4
                                      : 0;
  if (n == 0 || text.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;                      // overlong
  if (lead == 0xed && byte(1) > 0x9f) return 0;                      // surrogate
  if (lead == 0xf0 && byte(1) < 0x90) return 0;                      // overlong
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;                      // past U+10FFFF
  if (lead == 0xef && byte(1) == 0xbf && byte(2) >= 0xbe) return 0;  // U+FFFE, U+FFFF
  return n;
}

constexpr std::array<bool, 256> plain = [] {
  std::array<bool, 256> table{};
  for (std::size_t i = 0x20; i < 0x7f; ++i) table[i] = true;
  for (const char c : {'&', '<', '>', '"'}) table[static_cast<std::size_t>(c)] = false;
  return table;
}();

}  // namespace

const XmlNode* XmlNode::child(std::string_view child_name) const {
  for (const XmlNode& node : children) {
    if (node.name == child_name) return &node;
  }
  return nullptr;
}

std::string_view XmlNode::value(std::string_view child_name) const {
  const XmlNode* node = child(child_name);
  return node ? std::string_view(node->text) : std::string_view();
}

ApiResult<XmlNode> read_xml(std::string_view text, std::string_view root, XmlLimits limits) {
  if (text.size() > limits.bytes)
    return refuse(ApiError::malformed_xml, "the document is too large");
  // pugixml stops at NUL and expands no entities but XML's own five and character references.
  if (text.contains('\0')) return refuse(ApiError::malformed_xml);
  constexpr unsigned flags = pugi::parse_cdata | pugi::parse_escapes | pugi::parse_wconv_attribute |
                             pugi::parse_eol | pugi::parse_ws_pcdata_single | pugi::parse_doctype |
                             pugi::parse_fragment | pugi::parse_declaration | pugi::parse_pi;
  pugi::xml_document document;
  const auto parsed = document.load_buffer(text.data(), text.size(), flags, pugi::encoding_utf8);
  if (!parsed) return refuse(ApiError::malformed_xml);
  const pugi::xml_node top = only_root(document);
  if (!top || (!root.empty() && local_name(top.name()) != root)) {
    return refuse(ApiError::malformed_xml);
  }
  XmlNode out;
  if (!Converter(limits).convert(top, out, 1)) {
    return refuse(ApiError::malformed_xml, "the document is nested too deeply or too long");
  }
  return out;
}

XmlWriter::XmlWriter() : out_("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") {}

void XmlWriter::open(std::string_view name) {
  out_ += '<';
  out_ += name;
  out_ += '>';
  open_.emplace_back(name);
}

void XmlWriter::open_root(std::string_view name) { open_root(name, s3_namespace); }

void XmlWriter::open_root(std::string_view name, std::string_view name_space) {
  out_ += fmt::format("<{} xmlns=\"{}\">", name, name_space);
  open_.emplace_back(name);
}

void XmlWriter::close() {
  HOLDFAST_CHECK(!open_.empty());
  out_ += "</";
  out_ += open_.back();
  out_ += '>';
  open_.pop_back();
}

void XmlWriter::element(std::string_view name, std::string_view content) {
  out_ += '<';
  out_ += name;
  out_ += '>';
  text_content(content);
  out_ += "</";
  out_ += name;
  out_ += '>';
}

void XmlWriter::element(std::string_view name, std::uint64_t number) {
  element(name, fmt::format_int(number).c_str());
}

void XmlWriter::boolean(std::string_view name, bool value) {
  element(name, std::string_view(value ? "true" : "false"));
}

void XmlWriter::time(std::string_view name, TimePoint time) { element(name, to_rfc3339(time)); }

void XmlWriter::raw(std::string_view markup) { out_ += markup; }

std::string XmlWriter::finish() {
  while (!open_.empty()) close();
  return std::move(out_);
}

void XmlWriter::text_content(std::string_view content) {
  while (!content.empty()) {
    std::size_t run = 0;
    while (run < content.size() && plain[static_cast<unsigned char>(content[run])]) ++run;
    out_ += content.substr(0, run);
    content.remove_prefix(run);
    if (content.empty()) return;
    const char c = content.front();
    std::size_t taken = 1;
    if (c == '&') {
      out_ += "&amp;";
    } else if (c == '<') {
      out_ += "&lt;";
    } else if (c == '>') {
      out_ += "&gt;";
    } else if (c == '"') {
      out_ += "&quot;";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      // NUL has no reference at all; keys cannot hold it.
      out_ += c == 0 ? std::string("\xef\xbf\xbd") : fmt::format("&#x{:X};", static_cast<int>(c));
    } else if (const std::size_t n = sequence_length(content); n != 0) {
      out_ += content.substr(0, n);
      taken = n;
    } else {
      out_ += "\xef\xbf\xbd";
    }
    content.remove_prefix(taken);
  }
}

}  // namespace holdfast::s3
