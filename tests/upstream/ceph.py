"""A whole Ceph object gateway in one directory, for tests: a monitor, an OSD that keeps its data in
memory, and radosgw. Everything is bound to loopback and speaks cephx; nothing outside the directory
is read or written, and no process outlives its owner.

    ceph.py [--directory DIR]              prints one JSON line when S3 answers; ends with its stdin
    ceph.py [--directory DIR] -- PROGRAM…  runs PROGRAM with HOLDFAST_UPSTREAM_{ENDPOINT,KEY,SECRET}

Packages: ceph-mon, ceph-osd, ceph-common, radosgw (scripts/setup --for test). The data is lost when
the OSD stops; kill_gateway() and start_gateway() leave it running.
"""

import argparse
import ctypes
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from ports import free_port  # noqa: E402

REGION = "default"
START_SECONDS = 120  # 10 s on an idle machine
DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG

CONFIGURATION = """[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{monitor}/0
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
keyring = {directory}/keyring
run dir = {directory}
admin socket = {directory}/$name.asok
log file = {directory}/$name.log
crash dir = {directory}/crash
log max recent = 100
debug ms = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000

[mon]
mon data = {directory}/mon
mon cluster log file = {directory}/cluster.log
mon data avail crit = 1
mon data avail warn = 2

[osd]
osd data = {directory}/osd
osd objectstore = memstore
memstore device bytes = {bytes}
osd class load list = *
osd class default list = *

[client.rgw]
rgw data = {directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:{gateway} tcp_nodelay=1
rgw enable apis = {apis}
rgw enable usage log = false
rgw thread pool size = 64
rgw lc debug interval = {day}
"""

# Temporary credentials: what is asked for by POST / and how sessions are sealed.
STS = """rgw s3 auth use sts = true
rgw sts key = {key}
"""


class Missing(RuntimeError):
    """A program that Ceph needs is not installed."""


def die_with_parent():
    ctypes.CDLL(None, use_errno=True).prctl(DIES_WITH_PARENT, signal.SIGKILL)


class Ceph:
    """One cluster. `endpoint`, `key` and `secret` say how to reach it once start() has returned."""

    def __init__(self, directory=None, memory_bytes=4 << 30, day_seconds=-1, sts=False):
        programs = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool")
        absent = [name for name in programs if not os.path.exists(f"/usr/bin/{name}")]
        if absent:
            raise Missing(f"not installed: {', '.join(absent)} (scripts/setup --for test)")
        self._own = directory is None
        # The daemons' sockets lie in it, and the path of a socket has at most 107 bytes.
        self.directory = directory or tempfile.mkdtemp(prefix="ceph-")
        if os.listdir(self.directory):
            raise RuntimeError(f"{self.directory} is not empty")
        self.key, self.secret = "AKUPSTREAM", uuid.uuid4().hex
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.region = REGION
        self._monitor_port = free_port()
        self._configuration = os.path.join(self.directory, "ceph.conf")
        self._processes = {}
        self._fsid = str(uuid.uuid4())
        with open(self._configuration, "w") as file:
            file.write(
                CONFIGURATION.format(
                    fsid=self._fsid,
                    directory=self.directory,
                    monitor=self._monitor_port,
                    gateway=self.port,
                    bytes=memory_bytes,
                    day=day_seconds,
                    apis="s3, sts" if sts else "s3",
                )
            )
            if sts:
                file.write(STS.format(key=uuid.uuid4().hex[:16]))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        try:
            self._make_keys()
            self._start_monitor()
            self._start_osd()
            self._make_user()
            self.start_gateway()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for name in ("rgw", "osd", "mon"):
            self._end(name, signal.SIGTERM if name != "osd" else signal.SIGKILL)
        if self._own:
            shutil.rmtree(self.directory, ignore_errors=True)

    def start_gateway(self):
        self._spawn("rgw", "radosgw", "-n", "client.rgw", "-f")
        self._wait("radosgw", self._answers)

    def kill_gateway(self):
        self._end("rgw", signal.SIGKILL)

    def gateway_pid(self):
        return self._processes["rgw"].pid

    def make_role(self, name):
        """The ARN of a role that may do everything, which the user of `key` may assume: what a
        session of it may do is up to its policy. Needs sts."""
        trust = {"Effect": "Allow", "Action": ["sts:AssumeRole"]}
        trust["Principal"] = {"AWS": ["arn:aws:iam:::user/holdfast"]}
        rights = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
        trust, rights = (
            json.dumps({"Version": "2012-10-17", "Statement": [one]}) for one in (trust, rights)
        )
        admin = ("radosgw-admin", "-c", self._configuration, "-n", "client.rgw")
        self._run(*admin, "role", "create", "--role-name", name, "--assume-role-policy-doc", trust)
        named = ("--role-name", name, "--policy-name", "all", "--policy-doc", rights)
        self._run(*admin, "role-policy", "put", *named)
        return f"arn:aws:iam:::role/{name}"

    # --- parts

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _make_keys(self):
        keyring = self._path("keyring")
        caps = {
            "mon.": ["mon", "allow *"],
            "client.admin": ["mon", "allow *", "osd", "allow *", "mgr", "allow *"],
            "osd.0": ["mon", "allow profile osd", "osd", "allow *"],
            "client.rgw": ["mon", "allow rw", "osd", "allow rwx"],
        }
        for number, (name, rules) in enumerate(caps.items()):
            create = ["--create-keyring"] if number == 0 else []
            pairs = [part for i in range(0, len(rules), 2) for part in ("--cap", *rules[i : i + 2])]
            self._run("ceph-authtool", keyring, *create, "--gen-key", "-n", name, *pairs)
        os.chmod(keyring, 0o600)

    def _start_monitor(self):
        for name in ("mon", "osd", "rgw", "crash"):
            os.mkdir(self._path(name))
        address = f"[v2:127.0.0.1:{self._monitor_port}/0]"
        monmap = self._path("monmap")
        self._run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", address, monmap)
        arguments = ["-i", "a", "--monmap", monmap, "--keyring", self._path("keyring")]
        self._run("ceph-mon", "-c", self._configuration, "--mkfs", *arguments)
        self._spawn("mon", "ceph-mon", "-i", "a", "-f", "--keyring", self._path("mon/keyring"))

    def _start_osd(self):
        identity = str(uuid.uuid4())
        self._run("ceph", "-c", self._configuration, "osd", "new", identity, "0")
        arguments = ["-c", self._configuration, "-i", "0", "--osd-uuid", identity]
        self._run("ceph-osd", *arguments, "--mkfs")
        self._spawn("osd", "ceph-osd", "-i", "0", "-f")

    def _make_user(self):
        self._run(
            *("radosgw-admin", "-c", self._configuration, "-n", "client.rgw", "user", "create"),
            *("--uid", "holdfast", "--display-name", "Holdfast"),
            *("--access-key", self.key, "--secret", self.secret),
        )

    def _answers(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    # --- processes

    def _run(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)
        if done.returncode != 0:
            text = (done.stdout + done.stderr)[-2000:]
            raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{text}")

    def _spawn(self, name, program, *arguments):
        with open(self._path(f"{name}.out"), "ab") as out:
            self._processes[name] = subprocess.Popen(
                [f"/usr/bin/{program}", "-c", self._configuration, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=die_with_parent,
            )

    def _wait(self, what, ready):
        process = self._processes["rgw"]
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                with open(self._path("rgw.out"), errors="replace") as out:
                    raise RuntimeError(f"{what} ended: {process.returncode}\n{out.read()[-2000:]}")
            if ready():
                return
            time.sleep(0.1)
        raise RuntimeError(f"{what} did not answer within {START_SECONDS} s")

    def _end(self, name, how):
        process = self._processes.pop(name, None)
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description="Ceph's object gateway for tests.")
    parser.add_argument("--directory", help="an empty directory; else one that is removed again")
    parser.add_argument("program", nargs="*", help="what runs beside it")
    arguments = parser.parse_args()
    # A test runner that loses patience sends this; the cluster must go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Ceph(arguments.directory) as ceph:
        if not arguments.program:
            shown = {"endpoint": ceph.endpoint, "key": ceph.key, "secret": ceph.secret}
            print(json.dumps(shown), flush=True)
            sys.stdin.read()
            return 0
        environment = dict(os.environ)
        environment["HOLDFAST_UPSTREAM_ENDPOINT"] = ceph.endpoint
        environment["HOLDFAST_UPSTREAM_KEY"] = ceph.key
        environment["HOLDFAST_UPSTREAM_SECRET"] = ceph.secret
        return subprocess.run(arguments.program, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
