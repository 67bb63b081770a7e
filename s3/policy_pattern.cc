#include "s3/policy_pattern.h"

#include <algorithm>
#include <array>
#include <span>

#include "s3/names.h"

namespace holdfast::s3 {
namespace {

constexpr std::uint16_t any_run = 0x100;
constexpr std::uint16_t any_one = 0x101;
constexpr std::uint16_t first_variable = 0x200;

// Variables that hold one value each.
constexpr std::array<std::string_view, 8> known_variables = {
    "aws:username",  "aws:userid",  "aws:principaltype", "aws:sourceip",
    "aws:useragent", "aws:referer", "s3:prefix",         "s3:max-keys"};

// Greedy with one point to come back to: no more than text times pattern steps.
bool glob(std::span<const std::uint16_t> pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::optional<std::size_t> star;
  std::size_t star_text = 0;
  while (t < text.size()) {
    const bool more = p < pattern.size();
    if (more && pattern[p] == any_run) {
      star = p++;
      star_text = t;
    } else if (more &&
               (pattern[p] == any_one || pattern[p] == static_cast<unsigned char>(text[t]))) {
      ++p;
      ++t;
    } else if (star) {
      p = *star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == any_run) ++p;
  return p == pattern.size();
}

std::uint16_t token_of(char c) {
  if (c == '*') return any_run;
  if (c == '?') return any_one;
  return static_cast<unsigned char>(c);
}

}  // namespace

std::optional<PolicyPattern> PolicyPattern::compile(std::string_view text, Variables variables) {
  PolicyPattern pattern;
  pattern.text_ = text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (variables == Variables::literal || !text.substr(i).starts_with("${")) {
      pattern.tokens_.push_back(token_of(text[i]));
      continue;
    }
    const std::size_t end = text.find('}', i);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string name = ascii_lower(text.substr(i + 2, end - i - 2));
    i = end;
    if (name == "*" || name == "?" || name == "$") {
      pattern.tokens_.push_back(static_cast<unsigned char>(name[0]));
      continue;
    }
    if (std::ranges::find(known_variables, name) == known_variables.end()) return std::nullopt;
    pattern.tokens_.push_back(static_cast<Token>(first_variable + pattern.variables_.size()));
    pattern.variables_.push_back(name);
  }
  return pattern;
}

std::optional<std::vector<PolicyPattern::Token>> PolicyPattern::expanded(
    const PolicyFacts& facts) const {
  std::vector<Token> out;
  for (const Token token : tokens_) {
    if (token < first_variable) {
      out.push_back(token);
      continue;
    }
    const auto values = facts.values(variables_[token - first_variable]);
    if (!values || values->size() != 1) return std::nullopt;
    for (const char c : values->front()) out.push_back(static_cast<unsigned char>(c));
  }
  return out;
}

bool PolicyPattern::matches(std::string_view text, const PolicyFacts& facts) const {
  if (variables_.empty()) return glob(tokens_, text);
  const auto tokens = expanded(facts);
  return tokens && glob(*tokens, text);
}

bool PolicyPattern::equals(std::string_view text, const PolicyFacts& facts) const {
  if (variables_.empty() && !has_wildcard()) {
    return std::ranges::equal(tokens_, text,
                              [](Token a, char b) { return a == static_cast<unsigned char>(b); });
  }
  const auto tokens = expanded(facts);
  if (!tokens) return false;
  return std::ranges::equal(*tokens, text, [](Token a, char b) {
    if (a == any_run) return b == '*';
    if (a == any_one) return b == '?';
    return a == static_cast<unsigned char>(b);
  });
}

bool PolicyPattern::has_wildcard() const {
  return std::ranges::any_of(tokens_, [](Token t) { return t == any_run || t == any_one; });
}

bool matches_ignoring_case(std::string_view pattern, std::string_view text) {
  std::vector<std::uint16_t> tokens;
  for (const char c : ascii_lower(pattern)) tokens.push_back(token_of(c));
  return glob(tokens, ascii_lower(text));
}

}  // namespace holdfast::s3
