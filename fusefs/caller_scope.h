// CallerScope: while it lives, this thread creates files as the caller (fsuid, fsgid), so that they
// are the caller's from the first instant. Capabilities stay, where the thread has
// SECBIT_NO_SETUID_FIXUP: the kernel has judged permissions before the request came. One thread.
#pragma once

#include "fusefs/reply.h"

namespace holdfast::fusefs {

class CallerScope {
 public:
  explicit CallerScope(Caller caller);
  ~CallerScope();
  CallerScope(const CallerScope&) = delete;
  CallerScope& operator=(const CallerScope&) = delete;

 private:
  Caller caller_;
};

}  // namespace holdfast::fusefs
