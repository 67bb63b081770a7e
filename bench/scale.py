"""The store with 10 thousand to 10 million objects: how its figures grow. Many minutes, and 10 GiB of disk.

Writes build/bench/scale.json, which scale_plot.py draws.
"""
import json
import os
import shutil
import signal
import statistics
import subprocess
import time

from rows import Row
from world import REPOSITORY, check

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
TAIL = 10_000
LIMITS = [  # name in the program's answer, what it is, its aim in milliseconds
    ("list_start", "LIST 1,000 keys, at the start", 2),
    ("list_middle", "LIST 1,000 keys, in the middle", 2),
    ("list_end", "LIST 1,000 keys, at the end", 2),
    ("list_1000_prefixes", "LIST 1,000 prefixes, delimiter", None),
    ("list_10_prefixes", "LIST 10 prefixes, delimiter", None),
    ("get", "GET 64 bytes, anywhere", None),
    ("head", "HEAD, anywhere", None),
    ("delete_1000", "DeleteObjects, 1,000 keys, durable", 20),
    ("delete_1000_scattered", "DeleteObjects, 1,000 keys of 1,000 folders, durable", None),
    ("complete_1000_parts", "CompleteMultipartUpload, 1,000 parts", 5),
]
OPENINGS = [
    ("open_clean", "open, closed in order"),
    ("open_killed", "open, killed while writing"),
    ("open_tail", f"open, {TAIL:,} records to replay"),
]


def program(world, folder, *arguments):
    return world.program("holdfast_bench_store_scale", folder, *arguments, limit=3600)


def kill_while_writing(world, folder, seconds):
    command = [os.path.join(world.build, "bench", "holdfast_bench_store_scale"), folder, "write"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        check(writer.stdout.readline() == "writing\n", "the writer did not begin")
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)


def one_size(world, objects):
    folder = os.path.join(world.scratch, f"scale-{objects}")
    try:
        filled = program(world, folder, "fill", "--objects", objects)
        os.sync()
        figures = program(world, folder, "measure", "--objects", objects)
        for name, before in (("open_clean", None), ("open_killed", "kill"), ("open_tail", "tail")):
            times = []
            for _ in range(3):
                if before == "kill":
                    kill_while_writing(world, folder, world.seconds)
                if before == "tail":
                    program(world, folder, "tail", "--objects", TAIL)
                opened = program(world, folder, "open")
                check(before != "tail" or opened["replayed"] == TAIL, f"the tail was not replayed: {opened}")
                times.append(opened["open_ms"])
            figures[name] = {"first": times[0], "least": min(times), "p50": statistics.median(times), "p99": max(times)}
        figures["fill"] = filled
        return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scale(world):
    sizes = SIZES[:3] if world.quick else SIZES
    path = os.path.join(REPOSITORY, "build", "bench", "scale.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    measured, loads = {}, {}
    for objects in sizes:
        measured[objects] = one_size(world, objects)
        loads[objects] = round(os.getloadavg()[0], 2)
        print(f"bench: scale, {objects:,} objects done, load {loads[objects]}", flush=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"loads": loads, "sizes": measured}, file, indent=2)
            file.write("\n")
    rows = []
    for name, title, aim in LIMITS + [(name, title, 1000) for name, title in OPENINGS]:
        row = Row(f"{title}: {max(sizes):,} objects", "ms", "limit" if aim else "the same of the fewest objects",
                  "before the answer" if "durable" in title or "Complete" in title else "reads only", aim and 1)
        row.add(measured[max(sizes)][name]["p50"], aim or measured[min(sizes)][name]["p50"])
        row.notes.append("p50 (least..p99) in ms: " + ", ".join(
            f"{objects:,}: {figures[name]['p50']:.3g} ({figures[name]['least']:.3g}..{figures[name]['p99']:.3g})"
            for objects, figures in measured.items()))
        rows.append(row)
    filled = measured[100_000]["fill"]
    rows[0].notes.append(f"index made from the log: {filled['objects'] / filled['index_ms'] * 1000:,.0f} objects/s")
    return rows
