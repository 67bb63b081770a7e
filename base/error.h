// Error and Result: how every fallible function of Holdfast answers.
// What can be expected (missing, precondition failed, throttled, disk full) is a Result; exceptions
// mean a bug, no memory or a bad start, and cross no module edge. Values; any thread.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast {

// One word per thing a caller may want to tell apart. Each edge maps it once:
// to_errno (base/error.h), to_s3_error (s3/), to_exit_code (cli/).
enum class ErrorCode : std::uint8_t {
  // Names
  not_found,  // what is not one of the more precise ones below
  no_such_bucket,
  no_such_key,
  no_such_version,
  no_such_upload,
  already_exists,
  bucket_exists,
  bucket_not_empty,
  // Requests
  invalid_argument,
  invalid_name,
  malformed,
  invalid_range,
  invalid_part,
  invalid_part_order,
  entity_too_small,
  entity_too_large,
  incomplete_body,
  bad_digest,
  checksum_mismatch,
  method_not_allowed,
  not_supported,
  // Conditions
  precondition_failed,
  not_modified,
  conflict,
  // Rights
  unauthenticated,
  access_denied,
  expired,
  locked,  // Object Lock, a data directory held by another process
  quota_exceeded,
  // The world
  no_space,
  read_only,
  io,
  corrupted,
  unavailable,
  throttled,
  timed_out,
  cancelled,
  internal,
};

std::string_view to_string(ErrorCode code);

// `context` is a sentence for a person: what was tried, on what, and what to do.
struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::internal;
  std::string context;

  bool operator==(const Error& other) const { return code == other.code; }
};

template <class T>
using Result = std::expected<T, Error>;

template <class... Args>
std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// The same failure, with what was being done put in front: "open /x: permission denied".
std::unexpected<Error> fail_within(std::string_view what, const Error& cause);

// Maps errno values as open(2), read(2), write(2)… give them; `what` says what was tried.
Error error_from_errno(int error_number, std::string_view what);
std::unexpected<Error> fail_errno(int error_number, std::string_view what);

// The errno that a FUSE reply carries for `code`. An unreachable store is EIO, never ENOENT.
int to_errno(ErrorCode code);

// Invariant check, on in release: prints file, line and message, then aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* expression);

}  // namespace holdfast

#define HOLDFAST_CHECK(expression) \
  ((expression) ? void(0) : ::holdfast::check_failed(__FILE__, __LINE__, #expression))
