#include "fusefs/caller_scope.h"

#include <sys/fsuid.h>

namespace holdfast::fusefs {

CallerScope::CallerScope(Caller caller) : caller_(caller) {
  if (caller_.gid != 0) ::setfsgid(caller_.gid);
  if (caller_.uid != 0) ::setfsuid(caller_.uid);
}

CallerScope::~CallerScope() {
  if (caller_.uid != 0) ::setfsuid(0);
  if (caller_.gid != 0) ::setfsgid(0);
}

}  // namespace holdfast::fusefs
