// Root keys for the tests of encrypted stores: files outside the store's directory.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <string>

#include "base/fd.h"
#include "store/root_keys.h"
#include "tests/unit/store/local_fixture.h"

namespace holdfast::store {

class RootKeyFolder {
 public:
  // A file with a key of its own.
  std::string make(const std::string& name, Random& random) const {
    return write(name, random.hex(32) + "\n");
  }
  std::string write(const std::string& name, std::string_view text, unsigned mode = 0600) const {
    const std::string path = directory_.path() + "/" + name;
    if (!replace_file(path, text) || ::chmod(path.c_str(), mode) != 0) std::abort();
    return path;
  }
  std::shared_ptr<const RootKeys> load(const RootKeyFiles& files) const {
    auto keys = RootKeys::load(files, "/nowhere/holdfast");
    if (!keys) ADD_FAILURE() << keys.error().context;
    return keys ? *keys : nullptr;
  }
  // A store that encrypts under a key made just now.
  std::shared_ptr<const RootKeys> fresh(Random& random) const {
    return load({.current = make("fresh", random), .old = {}, .lost = {}});
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace holdfast::store
