#include "cli/body_encryption.h"

#include <filesystem>

#include "base/fd.h"

namespace holdfast::cli {
namespace {

constexpr std::string_view sentence =
    "Every body of the store was encrypted when it was written. Kept by holdfast serve.\n";

}  // namespace

Result<gateway::BodyEncryption> settle_body_encryption(const std::string& note,
                                                       const store::RootKeys* keys,
                                                       std::uint64_t last_sequence) {
  using gateway::BodyEncryption;
  std::error_code error;
  if (keys == nullptr || !keys->seals()) {
    if (std::filesystem::remove(note, error)) {
      const auto directory = std::filesystem::path(note).parent_path().string();
      if (auto done = sync_directory(directory); !done) return std::unexpected(done.error());
    }
    if (error) return fail_errno(error.value(), note);
    return BodyEncryption::none;
  }
  if (std::filesystem::exists(note, error)) return BodyEncryption::all_bodies;
  if (error) return fail_errno(error.value(), note);
  if (last_sequence > 0) return BodyEncryption::new_bodies;
  if (auto written = replace_file(note, sentence); !written) {
    return std::unexpected(written.error());
  }
  return BodyEncryption::all_bodies;
}

}  // namespace holdfast::cli
