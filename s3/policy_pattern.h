// The wildcard patterns of policies: '*' is any run of bytes, '/' included, '?' one byte, and
// "${aws:username}" what the request says it is, taken literally (AWS IAM user guide, "IAM JSON
// policy elements: Variables and tags"; ${*}, ${?}, ${$} are these characters). Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::s3 {

// What a request says of itself, by condition key in lower case: "s3:prefix",
// "s3:existingobjecttag/Owner" (a tag's own name keeps its case). nullopt: the key is absent.
class PolicyFacts {
 public:
  virtual ~PolicyFacts() = default;
  virtual std::optional<std::vector<std::string>> values(std::string_view key) const = 0;
};

class PolicyPattern {
 public:
  enum class Variables : bool { literal, replaced };
  // nullopt: a variable that is not closed or not known.
  static std::optional<PolicyPattern> compile(std::string_view text, Variables variables);

  // A variable whose key is absent matches nothing.
  bool matches(std::string_view text, const PolicyFacts& facts) const;
  bool equals(std::string_view text, const PolicyFacts& facts) const;  // '*' and '?' as they are
  bool has_wildcard() const;
  bool has_variable() const { return !variables_.empty(); }
  const std::string& text() const { return text_; }

 private:
  using Token = std::uint16_t;  // a byte, or one of those in the source file
  std::optional<std::vector<Token>> expanded(const PolicyFacts& facts) const;

  std::string text_;
  std::vector<Token> tokens_;
  std::vector<std::string> variables_;  // keys, by the tokens that name them
};

bool matches_ignoring_case(std::string_view pattern, std::string_view text);  // no variables

}  // namespace holdfast::s3
