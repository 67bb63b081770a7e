#include "control/templates.h"

#include <algorithm>

#include "base/log.h"
#include "control/names.h"

namespace holdfast::control {
namespace {

bool holds_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace

Result<void> check_template(const ToolTemplate& tool) {
  if (auto fits = check_template_name(tool.name); !fits) return fits;
  const auto refuse = [&tool](std::string_view what) {
    return fail(ErrorCode::invalid_argument, "the template \"{}\" {}", tool.name, what);
  };
  if (tool.command.empty() || tool.command.front().empty()) return refuse("has no command");
  if (std::ranges::any_of(tool.command, holds_nul)) return refuse("has a NUL byte in its command");
  for (const auto& [name, value] : tool.environment) {
    if (name.empty() || name.contains('=') || holds_nul(name) || holds_nul(value)) {
      return refuse("has a variable whose name is empty or holds '=' or NUL");
    }
  }
  if (tool.port == 0) return refuse("has the port 0: give the one it listens on");
  if (!tool.ready_path.starts_with('/') || tool.ready_path.contains('\r') ||
      tool.ready_path.contains('\n') || tool.ready_path.contains(' ')) {
    return refuse("needs a ready_path that begins with '/' and holds no space");
  }
  if (tool.memory_bytes < (32u << 20)) return refuse("needs at least 32 MiB of memory");
  if (tool.pids < 8) return refuse("needs at least 8 pids");
  if (tool.start_seconds == 0 || tool.start_seconds > 3600) {
    return refuse("needs start_seconds from 1 to 3600");
  }
  return {};
}

std::vector<ToolTemplate> built_in_templates() {
  ToolTemplate jupyter;
  jupyter.name = "jupyter";
  jupyter.title = "Jupyter Notebook";
  // No token of its own: only the gateway reaches the port, and it knows who asks. Jupyter's own
  // XSRF check stays; the origin is checked against the tool's public host.
  jupyter.command = {"/usr/bin/jupyter-notebook",
                     "--ip=0.0.0.0",
                     "--port={port}",
                     "--port-retries=0",
                     "--no-browser",
                     "--NotebookApp.token=",
                     "--NotebookApp.password=",
                     "--NotebookApp.allow_remote_access=True",
                     "--NotebookApp.allow_origin={origin}",
                     "--NotebookApp.quit_button=False",
                     "--notebook-dir={home}"};
  jupyter.environment = {{"SHELL", "/bin/bash"}};
  jupyter.port = 8888;
  jupyter.ready_path = "/api";
  return {jupyter};
}

}  // namespace holdfast::control
