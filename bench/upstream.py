"""Upstream mode beside the endpoint itself: the same requests to Ceph's object gateway directly, and
through a `holdfast serve` in front of it."""
import os
import statistics
import sys

from rows import Row
from world import REPOSITORY, USER

sys.path.insert(0, os.path.join(REPOSITORY, "tests", "e2e", "upstream"))

ADDED_MS = 0.3  # the aim: what a small request may take longer
CASES = [  # title, method, bytes, keys, connections, aim of the ratio
    ("GET 4 KiB", "GET", 4096, 64, 1, None),
    ("PUT 4 KiB", "PUT", 4096, 64, 1, None),
    ("GET 16 MiB", "GET", 16 << 20, 4, 4, 0.9),
    ("PUT 16 MiB", "PUT", 16 << 20, 4, 4, 0.9),
]


class Added(Row):
    """Times of single requests, of which the difference is what counts."""

    def added(self):
        return statistics.median(ours - theirs for ours, theirs in zip(self.ours, self.theirs))

    def verdict(self):
        word = "met" if self.added() <= ADDED_MS else "MISSED"
        return f"aim + ≤ {ADDED_MS} ms: + {self.added():.2f} ms {word}"

    def ratios(self):
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs)]

    def json(self):
        return {**super().json(), "added_ms": self.added(), "met": self.added() <= ADDED_MS}


def upstream(world):
    from upstream_world import PREFIX, Ceph, UpstreamServer
    with Ceph(memory_bytes=8 << 30) as ceph:
        server = UpstreamServer(world.server.program, ceph)
        try:
            server.start()
            server.cli("user", "add", USER)
            server.cli("bucket", "create", "bench", "--unversioned")
            server.cli("grant", "add", USER, "write", "bench")
            sides = {"ours": (server.s3_port, "/bench", server.keys_of(USER)),
                     "theirs": (ceph.port, f"/{PREFIX}bench", (ceph.key, ceph.secret))}
            return [row_of(world, sides, *case) for case in CASES]
        finally:
            server.cleanup()


def row_of(world, sides, title, method, size, keys, connections, aim):
    body = os.path.join(world.scratch, f"upstream-{size}.bin")
    if not os.path.exists(body):
        with open(body, "wb") as file:
            file.write(os.urandom(size))
    folder = f"/{method}-{size}/"
    if method == "GET":
        port, bucket, pair = sides["theirs"]
        world.program("holdfast_bench_s3_load", "--port", port, "--host", "127.0.0.1", "--method", "PUT",
                      "--body", body, "--path", bucket + folder, "--count", keys, "--connections", 2, keys=pair)

    def one(name):
        port, bucket, pair = sides[name]
        # A GET goes round the keys; a PUT replaces them, so that the memory of the endpoint lasts.
        return world.program("holdfast_bench_s3_load", "--port", port, "--host", "127.0.0.1", "--method", method,
                             "--body", body, "--path", bucket + folder, "--keys", keys, "--warm-up", 0.3,
                             "--connections", connections, "--seconds", world.seconds, keys=pair)

    small = size < 1 << 20
    kind = Added if small else Row
    row = kind(f"upstream: {title}, c={connections}, signed", "ms" if small else "MiB/s",
               "Ceph's gateway directly", "none: the endpoint's memory", aim)
    for number in range(world.rounds):
        figures = {}
        for name in ("theirs", "ours") if number % 2 else ("ours", "theirs"):
            figures[name] = one(name)
        figure = "p50_ms" if small else "mib_s"
        row.add(figures["ours"][figure], figures["theirs"][figure])
        row.extra.setdefault("p99_ms", []).append((figures["ours"]["p99_ms"], figures["theirs"]["p99_ms"]))
    return row
