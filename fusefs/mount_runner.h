// run_mount: what `holdfast mount` is: one process that serves one person's home and bucket view,
// speaking S3 as that person. Layout of the cache directory: tree/ (the mirror tree), state/ (the
// engine's), staging/ (files being written to buckets), mount.sock (control).
//
// Control: a unix socket, mode 0600, one line of JSON each way, several lines a connection:
//   {"command":"status"}               → {"ok":true,"home":{…},"passthrough":…}
//   {"command":"drain","seconds":N}    → {"ok":…,"dirty":…}  when all is uploaded or N s are over
//   {"command":"stop"}                 → {"ok":true}; then it drains, unmounts and ends
// An error is {"ok":false,"error":"…"}.
//
// SIGTERM and SIGINT are a stop. Prints the line "ready" on standard output when both mounts serve.
// A store that cannot be reached does not hinder a start: the home works with what is here.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "fusefs/home_fs.h"
#include "s3/sigv4.h"

namespace holdfast::fusefs {

struct MountOptions {
  std::string user;
  std::uint32_t uid = 0, gid = 0;  // owner of the home and of the view
  std::string home, buckets;       // mount points; empty: not mounted
  std::string cache;               // kept between runs
  BucketName homes_bucket{"homes"};
  std::string prefix;    // empty: "USER/"
  std::string endpoint;  // "http://127.0.0.1:7070", "https://…" or "unix:/PATH"
  std::string ca_file;   // whom to trust over https; empty: the system's
  std::string region = "us-east-1";
  s3::Credentials credentials;
  std::vector<std::string> exclude;
  FsyncMeaning fsync = FsyncMeaning::local_disk;
  std::chrono::milliseconds drain_limit{30'000};  // at a stop
  std::chrono::milliseconds busy_limit{2'000};    // for users of the mounts to leave
  bool passthrough = true;
};

// Fills endpoint, region and credentials from AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION,
// AWS_DEFAULT_REGION, AWS_CA_BUNDLE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
// where they are set. invalid_argument names what is missing.
Result<void> take_environment(MountOptions& options);

// Serves until it is stopped; blocks. Uses threads of its own.
// What could not be uploaded in time is logged and uploaded by the next run.
Result<void> run_mount(MountOptions options);

}  // namespace holdfast::fusefs
