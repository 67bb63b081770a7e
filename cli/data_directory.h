// The data directory of `holdfast serve`: made on first use, held by one process at a time, of one
// format. Nothing in it is touched before both are certain.
//
//   FORMAT  lock  registry.db  encrypted-throughout  store/… or documents/…
//   homes/USER/{home,buckets,cache}/ run/{admin.sock,…}  log/
#pragma once

#include <string>

#include "base/error.h"
#include "base/fd.h"

namespace holdfast::cli {

class DataDirectory {
 public:
  // locked: another process holds it (the message names its pid). invalid_argument: a directory
  // with something else in it, or of another format version: the message says which.
  static Result<DataDirectory> open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string registry() const { return path_ + "/registry.db"; }
  std::string store() const { return store_of(path_); }
  static std::string store_of(const std::string& data) { return data + "/store"; }
  // There while every body of the store is encrypted: cli/body_encryption.h.
  std::string encrypted_throughout() const { return path_ + "/encrypted-throughout"; }
  // Of buckets that an upstream store keeps: what this gateway itself carries out.
  std::string documents() const { return path_ + "/documents"; }
  std::string run() const { return path_ + "/run"; }
  std::string log() const { return path_ + "/log"; }
  std::string home(const std::string& user) const { return path_ + "/homes/" + user; }
  static std::string admin_socket(const std::string& data) { return data + "/run/admin.sock"; }
  // The S3 API for what runs here as us, whatever s3.listen says.
  static std::string s3_socket(const std::string& data) { return data + "/run/s3.sock"; }

 private:
  DataDirectory(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  Fd lock_;
};

}  // namespace holdfast::cli
