"""What the story stands on: a real server, real clients, conditions that are waited for."""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from ports import free_port  # noqa: E402


class StepFailed(Exception):
    """A step saw something else than what was promised; the text says what."""


def check(condition, sentence):
    if not condition:
        raise StepFailed(sentence)


def wait_for(what, condition, seconds=30.0, every=0.05):
    """Polls until condition() is true and returns its value; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    last_error = None
    while True:
        try:
            value = condition()
            if value:
                return value
        except (OSError, ValueError, KeyError, StepFailed, subprocess.CalledProcessError) as error:
            last_error = error
        if time.monotonic() > deadline:
            raise StepFailed(f"waited {seconds:.0f} s for: {what}" + (f" ({last_error})" if last_error else ""))
        time.sleep(every)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def manifest(root):
    """Every path below root with its kind, mode, mtime and content."""
    rows = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            row = {"mode": status.st_mode, "mtime_ns": status.st_mtime_ns}
            if os.path.islink(path):
                row["target"] = os.readlink(path)
            elif os.path.isfile(path):
                row["sha256"] = sha256_of(path)
            rows[os.path.relpath(path, root)] = row
    return rows


class Server:
    """One `holdfast serve` on a data directory of its own."""

    def __init__(self, program, tls=None, domain="localhost", options=()):
        """With a TestAuthority both listeners speak HTTPS, and this process trusts it."""
        self.program = os.path.abspath(program)
        self.tls = tls
        self.scheme = "https" if tls else "http"
        self.domain = domain
        self.options = list(options)
        self.data = tempfile.mkdtemp(prefix="holdfast-story-", dir="/tmp")
        os.chmod(self.data, 0o711)
        self.s3_port = free_port()
        self.web_port = free_port()
        self.process = None
        self.output = []
        self.arguments = []  # of serve
        self.log_path = os.path.join(os.path.dirname(self.data), os.path.basename(self.data) + ".log")

    @property
    def s3_url(self):
        return f"{self.scheme}://{self.domain}:{self.s3_port}"

    @property
    def web_url(self):
        return f"{self.scheme}://{self.domain}:{self.web_port}"

    def tool_url(self, label):
        return f"{self.scheme}://{label}.{self.domain}:{self.web_port}"

    def start(self):
        self.output = []
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [self.program, "serve", *self.arguments, "--data", self.data,
             "--s3-listen", f"127.0.0.1:{self.s3_port}", "--web-listen", f"127.0.0.1:{self.web_port}",
             *self._configuration()],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
        log.close()
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        wait_for("the server to serve", self._serves, 60)

    def _configuration(self):
        if self.tls is None and self.domain == "localhost" and not self.options:
            return []
        path = self.log_path.removesuffix(".log") + ".toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([f'domain = "{self.domain}"', *self.options]) + "\n")
            if self.tls is not None:
                for listener in ("s3", "web"):
                    file.write(f'[{listener}]\ntls_certificate = "{self.tls.certificate}"\n'
                               f'tls_key = "{self.tls.key}"\n')
        return ["--config", path]

    def _read(self, process):
        for line in process.stdout:
            self.output.append(line.rstrip("\n"))

    def _serves(self):
        if self.process.poll() is not None:
            raise SystemExit(f"holdfast serve ended with {self.process.returncode}:\n{self.log_tail()}")
        return any("ready" in line for line in self.output)

    def log_tail(self, lines=40):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def kill(self):
        """As a power cut would: only the server itself; mounts and tools stay."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=60):
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(seconds)

    def cleanup(self):
        try:
            self.stop()
        finally:
            if self.process is not None and self.process.poll() is None:
                self.kill()
            subprocess.run(["sh", "-c", f"grep -o '{self.data}/[^ ]*' /proc/mounts | sort -r | xargs -r -n1 umount -l"],
                           check=False)
            shutil.rmtree(self.data, ignore_errors=True)

    def cli(self, *arguments, expect=0):
        done = subprocess.run([self.program, "--data", self.data, *arguments], capture_output=True, text=True,
                              timeout=300)
        check(done.returncode == expect,
              f"holdfast {' '.join(arguments)} exited {done.returncode}, not {expect}: {done.stderr or done.stdout}")
        return done.stdout if expect == 0 else done.stderr

    def cli_json(self, *arguments):
        return json.loads(self.cli("--json", *arguments))

    def keys_of(self, user):
        made = self.cli_json("key", "create", user)
        return made["access_key_id"], made["secret_access_key"]

    def s3(self, keys, retries=0):
        import boto3
        from botocore.config import Config
        return boto3.client(
            "s3", endpoint_url=self.s3_url, aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
            region_name="us-east-1",
            config=Config(signature_version="s3v4", retries={"max_attempts": retries}, s3={"addressing_style": "path"},
                          connect_timeout=5, read_timeout=60))

    def home(self, user):
        return os.path.join(self.data, "homes", user, "home")

    def buckets(self, user):
        return os.path.join(self.data, "homes", user, "buckets")

    def containers(self):
        """Names of this server's containers, running or not: those that mount something of its data."""
        listed = subprocess.run(["podman", "ps", "--all", "--format", "{{.Names}}"], capture_output=True,
                                text=True, check=True).stdout.split()
        ours = []
        for name in listed:
            seen = subprocess.run(["podman", "inspect", name], capture_output=True, text=True)
            if seen.returncode == 0 and f'"{self.data}/' in seen.stdout:
                ours.append(name)
        return ours

    @staticmethod
    def instance_of(container):
        """The label that marks every container of the server that made this one."""
        return subprocess.run(
            ["podman", "inspect", "--format", '{{index .Config.Labels "io.holdfast.instance"}}', container],
            capture_output=True, text=True, check=True).stdout.strip()

    @staticmethod
    def containers_of_instance(instance):
        """"NAME STATE" of all of them in any state, also of those that were made and never started."""
        return subprocess.run(
            ["podman", "ps", "--all", "--filter", f"label=io.holdfast.instance={instance}",
             "--format", "{{.Names}} {{.State}}"], capture_output=True, text=True, check=True).stdout.splitlines()

    def container(self, tool, user):
        return next(name for name in self.containers() if name.endswith(f"{tool}-{user}"))

    def status_of_home(self, user):
        for home in self.cli_json("status")["homes"]:
            if home["user"] == user:
                return home
        return None

    def wait_uploaded(self, user, seconds=60):
        """Until nothing of the user's home waits to upload."""
        wait_for(f"the home of {user} to be uploaded",
                 lambda: (self.status_of_home(user) or {}).get("dirty") == 0, seconds, 0.1)


def http_get(url, headers=None):
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
