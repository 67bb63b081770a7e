"""Another S3 server beside us, one that runs already: the same signed requests to both, in turn.

scripts/bench --only peer --peer NAME=HOST:PORT --peer-fsync TEXT, with its keys in PEER_ACCESS_KEY_ID
and PEER_SECRET_ACCESS_KEY. Give it a data directory on the filesystem of --dir.
"""
import os

from rows import Row
from world import BUCKET, check

LIST_KEYS = 10_000
CASES = [  # title, method, bytes, keys, connections, aim of the ratio
    ("PUT 4 KiB", "PUT", 4096, None, 64, 5),
    ("PUT 4 KiB", "PUT", 4096, None, 1, None),
    ("PUT 1 MiB", "PUT", 1 << 20, None, 4, None),
    ("GET 4 KiB", "GET", 4096, 1000, 32, 3),
    ("GET 1 MiB", "GET", 1 << 20, 32, 8, None),
]


def client_of(host, port, pair):
    import boto3
    from botocore.config import Config
    return boto3.client("s3", endpoint_url=f"http://{host}:{port}", aws_access_key_id=pair[0],
                        aws_secret_access_key=pair[1], region_name="us-east-1",
                        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


def s3_peer(world):
    check(world.peer, "say which server stands beside us: --peer NAME=HOST:PORT")
    name, _, place = world.peer.partition("=")
    host, _, port = place.rpartition(":")
    pair = (os.environ.get("PEER_ACCESS_KEY_ID"), os.environ.get("PEER_SECRET_ACCESS_KEY"))
    check(host and port.isdigit(), f"--peer {world.peer}: NAME=HOST:PORT is wanted")
    check(all(pair), "the peer's keys are wanted in PEER_ACCESS_KEY_ID and PEER_SECRET_ACCESS_KEY")
    try:
        client_of(host, port, pair).create_bucket(Bucket=BUCKET)
    except Exception as error:  # an earlier run's bucket serves too
        check("BucketAlready" in str(error), f"the peer makes no bucket: {error}")
    sides = {"ours": ("127.0.0.1", world.server.s3_port, world.keys), "theirs": (host, port, pair)}
    fsync = f"ours: before each answer; {name}: {world.peer_fsync}"
    return [row_of(world, name, fsync, sides, *case) for case in CASES] + [list_row(world, name, sides)]


def row_of(world, name, fsync, sides, title, method, size, keys, connections, aim):
    body = os.path.join(world.scratch, f"peer-{size}.bin")
    with open(body, "wb") as file:
        file.write(os.urandom(size))

    def load(side, path, *more):
        host, port, pair = sides[side]
        return world.program("holdfast_bench_s3_load", "--host", host, "--port", port, "--method", method, "--body",
                             body, "--path", path, "--connections", connections, "--seconds", world.seconds,
                             *more, keys=pair)

    if method == "GET":
        for host, port, pair in sides.values():
            world.program("holdfast_bench_s3_load", "--host", host, "--port", port, "--method", "PUT", "--body", body,
                          "--path", f"/{BUCKET}/get-{size}/", "--count", keys, "--connections", 8, keys=pair)
    small = size < 1 << 20
    row = Row(f"{title}, c={connections}, signed, beside {name}", "/s" if small else "MiB/s", name,
              fsync if method == "PUT" else "reads only", aim)
    for number in range(world.rounds):
        rates = {}
        for side in ("theirs", "ours") if number % 2 else ("ours", "theirs"):
            if method == "GET":
                answer = load(side, f"/{BUCKET}/get-{size}/", "--keys", keys, "--warm-up", 0.3)
            else:
                answer = load(side, f"/{BUCKET}/put-{size}-{connections}-{number}/")
            rates[side] = answer["requests_s"] if small else answer["mib_s"]
        row.add(rates["ours"], rates["theirs"])
    return row


def list_row(world, name, sides):
    import time
    body = os.path.join(world.scratch, "peer-1.bin")
    with open(body, "wb") as file:
        file.write(b"x")
    row = Row(f"LIST of {LIST_KEYS:,} keys, pages of 1,000, beside {name}", "s", name, "reads only")
    clients = {}
    for side, (host, port, pair) in sides.items():
        world.program("holdfast_bench_s3_load", "--host", host, "--port", port, "--method", "PUT", "--body", body,
                      "--path", f"/{BUCKET}/list/", "--count", LIST_KEYS, "--connections", 64, keys=pair)
        clients[side] = client_of(host, port, pair)
    for _ in range(world.rounds):
        seconds = {}
        for side, client in clients.items():
            begun, seen = time.monotonic(), 0
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="list/"):
                seen += len(page.get("Contents", ()))  # a page may be empty
            seconds[side] = time.monotonic() - begun
            check(seen == LIST_KEYS, f"{side}: {seen} keys listed of {LIST_KEYS}")
        row.add(seconds["ours"], seconds["theirs"])
    row.notes.append("the client's own time, which parses the XML, is part of both")
    return row
