#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace holdfast {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
      return "not found";
    case ErrorCode::no_such_bucket:
      return "no such bucket";
    case ErrorCode::no_such_key:
      return "no such key";
    case ErrorCode::no_such_version:
      return "no such version";
    case ErrorCode::no_such_upload:
      return "no such upload";
    case ErrorCode::already_exists:
      return "already exists";
    case ErrorCode::bucket_exists:
      return "bucket exists";
    case ErrorCode::bucket_not_empty:
      return "bucket not empty";
    case ErrorCode::invalid_argument:
      return "invalid argument";
    case ErrorCode::invalid_name:
      return "invalid name";
    case ErrorCode::malformed:
      return "malformed";
    case ErrorCode::invalid_range:
      return "invalid range";
    case ErrorCode::invalid_part:
      return "invalid part";
    case ErrorCode::invalid_part_order:
      return "invalid part order";
    case ErrorCode::entity_too_small:
      return "entity too small";
    case ErrorCode::entity_too_large:
      return "entity too large";
    case ErrorCode::incomplete_body:
      return "incomplete body";
    case ErrorCode::bad_digest:
      return "bad digest";
    case ErrorCode::checksum_mismatch:
      return "checksum mismatch";
    case ErrorCode::method_not_allowed:
      return "method not allowed";
    case ErrorCode::not_supported:
      return "not supported";
    case ErrorCode::precondition_failed:
      return "precondition failed";
    case ErrorCode::not_modified:
      return "not modified";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::unauthenticated:
      return "unauthenticated";
    case ErrorCode::access_denied:
      return "access denied";
    case ErrorCode::expired:
      return "expired";
    case ErrorCode::locked:
      return "locked";
    case ErrorCode::quota_exceeded:
      return "quota exceeded";
    case ErrorCode::no_space:
      return "no space";
    case ErrorCode::read_only:
      return "read-only";
    case ErrorCode::io:
      return "input/output error";
    case ErrorCode::corrupted:
      return "corrupted";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::throttled:
      return "throttled";
    case ErrorCode::timed_out:
      return "timed out";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::internal:
      return "internal error";
  }
  return "unknown error";
}

std::unexpected<Error> fail_within(std::string_view what, const Error& cause) {
  return std::unexpected(Error{cause.code, fmt::format("{}: {}", what, cause.context)});
}

Error error_from_errno(int error_number, std::string_view what) {
  auto code = ErrorCode::io;
  switch (error_number) {
    case ENOENT:
    case ENODATA:
      code = ErrorCode::not_found;
      break;
    case EEXIST:
      code = ErrorCode::already_exists;
      break;
    case EACCES:
    case EPERM:
      code = ErrorCode::access_denied;
      break;
    case ENOSPC:
    case EDQUOT:
      code = ErrorCode::no_space;
      break;
    case EROFS:
      code = ErrorCode::read_only;
      break;
    case EINVAL:
    case ENOTDIR:
    case EISDIR:
      code = ErrorCode::invalid_argument;
      break;
    case ENAMETOOLONG:
      code = ErrorCode::invalid_name;
      break;
    case EWOULDBLOCK:
      code = ErrorCode::locked;
      break;
    case ETIMEDOUT:
      code = ErrorCode::timed_out;
      break;
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ECONNRESET:
      code = ErrorCode::unavailable;
      break;
    case EOPNOTSUPP:
    case ENOSYS:
      code = ErrorCode::not_supported;
      break;
    case ECANCELED:
      code = ErrorCode::cancelled;
      break;
    case EADDRINUSE:
      code = ErrorCode::conflict;
      break;
    default:
      break;
  }
  return Error{code, fmt::format("{}: {}", what, std::strerror(error_number))};
}

std::unexpected<Error> fail_errno(int error_number, std::string_view what) {
  return std::unexpected(error_from_errno(error_number, what));
}

int to_errno(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found:
    case ErrorCode::no_such_bucket:
    case ErrorCode::no_such_key:
    case ErrorCode::no_such_version:
    case ErrorCode::no_such_upload:
      return ENOENT;
    case ErrorCode::already_exists:
    case ErrorCode::bucket_exists:
      return EEXIST;
    case ErrorCode::bucket_not_empty:
      return ENOTEMPTY;
    case ErrorCode::invalid_argument:
    case ErrorCode::malformed:
    case ErrorCode::invalid_range:
      return EINVAL;
    case ErrorCode::invalid_name:
      return ENAMETOOLONG;
    case ErrorCode::entity_too_large:
      return EFBIG;
    case ErrorCode::unauthenticated:
    case ErrorCode::access_denied:
    case ErrorCode::expired:
      return EACCES;
    case ErrorCode::locked:
      return EBUSY;
    case ErrorCode::quota_exceeded:
      return EDQUOT;
    case ErrorCode::no_space:
      return ENOSPC;
    case ErrorCode::read_only:
      return EROFS;
    case ErrorCode::not_supported:
    case ErrorCode::method_not_allowed:
      return ENOTSUP;
    case ErrorCode::precondition_failed:
    case ErrorCode::conflict:
      return ESTALE;
    case ErrorCode::timed_out:
      return ETIMEDOUT;
    case ErrorCode::cancelled:
      return EINTR;
    default:
      return EIO;
  }
}

void check_failed(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, expression);
  std::abort();
}

}  // namespace holdfast
