#define OPENSSL_SUPPRESS_DEPRECATED  // as in digest.cc
#include "s3/checksum.h"

#include <openssl/sha.h>
#define XXH_STATIC_LINKING_ONLY  // XXH3_state_t as a member
#include <xxhash.h>

#include <array>
#include <variant>

#include "base/encoding.h"
#include "s3/crc.h"
#include "s3/md5.h"
#include "s3/names.h"

namespace holdfast::s3 {
namespace {

struct Names {
  Algorithm algorithm;
  std::size_t bytes;
  std::string_view api, header, element;
};
constexpr std::array<Names, 7> names = {{
    {Algorithm::crc32, 4, "CRC32", "x-amz-checksum-crc32", "ChecksumCRC32"},
    {Algorithm::crc32c, 4, "CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C"},
    {Algorithm::crc64nvme, 8, "CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME"},
    {Algorithm::sha1, 20, "SHA1", "x-amz-checksum-sha1", "ChecksumSHA1"},
    {Algorithm::sha256, 32, "SHA256", "x-amz-checksum-sha256", "ChecksumSHA256"},
    {Algorithm::md5, 16, "MD5", "", ""},
    {Algorithm::xxh3_128, 16, "XXH3-128", "", ""},
}};

const Names& names_of(Algorithm algorithm) { return names[static_cast<std::size_t>(algorithm)]; }

CrcKind crc_kind(Algorithm algorithm) {
  HOLDFAST_CHECK(can_combine(algorithm));
  return algorithm == Algorithm::crc32    ? CrcKind::crc32
         : algorithm == Algorithm::crc32c ? CrcKind::crc32c
                                          : CrcKind::crc64nvme;
}

std::string big_endian(std::uint64_t value, std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    out[bytes - 1 - i] = static_cast<char>(value >> (8 * i) & 255);
  }
  return out;
}

std::uint64_t from_big_endian(std::string_view digest) {
  std::uint64_t value = 0;
  for (const char c : digest) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

template <class Context, std::size_t Bytes, class Final>
std::string finished(Context context, Final final) {
  std::array<unsigned char, Bytes> out;
  final(out.data(), &context);
  return {reinterpret_cast<const char*>(out.data()), Bytes};
}

struct CrcState {
  CrcKind kind;
  std::uint64_t crc = 0;
};
using AnyState = std::variant<CrcState, SHA_CTX, SHA256_CTX, Md5, XXH3_state_t>;

AnyState start(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::crc32:
    case Algorithm::crc32c:
    case Algorithm::crc64nvme:
      return CrcState{crc_kind(algorithm)};
    case Algorithm::sha1: {
      SHA_CTX context;
      SHA1_Init(&context);
      return context;
    }
    case Algorithm::sha256: {
      SHA256_CTX context;
      SHA256_Init(&context);
      return context;
    }
    case Algorithm::md5:
      return Md5();
    case Algorithm::xxh3_128:
      break;
  }
  AnyState state;
  auto& context = state.emplace<XXH3_state_t>();
  XXH3_INITSTATE(&context);
  XXH3_128bits_reset(&context);
  return state;
}

struct Update {
  std::span<const std::byte> data;
  void operator()(CrcState& s) const { s.crc = crc_update(s.kind, s.crc, data); }
  void operator()(SHA_CTX& s) const { SHA1_Update(&s, data.data(), data.size()); }
  void operator()(SHA256_CTX& s) const { SHA256_Update(&s, data.data(), data.size()); }
  void operator()(Md5& s) const {
    s.update({reinterpret_cast<const char*>(data.data()), data.size()});
  }
  void operator()(XXH3_state_t& s) const { XXH3_128bits_update(&s, data.data(), data.size()); }
};

struct Digest {
  std::string operator()(const CrcState& s) const {
    return big_endian(s.crc, s.kind == CrcKind::crc64nvme ? 8 : 4);
  }
  std::string operator()(const SHA_CTX& s) const { return finished<SHA_CTX, 20>(s, SHA1_Final); }
  std::string operator()(const SHA256_CTX& s) const {
    return finished<SHA256_CTX, 32>(s, SHA256_Final);
  }
  std::string operator()(const Md5& s) const { return s.digest(); }
  std::string operator()(const XXH3_state_t& s) const {
    const XXH128_hash_t hash = XXH3_128bits_digest(&s);
    return big_endian(hash.high64, 8) + big_endian(hash.low64, 8);
  }
};

}  // namespace

struct Hasher::State {
  AnyState any;
};

Hasher::Hasher(Algorithm algorithm)
    : algorithm_(algorithm), state_(std::make_unique<State>(start(algorithm))) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const std::byte> data) { std::visit(Update{data}, state_->any); }
std::string Hasher::digest() const { return std::visit(Digest{}, state_->any); }
std::string Hasher::base64() const { return to_base64(as_bytes(digest())); }
std::string Hasher::hex() const { return to_hex(as_bytes(digest())); }

std::string digest_of(Algorithm algorithm, std::string_view data) {
  Hasher hasher(algorithm);
  hasher.update(data);
  return hasher.digest();
}

std::size_t digest_bytes(Algorithm algorithm) { return names_of(algorithm).bytes; }

bool can_combine(Algorithm algorithm) { return algorithm <= Algorithm::crc64nvme; }

std::string combine(Algorithm algorithm, std::string_view first, std::string_view second,
                    std::uint64_t second_bytes) {
  const std::size_t bytes = digest_bytes(algorithm);
  HOLDFAST_CHECK(first.size() == bytes && second.size() == bytes);
  return big_endian(crc_combine(crc_kind(algorithm), from_big_endian(first),
                                from_big_endian(second), second_bytes),
                    bytes);
}

std::string_view checksum_header(Algorithm algorithm) { return names_of(algorithm).header; }

std::optional<Algorithm> from_checksum_header(std::string_view lower_case_name) {
  for (const Names& row : names) {
    if (!row.header.empty() && row.header == lower_case_name) return row.algorithm;
  }
  return std::nullopt;
}

std::string_view api_name(Algorithm algorithm) { return names_of(algorithm).api; }

std::optional<Algorithm> from_api_name(std::string_view name) {
  for (const Names& row : names) {
    if (!row.header.empty() && equal_ascii_case(row.api, name)) return row.algorithm;
  }
  return std::nullopt;
}

std::string_view checksum_element(Algorithm algorithm) { return names_of(algorithm).element; }

std::optional<std::string> decode_checksum(Algorithm algorithm, std::string_view base64) {
  auto digest = from_base64(base64);
  if (!digest || digest->size() != digest_bytes(algorithm)) return std::nullopt;
  return digest;
}

}  // namespace holdfast::s3
