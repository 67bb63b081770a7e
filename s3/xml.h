// XML as S3 needs it: a bounded reader without DTD or entities of its own, and a writer that
// escapes. Values; any thread. XML 1.0; the S3 namespace is accepted and ignored on reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "s3/error.h"

namespace holdfast::s3 {

// An element. Names come without namespace prefix; `text` is its character data (children's not).
struct XmlNode {
  std::string name;
  std::string text;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<XmlNode> children;

  const XmlNode* child(std::string_view child_name) const;
  // Text of the child, empty if there is none.
  std::string_view value(std::string_view child_name) const;
};

struct XmlLimits {
  std::size_t bytes = 1u << 20;
  std::size_t depth = 16;
  std::size_t nodes = 100'000;
};
// malformed_xml: not well formed, DOCTYPE, over a limit, or the root is not `root` (empty: any).
ApiResult<XmlNode> read_xml(std::string_view text, std::string_view root, XmlLimits limits = {});

inline constexpr std::string_view s3_namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

// Builds one document. Characters that XML cannot carry are written as references (&#x1;), as AWS
// does; bytes that are no UTF-8 become U+FFFD (clients that need them ask for encoding-type=url).
class XmlWriter {
 public:
  XmlWriter();  // writes the declaration
  void open(std::string_view name);
  void open_root(std::string_view name);  // with the S3 namespace
  void open_root(std::string_view name, std::string_view name_space);
  void close();
  void element(std::string_view name, std::string_view text);
  void element(std::string_view name, std::uint64_t number);
  void boolean(std::string_view name, bool value);
  void time(std::string_view name, TimePoint time);
  void text_content(std::string_view content);  // escaped, within the open element
  void raw(std::string_view markup);            // trusted markup, as it is
  std::string finish();                         // closes what is open

 private:
  std::string out_;
  std::vector<std::string> open_;
};

}  // namespace holdfast::s3
