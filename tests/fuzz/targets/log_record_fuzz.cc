// The record log as bytes from a disk: decoding never trusts, and a log that was damaged anywhere
// is told as damaged or read as a prefix of what was written, never as something else.
// Input: what to do, then bytes of a payload, or of a segment file, or changes to a sound log.
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/fd.h"
#include "store/log_format.h"
#include "store/log_record.h"
#include "store/log_segments.h"
#include "tests/fuzz/targets/fuzz_input.h"

namespace holdfast {
namespace {

using namespace store;

void decode_anything(std::string_view bytes) {
  if (auto op = decode_op(bytes)) {
    const auto encoded = encode_op(*op);
    auto again = decode_op(encoded);
    FUZZ_CHECK(again && again->index() == op->index());
    FUZZ_CHECK(encode_op(*again) == encoded);
  }
  if (auto meta = decode_meta(bytes)) FUZZ_CHECK(decode_meta(encode_meta(*meta)));
  if (auto meta = decode_upload_meta(bytes))
    FUZZ_CHECK(decode_upload_meta(encode_upload_meta(*meta)));
  if (auto extents = decode_extents(bytes)) FUZZ_CHECK(decode_extents(encode_extents(*extents)));
  if (auto sums = decode_checksums(bytes)) FUZZ_CHECK(decode_checksums(encode_checksums(*sums)));
  (void)decode_segment_header(bytes);
  (void)parse_segment_file_name(bytes);
  if (auto header = decode_record_header(bytes); header && header->total_bytes() <= bytes.size()) {
    (void)record_is_sound(*header, bytes.substr(0, header->total_bytes()));
  }
}

// One folder for the whole run, in memory where there is such a place.
const std::string& folder() {
  static const std::string path = [] {
    std::string made = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
    made += "/holdfast-fuzz-XXXXXX";
    FUZZ_CHECK(::mkdtemp(made.data()) != nullptr);
    static std::string kept;
    kept = made;
    std::atexit([] { std::filesystem::remove_all(kept); });
    return made;
  }();
  return path;
}

struct Read {
  bool sound = false;
  std::vector<std::string> payloads;
};

Read scan(std::string_view file) {
  const auto path = segment_path(folder(), 1);
  ::unlink(path.c_str());  // a file that was cut to nothing is flushed at its close (ext4)
  auto fd = open_file(path, O_WRONLY | O_CREAT);
  FUZZ_CHECK(fd && write_all(fd->get(), as_bytes(file)));
  Read out;
  auto end = scan_log(folder(), {}, 0, [&](const LogRecord& record) -> Result<void> {
    out.payloads.emplace_back(record.payload);
    return {};
  });
  out.sound = end.has_value();
  if (end) FUZZ_CHECK(end->position.offset <= file.size());
  FUZZ_CHECK(find_log_damage(folder(), {1, file.size()}) || true);
  return out;
}

// Eight records in four groups of two.
std::string sound_log(std::vector<std::string>& payloads) {
  std::string file = encode_segment_header({.number = 1, .first_sequence = 1});
  for (std::uint64_t i = 1; i <= 8; ++i) {
    payloads.push_back("payload " + std::to_string(i));
    append_record(file, {.sequence = i, .group = (i - 1) / 2 * 2 + 1}, payloads.back(),
                  std::string(i * 3, 'b'));
  }
  return file;
}

}  // namespace
}  // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  fuzz::Input input(data, size);
  // Most runs decode only: a scan takes a window of 4 MiB.
  switch (input.byte() % 8) {
    default:
      decode_anything(input.rest());
      break;
    case 1:
      (void)scan(input.rest());
      (void)scan(encode_segment_header({.number = 1, .first_sequence = 1}) +
                 std::string(input.rest()));
      break;
    case 2: {
      std::vector<std::string> written;
      std::string file = sound_log(written);
      if (input.byte() % 2 == 0)
        file.resize(file.size() - std::min<std::size_t>(file.size(), input.byte()));
      while (!input.empty() && !file.empty()) {
        const std::size_t at = (input.byte() * 256u + input.byte()) % file.size();
        file[at] = static_cast<char>(input.byte());
      }
      const auto read = scan(file);
      FUZZ_CHECK(read.payloads.size() <= written.size());
      for (std::size_t i = 0; i < read.payloads.size(); ++i)
        FUZZ_CHECK(read.payloads[i] == written[i]);
    }
  }
  return 0;
}
