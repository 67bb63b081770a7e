// The bytes inside log records: little-endian fixed integers, LEB128 varints, counted strings.
// ByteReader never reads outside its span: after the first malformed field ok() stays false and
// every read answers zero or empty. Values; one thread at a time.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace holdfast::store {

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  void fixed64(std::uint64_t value) {
    char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
    out_.append(bytes, sizeof bytes);
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }
  void text(std::string_view value) {
    varint(value.size());
    out_.append(value);
  }
  void flag(bool value) { out_.push_back(value ? 1 : 0); }

 private:
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t fixed64() {
    const auto raw = take(8);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(raw[i])} << (8 * i);
    }
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto raw = take(1);
      if (raw.empty()) return 0;
      const auto byte = static_cast<unsigned char>(raw[0]);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view view() { return take(varint()); }
  std::string text() { return std::string(view()); }
  bool flag() {
    const auto raw = take(1);
    return !raw.empty() && raw[0] != 0;
  }
  // A count of items that take at least one byte each, so that damage cannot ask for much memory.
  std::size_t count() {
    const std::uint64_t value = varint();
    if (value <= bytes_.size()) return static_cast<std::size_t>(value);
    ok_ = false;
    return 0;
  }

  std::string_view rest() const { return bytes_; }
  void refuse() { ok_ = false; }  // what was read makes no sense
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }

 private:
  std::string_view take(std::uint64_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const auto raw = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return raw;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace holdfast::store
