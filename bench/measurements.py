"""The measurements. Each takes a World and answers rows; each round measures us and the peer in turn."""
import hashlib
import os
import random
import shutil
import socket
import statistics
import subprocess
import tarfile
import tempfile
import time

from rows import Row
from world import (BUCKET, USER, BenchServer, Browser, Nginx, TestAuthority, cpu_seconds, free_port, http_get, pin,
                   processes_below, wait_for)

FILES = 5000


# --- The home beside a plain directory

HOME_WORKLOADS = [  # name, unit of the program's answer, how it is shown, aim, fsync
    ("seq_read", "mib_s", "MiB/s", 0.9, "none: page cache"),
    ("rand_read", "ops_s", "op/s", 0.9, "none: page cache"),
    ("seq_write", "mib_s", "MiB/s", 0.9, "none: page cache"),
    ("rand_write", "ops_s", "op/s", 0.9, "none: page cache"),
    ("rand_write_sync", "ops_s", "op/s", None, "fdatasync after each write"),
]
TITLES = {"seq_read": "home: sequential read, 1 MiB", "rand_read": "home: random read, 4 KiB",
          "seq_write": "home: sequential write, 1 MiB", "rand_write": "home: random write, 4 KiB",
          "rand_write_sync": "home: random durable write, 4 KiB"}


def home_io(world):
    size = (64 if world.quick else 256) << 20
    home = world.mounted_home()
    ours, theirs = os.path.join(home, "bench.bin"), os.path.join(world.scratch, "bench.bin")
    for path in (ours, theirs):
        world.program("holdfast_bench_file_io", path, "prepare", "--bytes", size)
    rows = []
    for workload, figure, unit, aim, fsync in HOME_WORKLOADS:
        row = Row(TITLES[workload], unit, "plain directory", fsync, aim)

        def one(path):
            answer = world.program("holdfast_bench_file_io", path, workload, "--bytes", size,
                                   "--seconds", world.seconds)
            return answer[figure]
        for _ in range(world.rounds):
            # What our side leaves to upload is ours: it may not run while the peer is measured.
            world.server.wait_uploaded(USER, 300)
            os.sync()
            beside = one(theirs)
            os.sync()
            row.add(one(ours), beside)
        rows.append(row)
    os.unlink(ours)
    os.unlink(theirs)
    return rows


# --- Unpacking many small files

def make_archive(path, files):
    """A source tree: 25 files a folder, sizes around 4 KiB with a long tail."""
    draw = random.Random(5)
    with tarfile.open(path, "w") as archive:
        for number in range(files):
            if number % 25 == 0:
                folder = tarfile.TarInfo(f"tree/d{number // 25:03}")
                folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, 1_700_000_000
                archive.addfile(folder)
            info = tarfile.TarInfo(f"tree/d{number // 25:03}/f{number % 25:02}.txt")
            info.size = min(int(draw.lognormvariate(7.6, 1.2)), 200_000)
            info.mode, info.mtime = 0o644, 1_700_000_000 + number
            with tempfile.TemporaryFile() as body:
                body.write(draw.randbytes(info.size))
                body.seek(0)
                archive.addfile(info, body)


def untar(world):
    files = 1000 if world.quick else FILES
    home = world.mounted_home()
    archive = os.path.join(world.scratch, "tree.tar")
    make_archive(archive, files)
    memory = tempfile.mkdtemp(prefix="holdfast-bench-", dir="/dev/shm")
    places = {"home": home, "disk": world.scratch, "memory": memory}
    times = {name: [] for name in places}
    uploads = []
    try:
        for number in range(world.rounds):
            for name in ("disk", "home", "memory"):
                # Into a new folder: ext4 is slow to reuse the inodes of what was just deleted.
                target = os.path.join(places[name], f"untar-{number}")
                os.mkdir(target)
                world.server.wait_uploaded(USER, 600)
                os.sync()
                begun = time.monotonic()
                subprocess.run(["tar", "--extract", "--no-same-owner", "--file", archive, "--directory", target],
                               check=True)
                times[name].append(time.monotonic() - begun)
                if name == "home":
                    world.server.wait_uploaded(USER, 600)
                    uploads.append(time.monotonic() - begun)
        for number in range(world.rounds):
            shutil.rmtree(os.path.join(home, f"untar-{number}"))
    finally:
        shutil.rmtree(memory, ignore_errors=True)
    rows = []
    for name, title in (("disk", "plain directory"), ("memory", "tmpfs")):
        row = Row(f"home: untar {files:,} files", "s", title, "none: page cache")
        row.ours, row.theirs = times["home"], times[name]
        row.extra = {"uploaded_seconds": uploads}
        rows.append(row)
    rows[0].notes.append(f"all uploaded {statistics.median(uploads):.1f} s after its beginning "
                         f"({min(uploads):.1f}..{max(uploads):.1f}), {files / statistics.median(uploads):,.0f} files/s")
    return rows


# --- Durable small PUTs

def durable_put(world):
    body = os.path.join(world.scratch, "4k.bin")
    with open(body, "wb") as file:
        file.write(os.urandom(4096))
    rows = []
    for connections, aim in ((64, 4), (1, None)):
        row = Row(f"PUT 4 KiB, c={connections}, signed", "/s", "serial write + fdatasync, 4 KiB appends",
                  "fdatasync before each answer (grouped)", aim)
        latencies = []
        for number in range(world.rounds):
            serial = world.program("holdfast_bench_file_io", os.path.join(world.scratch, "serial"), "append_sync",
                                   "--seconds", world.seconds)
            load = world.program(
                "holdfast_bench_s3_load", "--port", world.server.s3_port, "--method", "PUT", "--body", body,
                "--path", f"/{BUCKET}/put/{connections}-{number}/", "--connections", connections,
                "--seconds", world.seconds, keys=world.keys)
            row.add(load["requests_s"], serial["ops_s"])
            latencies.append((load["p50_ms"], load["p99_ms"], serial["p50_us"] / 1000, serial["p99_us"] / 1000))
        middle = [statistics.median(column) for column in zip(*latencies)]
        row.notes.append(f"p50 {middle[0]:.2f} ms, p99 {middle[1]:.2f} ms; serial p50 {middle[2]:.2f} ms, "
                         f"p99 {middle[3]:.2f} ms")
        rows.append(row)
    return rows


# --- One large PUT after another

def large_put(world):
    """Beside what no gateway can pass that answers S3's ETag: the slower of one core's MD5 and the disk."""
    content = os.urandom(64 << 20)
    body, target = os.path.join(world.scratch, "large.bin"), os.path.join(world.scratch, "large-serial")
    with open(body, "wb") as file:
        file.write(content)
    mib = len(content) >> 20
    row = Row(f"PUT {mib} MiB, c=1, signed, while it is under way", "MiB/s", "slower of MD5 on a core and the disk",
              "both: before the end", 0.95)
    sides = []
    for number in range(world.rounds):
        begun = time.monotonic()
        hashlib.md5(content, usedforsecurity=False).digest()
        hashed = time.monotonic() - begun
        begun = time.monotonic()
        with open(target, "wb", buffering=0) as file:
            for at in range(0, len(content), 1 << 20):
                file.write(memoryview(content)[at:at + (1 << 20)])
            os.fdatasync(file.fileno())
        written = time.monotonic() - begun
        os.unlink(target)
        load = world.program(
            "holdfast_bench_s3_load", "--port", world.server.s3_port, "--method", "PUT", "--body", body, "--path",
            f"/{BUCKET}/large-{number}/", "--connections", 1, "--seconds", max(2, world.seconds), keys=world.keys)
        row.add(mib / (load["p50_ms"] / 1000), mib / max(hashed, written))
        sides.append((mib / hashed, mib / written))
    middle = [statistics.median(column) for column in zip(*sides)]
    row.notes.append(f"MD5 {middle[0]:.0f} MiB/s a core, the disk {middle[1]:.0f} MiB/s; each PUT's SHA-256 besides")
    return [row]


# --- GET beside nginx

def get(world):
    return beside_nginx(world, (("4 KiB", 4096, 1000, 0.6), ("1 MiB", 1 << 20, 32, 0.97)))


def get_range(world):
    return beside_nginx(world, (("128 KiB of 16 MiB", 16 << 20, 8, 0.85, 128 << 10),))


def beside_nginx(world, sizes):
    cores = sorted(os.sched_getaffinity(0))
    ours = set(cores[:max(1, len(cores) // 2)])
    loader = set(cores[len(ours):]) or ours
    server = [world.server.process.pid]
    nginx = Nginx(os.path.join(world.scratch, f"nginx-{sizes[0][1]}"), len(ours))
    peer = processes_below(nginx.process.pid)
    before = os.sched_getaffinity(world.server.process.pid)
    try:
        pin(server + peer, ours)
        return [get_row(world, nginx, server, peer, loader, loader != ours, *size) for size in sizes]
    finally:
        pin(server, before)
        nginx.stop()


def get_row(world, nginx, server, peer, loader, apart, title, size, keys, aim, part=0):
    body = os.path.join(world.scratch, f"get-{size}.bin")
    with open(body, "wb") as file:
        file.write(os.urandom(size))
    path = f"/{BUCKET}/get/{size}-{part}/"
    world.program("holdfast_bench_s3_load", "--port", world.server.s3_port, "--method", "PUT", "--body", body,
                  "--path", path, "--count", keys, "--connections", 8, keys=world.keys)
    os.makedirs(nginx.root + path)
    for key in range(keys):
        shutil.copyfile(body, f"{nginx.root}{path}{key:08}")

    warm_up = 0.3
    small = (part or size) < 1 << 20
    busy = {"ours": [], "theirs": []}

    def one(name, port, pids, keys_of_user):
        begun, used = time.monotonic(), cpu_seconds(pids)
        answer = world.program("holdfast_bench_s3_load", "--port", port, "--method", "GET", "--body", body,
                               "--path", path, "--keys", keys, "--connections", 32, "--threads", len(loader),
                               "--warm-up", warm_up, "--seconds", world.seconds, *(["--spin"] if apart else []), *(["--range", part] if part else []),
                               cores=loader, keys=keys_of_user)
        seconds = time.monotonic() - begun
        used = cpu_seconds(pids) - used
        busy[name].append((used / seconds, 1e6 * used / (answer["requests_s"] * (world.seconds + warm_up))))
        return answer["requests_s"] if small else answer["mib_s"]

    row = Row(f"GET {title}, c=32, signed", "/s" if small else "MiB/s",
              "nginx static, unsigned, same core" + ("s" if len(loader) > 1 else ""), "reads only", aim)
    for _ in range(world.rounds):
        theirs = one("theirs", nginx.port, peer, None)
        row.add(one("ours", world.server.s3_port, server, world.keys), theirs)
    row.extra = {"server_cpu": busy}
    figures = {name: [statistics.median(column) for column in zip(*busy[name])] for name in busy}
    row.notes.append("CPU a request: " + ", nginx ".join(
        f"{figures[name][1]:.1f} µs ({figures[name][0]:.2f} cores busy)" for name in ("ours", "theirs")))
    return row


# --- Memory

def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as text:
        return next(int(line.split()[1]) / 1024 for line in text if line.startswith("VmRSS:"))


def memory(world):
    """Of a server right after its start, and with 1,000 connections that have asked and are kept alive."""
    idle = Row("resident memory, idle", "MiB", "limit", "nothing is written", 1)
    busy = Row("resident memory, 1,000 connections", "MiB", "limit", "nothing is written", 1)
    server = BenchServer(world.server.program, os.path.dirname(world.server.data))
    held = []
    try:
        server.start()
        idle.add(resident_mib(server.process.pid), 20)
        for _ in range(1000):
            connection = socket.create_connection(("127.0.0.1", server.s3_port))
            connection.sendall(b"GET /-/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            held.append(connection)
        for connection in held:
            connection.recv(4096)
        busy.add(resident_mib(server.process.pid), 200)
    finally:
        for connection in held:
            connection.close()
        server.cleanup()
        os.unlink(server.log_path)
    return [idle, busy]


# --- GET over TLS

def get_tls(world):
    """Of the server's own CPU, since the one who loads it decrypts as much as it encrypts."""
    size, keys, path = 1 << 20, 32, f"/{BUCKET}/tls/"
    body = os.path.join(world.scratch, "get-tls.bin")
    with open(body, "wb") as file:
        file.write(os.urandom(size))
    cores = sorted(os.sched_getaffinity(0))
    ours = set(cores[:max(1, len(cores) // 2)])
    loader = set(cores[len(ours):]) or ours
    authority = TestAuthority(["localhost"])
    server = BenchServer(world.holdfast, world.folder, tls=authority, options=["tools.enabled = false"])
    nginx = None
    row = Row("GET 1 MiB, c=32, signed, TLS", "MiB/CPU-s", "nginx, same certificate and cipher, same core", "reads only",
              0.95)
    try:
        server.start()
        user_keys = world.populate(server)
        nginx = Nginx(os.path.join(world.scratch, "nginx-tls"), len(ours), authority)
        shared = ["--body", body, "--path", path, "--tls"]
        world.program("holdfast_bench_s3_load", "--port", server.s3_port, "--method", "PUT", "--count", keys,
                      "--connections", 8, *shared, keys=user_keys)
        os.makedirs(nginx.root + path)
        for key in range(keys):
            shutil.copyfile(body, f"{nginx.root}{path}{key:08}")
        rates = {}

        def one(port, pids, keys_of_user):
            pin(pids, ours)
            used = cpu_seconds(pids)
            answer = world.program("holdfast_bench_s3_load", "--port", port, "--method", "GET", "--keys", keys,
                                   "--connections", 32, "--threads", len(loader), "--warm-up", 0,
                                   "--seconds", world.seconds, *shared, cores=loader, keys=keys_of_user)
            rates.setdefault(port, []).append(answer["mib_s"])
            return answer["requests"] * size / (1 << 20) / (cpu_seconds(pids) - used)
        for _ in range(world.rounds):
            theirs = one(nginx.port, processes_below(nginx.process.pid), None)
            row.add(one(server.s3_port, [server.process.pid], user_keys), theirs)
        row.notes.append(f"MiB/s of the clock, the client decrypting: {statistics.median(rates[server.s3_port]):.0f}, "
                         f"nginx {statistics.median(rates[nginx.port]):.0f}")
        return [row]
    finally:
        if nginx is not None:
            nginx.stop()
        server.cleanup()
        authority.remove()


# --- From the click to a usable notebook

def bare_jupyter(folder):
    """Seconds from exec to the first 200 of its API."""
    port = free_port()
    environment = {"PATH": "/usr/bin:/bin", "HOME": folder, "SHELL": "/bin/bash"}
    command = ["/usr/bin/jupyter-notebook", "--ip=127.0.0.1", f"--port={port}", "--port-retries=0", "--no-browser",
               "--allow-root", "--NotebookApp.token=", "--NotebookApp.password=", f"--notebook-dir={folder}"]
    begun = time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        wait_for("the bare notebook", lambda: http_get(f"http://127.0.0.1:{port}/api")[0] == 200, 60, 0.01)
        return time.monotonic() - begun
    finally:
        process.terminate()
        process.wait(30)


def jupyter(world):
    world.mounted_home()
    admin = world.admin()
    browser = Browser(world.server.web_port)
    browser.open(world.server.cli("user", "link", USER).strip())
    api = f"http://jupyter-{USER}.localhost:{world.server.web_port}/api"
    ours, theirs = [], []

    def usable():
        status, body = browser.open(api)
        return status == 200 and body.startswith(b'{"version"')
    for _ in range(world.rounds):
        folder = tempfile.mkdtemp(dir=world.scratch)
        theirs.append(bare_jupyter(folder))
        begun = time.monotonic()
        admin.call("POST", "tools/jupyter/start", {"user": USER})
        wait_for("jupyter to answer through the gateway", usable, 120, 0.01)
        ours.append(time.monotonic() - begun)
        admin.call("POST", "tools/jupyter/stop", {"user": USER})
        wait_for("jupyter to stop", lambda: world.tool_state(admin, "jupyter") == "stopped", 60)
    row = Row("Jupyter: click to usable", "s", "bare process to its first answer", "as the home")
    row.ours, row.theirs = ours, theirs
    return [row]
