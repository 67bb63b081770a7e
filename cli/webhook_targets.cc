#include "cli/webhook_targets.h"

#include <sys/stat.h>

#include <cerrno>
#include <string_view>

#include "base/fd.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t longest_token = 8192;

Result<std::string> read_token(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, path);
  if ((info.st_mode & 077) != 0) {
    return fail(ErrorCode::access_denied,
                "{} holds a secret that others than its owner may read: chmod 600 {}", path, path);
  }
  auto text = read_file(path, longest_token);
  if (!text) return text;
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r' || text->back() == ' ')) {
    text->pop_back();
  }
  for (const unsigned char c : *text) {
    if (c < 0x20 || c == 0x7f) {
      return fail(ErrorCode::invalid_argument, "{} holds more than one line of plain text", path);
    }
  }
  if (text->empty()) return fail(ErrorCode::invalid_argument, "{} is empty", path);
  return text->find(' ') == std::string::npos ? "Bearer " + *text : *text;
}

}  // namespace

Result<std::vector<gateway::WebhookTarget>> webhook_targets(const Config& config) {
  std::vector<gateway::WebhookTarget> targets;
  for (const WebhookConfig& webhook : config.webhooks) {
    gateway::WebhookTarget target{webhook.id, webhook.url, {}};
    if (!webhook.auth_token_file.empty()) {
      auto token = read_token(webhook.auth_token_file);
      if (!token) return fail_within("notify.webhook " + webhook.id, token.error());
      target.authorization = std::move(*token);
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

}  // namespace holdfast::cli
