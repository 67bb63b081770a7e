// What lies in a simulated home's tree, read past the engine.
#pragma once

#include <sys/xattr.h>

#include <fstream>
#include <iterator>
#include <string>

#include "syncd/home_engine.h"

namespace holdfast::syncd {

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

inline bool is_stub(const std::string& path) {
  return ::lgetxattr(path.c_str(), stub_xattr, nullptr, 0) >= 0;
}

}  // namespace holdfast::syncd
