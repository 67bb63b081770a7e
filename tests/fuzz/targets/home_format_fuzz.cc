// Objects of a home as strangers may have written them: names map one to one and never out of the
// home; what cannot be read is absent. Input: prefix, key, then "name=value" lines of metadata.
#include "s3/home_format.h"
#include "tests/fuzz/targets/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  fuzz::Input input(data, size);
  std::string prefix(input.line());
  if (!prefix.empty() && prefix.back() != '/') prefix += '/';
  const std::string key(input.line());
  for (const auto& tried : {key, prefix + key}) {
    auto name = s3::name_of(prefix, tried);
    if (!name) continue;
    auto back = s3::key_of(prefix, *name);
    FUZZ_CHECK(back && *back == tried);
    const std::string path = "/" + name->path + "/";
    FUZZ_CHECK(path.find("/../") == std::string::npos && path.find("/./") == std::string::npos);
    FUZZ_CHECK(path.find('\0') == std::string::npos);
    FUZZ_CHECK(path == "//" || path.find("//") == std::string::npos);
  }
  if (auto made = s3::key_of(prefix, {.path = key, .kind = s3::HomeKind::file})) {
    auto name = s3::name_of(prefix, *made);
    FUZZ_CHECK(name && name->path == key && name->kind == s3::HomeKind::file);
  }
  s3::Metadata metadata;
  while (!input.empty()) {
    const auto line = input.line();
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    metadata.insert_or_assign(std::string(line.substr(0, equals)),
                              std::string(line.substr(equals + 1)));
  }
  const auto attributes = s3::decode_attributes(metadata);
  if (auto encoded = s3::encode_attributes(attributes)) {
    const auto again = s3::decode_attributes(*encoded);
    FUZZ_CHECK(again.mtime == attributes.mtime && again.mode == attributes.mode);
    FUZZ_CHECK(again.hash == attributes.hash && again.link == attributes.link);
    FUZZ_CHECK(again.xattrs == attributes.xattrs && again.operation == attributes.operation);
  }
  if (auto time = s3::decode_mtime(key))
    FUZZ_CHECK(s3::decode_mtime(s3::encode_mtime(*time)) == time);
  return 0;
}
