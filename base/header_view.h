// A field of an HTTP head as two views: what messages hand out and signatures are made over.
#pragma once

#include <string_view>

namespace holdfast {

struct HeaderView {
  std::string_view name, value;
};

}  // namespace holdfast
