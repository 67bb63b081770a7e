// Runs a target over its committed corpus once: what builds without libFuzzer do as a unit test.
//   target FILE-OR-FOLDER…
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/targets/fuzz_input.h"

namespace {

void run(const std::filesystem::path& path, int& count) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  ++count;
}

}  // namespace

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      run(argv[i], count);
      continue;
    }
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const auto& file : files) run(file, count);
  }
  std::printf("%d inputs held\n", count);
  return count > 0 ? 0 : 1;
}
