#include "control/podman_driver.h"

#include <optional>
#include <sstream>

#include "base/event.h"
#include "base/fd.h"
#include "base/log.h"
#include "control/bridge.h"
#include "control/kernel_log.h"
#include "control/podman_json.h"
#include "control/podman_service.h"
#include "net/http_client.h"

namespace holdfast::control {
namespace asio = boost::asio;
namespace {

constexpr std::size_t answer_limit = 16u << 20;
constexpr auto call_limit = std::chrono::milliseconds(30'000);
constexpr auto stall_limit = std::chrono::milliseconds(10'000);
constexpr auto stream_limit = std::chrono::milliseconds(std::chrono::hours(1));
constexpr auto service_start_limit = std::chrono::milliseconds(10'000);

struct Call {
  std::string method = "GET";
  std::string path;
  std::string body;
  std::chrono::milliseconds limit = call_limit;
};
struct Answer {
  unsigned status = 0;
  std::string body;
  bool good() const { return status >= 200 && status < 400; }
};

// Lines of a passwd(5) or group(5) file but for those of that name or number.
std::string without_account(const std::string& text, const std::string& name, std::uint32_t id) {
  std::string kept;
  std::stringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::stringstream fields(line);
    std::string line_name, password, line_id;
    std::getline(fields, line_name, ':');
    std::getline(fields, password, ':');
    std::getline(fields, line_id, ':');
    if (line_name != name && line_id != std::to_string(id)) kept += line + "\n";
  }
  return kept;
}

class PodmanDriver final : public EngineDriver {
 public:
  PodmanDriver(asio::any_io_executor executor, PodmanOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock), http_(executor, {}) {
    if (options_.socket.empty()) {
      socket_ = options_.run_dir + "/podman.sock";
      service_.emplace(ServiceOptions{.socket = socket_,
                                      .log_file = options_.run_dir + "/podman.log",
                                      .runtime = options_.runtime});
    } else {
      socket_ = options_.socket;
    }
  }

  asio::awaitable<Result<void>> prepare() override {
    if (auto made = make_directories(options_.run_dir, 0700); !made) co_return made;
    if (service_) {
      if (auto started = service_->start(); !started) co_return started;
    }
    if (auto answers = co_await wait_for_service(); !answers) co_return answers;
    if (const auto listener = listener_of(socket_)) limits_ = limits_of(*listener);
    auto subnet = co_await ensure_network(ToolTemplate::Network::gateway_only);
    if (!subnet) co_return std::unexpected(subnet.error());
    auto host = first_host_of(*subnet);
    if (!host) co_return std::unexpected(host.error());
    if (auto made = ensure_bridge(bridge(), *host); !made) co_return made;
    host_ = *host;
    co_return Result<void>();
  }

  asio::awaitable<Result<ContainerState>> ensure(ContainerSpec spec) override {
    auto present = co_await inspect(spec.name);
    if (!present) co_return std::unexpected(present.error());
    if (*present) {
      const auto& seen = **present;
      if (seen.phase == ContainerState::Phase::running && seen.spec_hash == spec.spec_hash) {
        co_return seen;
      }
      co_return fail(ErrorCode::conflict, "a container {} of another state is there", spec.name);
    }
    CreateInputs inputs{
        .instance_id = options_.instance_id, .network = network(spec.network), .limits = limits_};
    if (spec.network == ToolTemplate::Network::open) {
      auto subnet = co_await ensure_network(spec.network);
      if (!subnet) co_return std::unexpected(subnet.error());
    }
    if (spec.image.empty()) {
      if (auto written = write_accounts(spec, inputs); !written) {
        co_return std::unexpected(written.error());
      }
    }
    auto created = co_await expect({"POST", "/libpod/containers/create", create_body(spec, inputs)},
                                   "make the container " + spec.name);
    if (!created) co_return std::unexpected(created.error());
    auto started = co_await start(spec);
    if (!started) {
      (void)co_await remove(spec.name, std::chrono::seconds(0));
      co_return std::unexpected(started.error());
    }
    auto running = co_await inspect(spec.name);
    if (!running) co_return std::unexpected(running.error());
    if (!*running) co_return fail(ErrorCode::io, "the container {} vanished", spec.name);
    co_return **running;
  }

  asio::awaitable<Result<void>> remove(std::string name, std::chrono::seconds grace) override {
    Call call{
        .method = "DELETE",
        .path = fmt::format("/libpod/containers/{}?force=true&timeout={}", name, grace.count()),
        .limit = call_limit + grace};
    auto answer = co_await send(std::move(call));
    if (!answer) co_return std::unexpected(answer.error());
    if (answer->good() || answer->status == 404) co_return Result<void>();
    co_return fail(ErrorCode::io, "remove the container {}: {}", name, error_message(answer->body));
  }

  asio::awaitable<Result<std::vector<ContainerState>>> list() override {
    auto answer = co_await expect({.path = "/libpod/containers/json?all=true&filters=" + filters()},
                                  "list the containers");
    if (!answer) co_return std::unexpected(answer.error());
    auto names = read_names(answer->body);
    if (!names) co_return std::unexpected(names.error());
    std::vector<ContainerState> all;
    for (const auto& name : *names) {
      auto seen = co_await inspect(name);
      if (!seen) co_return std::unexpected(seen.error());
      if (*seen) all.push_back(std::move(**seen));
    }
    co_return all;
  }

  asio::awaitable<Result<void>> watch(std::function<void()> changed) override {
    net::ClientRequest request = request_for(
        {.path = "/libpod/events?stream=true&filters=" + filters(), .limit = stream_limit});
    request.stall_timeout = stream_limit;
    auto response = co_await http_.send(std::move(request));
    if (!response) co_return std::unexpected(response.error());
    std::vector<std::byte> buffer(16u << 10);
    for (;;) {
      auto got = co_await response->body->read(buffer);
      if (!got) co_return std::unexpected(got.error());
      if (*got == 0) co_return Result<void>();
      changed();
    }
  }

  asio::awaitable<Result<std::string>> logs(std::string name, std::size_t lines) override {
    auto answer = co_await expect(
        {.path = fmt::format("/libpod/containers/{}/logs?stdout=true&stderr=true&tail={}", name,
                             lines)},
        "read the log of " + name);
    if (!answer) co_return std::unexpected(answer.error());
    co_return read_log_frames(answer->body);
  }

  asio::awaitable<void> retire() override {
    for (const auto kind : {ToolTemplate::Network::gateway_only, ToolTemplate::Network::open}) {
      (void)co_await send({"DELETE", fmt::format("/libpod/networks/{}?force=true", network(kind))});
    }
    if (auto gone = remove_bridge(bridge()); !gone) {
      spdlog::warn("control: {}", gone.error().context);
    }
    service_.reset();
  }

  std::string host_address() const override { return host_.address; }

 private:
  std::string bridge() const { return "hf" + options_.instance_id; }
  std::string network(ToolTemplate::Network kind) const {
    return "holdfast-" + options_.instance_id +
           (kind == ToolTemplate::Network::open ? "-open" : "");
  }
  // {"label":["io.holdfast.instance=ID"]}, percent-encoded.
  std::string filters() const {
    return fmt::format("%7B%22label%22%3A%5B%22{}%3D{}%22%5D%7D", label_instance,
                       options_.instance_id);
  }

  net::ClientRequest request_for(const Call& call) const {
    net::ClientRequest request;
    request.method = call.method;
    request.url = "http://podman/v4.0.0" + call.path;
    request.unix_socket = socket_;
    request.head_timeout = call.limit;
    request.stall_timeout = stall_limit;
    return request;
  }

  asio::awaitable<Result<Answer>> send(Call call) {
    auto request = request_for(call);
    std::unique_ptr<BodyReader> body;
    if (!call.body.empty()) {
      request.headers.add("Content-Type", "application/json");
      request.body_size = call.body.size();
      body = make_string_reader(std::move(call.body));
      request.body = body.get();
    }
    auto response = co_await http_.send(std::move(request));
    if (!response) co_return fail_within("ask podman", response.error());
    Answer answer{.status = response->status};
    if (response->body) {
      auto text = co_await read_all(*response->body, answer_limit);
      if (!text) co_return fail_within("ask podman", text.error());
      answer.body = std::move(*text);
    }
    co_return answer;
  }

  asio::awaitable<Result<Answer>> expect(Call call, std::string what) {
    auto answer = co_await send(std::move(call));
    if (!answer || answer->good()) co_return answer;
    const auto code = answer->status == 404   ? ErrorCode::not_found
                      : answer->status == 409 ? ErrorCode::conflict
                                              : ErrorCode::io;
    co_return fail(code, "{}: podman says {}: {}", what, answer->status,
                   error_message(answer->body));
  }

  asio::awaitable<Result<std::optional<ContainerState>>> inspect(std::string name) {
    auto answer = co_await send({.path = "/libpod/containers/" + name + "/json"});
    if (!answer) co_return std::unexpected(answer.error());
    if (answer->status == 404) co_return std::optional<ContainerState>();
    if (!answer->good()) {
      co_return fail(ErrorCode::io, "inspect {}: {}", name, error_message(answer->body));
    }
    auto seen = read_inspection(answer->body);
    if (seen && *seen && (*seen)->phase == ContainerState::Phase::exited &&
        (*seen)->exit_code == 137 && !(*seen)->out_of_memory) {
      // On cgroup v1 the engine's monitor often loses the race against the group's removal.
      (*seen)->out_of_memory = kernel_killed_for_memory((*seen)->engine_id);
    }
    co_return seen;
  }

  asio::awaitable<Result<void>> wait_for_service() {
    const auto deadline = clock_.monotonic() + service_start_limit;
    for (;;) {
      auto answer = co_await send({.path = "/libpod/_ping", .limit = service_start_limit});
      if (answer && answer->good()) co_return Result<void>();
      if (!service_ && !answer) co_return std::unexpected(answer.error());
      if (service_ && !service_->running()) {
        auto log = read_file(options_.run_dir + "/podman.log", 1u << 20);
        co_return fail(ErrorCode::unavailable, "podman ended while starting: {}",
                       log_field(log.value_or(""), 400));
      }
      if (clock_.monotonic() > deadline) {
        co_return fail(ErrorCode::timed_out, "podman did not answer within {} s",
                       service_start_limit.count() / 1000);
      }
      co_await sleep_for(std::chrono::milliseconds(20));
    }
  }

  asio::awaitable<Result<std::string>> ensure_network(ToolTemplate::Network kind) {
    const auto name = network(kind);
    auto answer = co_await send({.path = "/libpod/networks/" + name + "/json"});
    if (!answer) co_return std::unexpected(answer.error());
    // One without a range is left over from a making that was cut short: made again below.
    const bool complete = kind == ToolTemplate::Network::open ||
                          answer->body.find("\"lease_range\"") != std::string::npos;
    if (answer->good() && complete) co_return read_subnet(answer->body);
    auto subnet = read_subnet(answer->body);
    if (!answer->good()) subnet = co_await make_network(kind, std::nullopt);
    if (!subnet || kind == ToolTemplate::Network::open) co_return subnet;
    // An internal network has no gateway for the engine, so it would give the bridge's own address
    // to the first container. Which subnets are free only the engine knows: it chooses one, then
    // the network is made again with that address left out.
    auto range = container_range_of(*subnet);
    if (!range) co_return std::unexpected(range.error());
    auto gone = co_await expect({"DELETE", "/libpod/networks/" + name}, "make the tools' network");
    if (!gone) co_return std::unexpected(gone.error());
    co_return co_await make_network(kind, Leases{*subnet, range->first, range->last});
  }

  asio::awaitable<Result<std::string>> make_network(ToolTemplate::Network kind,
                                                    std::optional<Leases> leases) {
    const auto interface = kind == ToolTemplate::Network::open ? bridge() + "o" : bridge();
    const auto body = network_body(network(kind), interface, options_.instance_id, kind, leases);
    auto made =
        co_await expect({"POST", "/libpod/networks/create", body}, "make the tools' network");
    if (!made) co_return std::unexpected(made.error());
    co_return read_subnet(made->body);
  }

  // init makes the container with its network but runs nothing yet: the port is isolated before the
  // tool's first instruction.
  asio::awaitable<Result<void>> start(const ContainerSpec& spec) {
    const auto path = "/libpod/containers/" + spec.name;
    auto ready = co_await expect({"POST", path + "/init"}, "prepare the container " + spec.name);
    if (!ready) co_return std::unexpected(ready.error());
    if (spec.network == ToolTemplate::Network::gateway_only) {
      // The engine removes the bridge with its last container, and makes it again without an
      // address of ours: the tool and the gateway would not reach each other.
      if (auto there = ensure_bridge(bridge(), host_); !there) co_return there;
    }
    const auto port_of = spec.network == ToolTemplate::Network::open ? bridge() + "o" : bridge();
    if (auto isolated = isolate_ports(port_of); !isolated) co_return isolated;
    auto started = co_await expect({"POST", path + "/start"}, "start the container " + spec.name);
    if (!started) co_return std::unexpected(started.error());
    co_return Result<void>();
  }

  // The host's accounts with the person's own in front, so that whoami and ls know the name.
  Result<void> write_accounts(const ContainerSpec& spec, CreateInputs& inputs) {
    inputs.passwd_file = options_.run_dir + "/passwd-" + spec.user_name;
    inputs.group_file = options_.run_dir + "/group-" + spec.user_name;
    auto passwd = read_file("/etc/passwd");
    if (!passwd) return fail_within("read the host's accounts", passwd.error());
    auto group = read_file("/etc/group");
    if (!group) return fail_within("read the host's groups", group.error());
    auto done = replace_file(
        inputs.passwd_file,
        fmt::format("{0}:x:{1}:{1}::{2}:/bin/bash\n", spec.user_name, spec.uid, spec.home) +
            without_account(*passwd, spec.user_name, spec.uid),
        0644);
    if (!done) return done;
    return replace_file(inputs.group_file,
                        fmt::format("{}:x:{}:\n", spec.user_name, spec.uid) +
                            without_account(*group, spec.user_name, spec.uid),
                        0644);
  }

  PodmanOptions options_;
  const Clock& clock_;
  net::HttpClient http_;
  std::string socket_;
  std::optional<PodmanService> service_;
  ProcessLimits limits_;
  BridgeAddress host_;
};

}  // namespace

std::unique_ptr<EngineDriver> make_podman_driver(asio::any_io_executor executor,
                                                 PodmanOptions options, const Clock& clock) {
  return std::make_unique<PodmanDriver>(std::move(executor), std::move(options), clock);
}

}  // namespace holdfast::control
