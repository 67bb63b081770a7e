"""A home of a running server, mounted by `holdfast mount` as the server would, without a tool."""
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "story"))

from harness import Server, check, wait_for  # noqa: E402

UID = 20_500


class MountedHome:
    """In the server's own folder of homes, so that its commands reach it."""

    def __init__(self, server, user):
        self.server, self.user = server, user
        self.root = os.path.join(server.data, "homes", user)
        self.path = os.path.join(self.root, "home")
        self.tree = os.path.join(self.root, "cache", "tree")
        os.makedirs(self.path, exist_ok=True)
        self.keys = server.keys_of(user)
        self.process = None

    def start(self):
        environment = {"AWS_ACCESS_KEY_ID": self.keys[0], "AWS_SECRET_ACCESS_KEY": self.keys[1],
                       "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.s3_port}", "PATH": "/usr/bin:/bin"}
        with open(self.server.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.server.program, "mount", "--user", self.user, "--uid", str(UID), "--home", self.path,
                 "--cache", os.path.join(self.root, "cache")],
                env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        check(self.process.stdout.readline().strip() == "ready", "the mount is not ready: " + self.server.log_tail())
        wait_for("the home to be compared with the store",
                 lambda: (self.server.status_of_home(self.user) or {}).get("started"), 30)

    def kill(self):
        """As an OOM kill does; then the dead mount is taken away, as the next start would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        subprocess.run(["umount", "-l", self.path], check=True)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)


def make_server(program):
    server = Server(program)
    server.start()
    return server


def scratch():
    return tempfile.mkdtemp(prefix="holdfast-homes-", dir="/tmp")
