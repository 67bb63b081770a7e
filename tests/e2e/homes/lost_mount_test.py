"""The mount process of a running tool is killed: the tool comes back by itself with a living home."""
import argparse
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from mounted import check, make_server, wait_for  # noqa: E402


def tool_of(server):
    rows = [row for row in server.cli_json("status")["tools"] if row["user"] == "alice"]
    return rows[0] if rows else {"state": "stopped", "reason": ""}


def mount_pid(server):
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as text:
                words = text.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "mount" in words[1:2] and server.home("alice") in words:
            return int(name)
    return None


def container_pid(server):
    """0 while there is none that runs."""
    names = [name for name in server.containers() if name.endswith("jupyter-alice")]
    done = subprocess.run(["podman", "inspect", "--format", "{{.State.Pid}}", *names], capture_output=True, text=True,
                          timeout=60) if names else None
    return int(done.stdout.strip() or 0) if done else 0


def in_tool(server, *words):
    done = subprocess.run(["podman", "exec", server.container("jupyter", "alice"), *words], capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    server = make_server(arguments.parse_args().program)
    try:
        server.cli("user", "add", "alice")
        server.cli("tool", "start", "jupyter", "--user", "alice")
        wait_for("jupyter to be ready", lambda: tool_of(server)["state"] == "ready", 90)
        with open(os.path.join(server.home("alice"), "thesis.txt"), "w", encoding="ascii") as file:
            file.write("only copy")
        first = mount_pid(server)
        check(first is not None, "the mount process is found")
        # A tool that has just been started is not started again by itself, so that a mount that always
        # dies ends somewhere.
        started = str(container_pid(server))
        wait_for("the tool to have run for a while",
                 lambda: float(subprocess.run(["ps", "-o", "etimes=", "-p", started], capture_output=True,
                                              text=True).stdout or 0) > 12, 60, 0.2)
        os.kill(first, signal.SIGKILL)
        wait_for("another mount process", lambda: mount_pid(server) not in (None, first), 60)
        wait_for("jupyter to be ready again", lambda: tool_of(server)["state"] == "ready", 90)
        status, text = in_tool(server, "cat", "/home/alice/thesis.txt")
        check(status == 0 and text == "only copy", f"the tool reads its home: {status} {text!r}")
        check("signal 9" in server.log_tail(200), "the log says how the mount ended")

        # At once, before it is ready: a failure with its reason, no endless loop.
        server.cli("tool", "restart", "jupyter", "--user", "alice")
        # Of the new container: until it runs, the state is another.
        wait_for("the tool to run again", lambda: tool_of(server)["state"] in ("starting", "ready"), 90, 0.02)
        os.kill(mount_pid(server), signal.SIGKILL)
        wait_for("the tool to be reported as failed, for the reason of its mount", lambda: (
            tool_of(server)["state"] == "failed" and "mount process" in tool_of(server)["reason"]), 60)
        server.cli("tool", "start", "jupyter", "--user", "alice")
        wait_for("jupyter to be ready once more", lambda: tool_of(server)["state"] == "ready", 90)
        check(in_tool(server, "cat", "/home/alice/thesis.txt")[1] == "only copy", "the home is whole")
        print("lost mount: ok")
    finally:
        server.cleanup()
        os.unlink(server.log_path)


main()
