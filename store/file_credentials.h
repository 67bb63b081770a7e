// FileCredentials: a key pair from a file in the format of the AWS tools (one [profile] a section,
// aws_access_key_id, aws_secret_access_key, aws_session_token), read again when the file changes,
// so that keys rotate without a restart. A file that becomes unreadable leaves the last good pair
// in use, with a warning. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "store/credentials.h"

namespace holdfast::store {

class FileCredentials final : public CredentialsProvider {
 public:
  // not_found, access_denied (also: others than the owner may read it), malformed: no such profile,
  // or one without a pair.
  static Result<std::unique_ptr<FileCredentials>> open(std::string path, std::string profile,
                                                       const Clock& clock);
  Async<s3::Credentials> credentials() override;

 private:
  struct Seen {
    std::int64_t modified_ns = 0;
    std::uint64_t inode = 0, size = 0;
    bool operator==(const Seen&) const = default;
  };

  FileCredentials(std::string path, std::string profile, const Clock& clock)
      : path_(std::move(path)), profile_(std::move(profile)), clock_(clock) {}
  Result<Seen> look() const;
  Result<s3::Credentials> read() const;
  void refresh();  // REQUIRES: mutex_ is held

  std::string path_, profile_;
  const Clock& clock_;
  std::mutex mutex_;
  MonotonicTime next_look_{};
  Seen seen_;
  s3::Credentials current_;
};

// The pair of `profile` in a file's text: malformed where there is none.
Result<s3::Credentials> parse_credentials(std::string_view text, std::string_view profile);

}  // namespace holdfast::store
