// The root keys of a store that encrypts. Each body has a random key of its own; what is kept with
// the body is that key wrapped under a root key (AES key wrap, RFC 3394), and which one:
//   seal = 1 (u8) | id of the root key (8 bytes) | wrapped key (40 bytes)
// The id is the start of SHA-256 over a fixed label and the key: it tells nothing of the key.
// Immutable once made; any thread. No key leaves it and none is logged, only ids are.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "store/secret_key.h"

namespace holdfast::store {

struct RootKeyFiles {
  std::string current;            // new bodies are sealed under it; empty: they stay in the clear
  std::vector<std::string> old;   // what was sealed under these can still be read
  std::vector<std::string> lost;  // ids, 16 hex digits: what needs them answers an error
};

class RootKeys {
 public:
  // Reads the files: 32 bytes raw, as hex or as base64, nobody else's to read. `data` is the
  // directory that no key may lie in. nullptr: nothing is configured. invalid_argument says what is
  // wrong with which file.
  static Result<std::shared_ptr<const RootKeys>> load(const RootKeyFiles& files,
                                                      const std::string& data);
  // For work on a store that opens no body: scrub, a new index. Whatever key may be missing.
  static std::shared_ptr<const RootKeys> unneeded();

  bool seals() const { return seals_; }
  // Of the key that new bodies are sealed under; as hex. REQUIRES: seals().
  const std::string& current_id() const { return keys_.front().id; }
  // Whether a store whose bodies need this key (hex) may be opened without it.
  bool may_lack(std::string_view id) const;
  bool knows(std::string_view id) const { return find(id) != nullptr; }

  struct BodyKey {
    SecretKey key;
    std::string seal;
  };
  BodyKey make_body_key(Random& random) const;  // REQUIRES: seals()
  // corrupted: the seal is damaged, or of a root key that is not here.
  Result<SecretKey> open(std::string_view seal) const;

 private:
  struct RootKey {
    std::string id;  // hex
    SecretKey key;
  };
  const RootKey* find(std::string_view id) const;
  Result<void> add(const std::string& path, const std::string& data);

  std::vector<RootKey> keys_;  // the current one first
  bool seals_ = false, unneeded_ = false;
  std::vector<std::string> lost_;
};

// Of the root key that opens it, as hex; nullopt: it is no seal.
std::optional<std::string> root_key_id_of(std::string_view seal);

}  // namespace holdfast::store
