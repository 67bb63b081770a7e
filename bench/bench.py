"""Runs the measurements one after another, prints their table and writes their JSON.

scripts/bench builds what this needs and names the options.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import measurements  # noqa: E402
import s3_peer  # noqa: E402
import scale  # noqa: E402
import upstream  # noqa: E402
from world import REPOSITORY, World  # noqa: E402

NAMES = {
    "home": measurements.home_io,
    "untar": measurements.untar,
    "put": measurements.durable_put,
    "put-large": measurements.large_put,
    "get": measurements.get,
    "range": measurements.get_range,
    "memory": measurements.memory,
    "get-tls": measurements.get_tls,
    "jupyter": measurements.jupyter,
    "upstream": upstream.upstream,
    "scale": scale.scale,
    "peer": s3_peer.s3_peer,
}
ONLY_BY_NAME = ("scale", "peer")  # takes minutes; wants what only the caller can start
COLUMNS = ("measured", "holdfast", "peer", "peer's figure", "ratio (min..max)", "verdict", "fsync")


def machine(world):
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        models = [line.split(":", 1)[1].strip() for line in text if line.startswith("model name")]
    with open("/proc/meminfo", encoding="utf-8") as text:
        memory = int(text.readline().split()[1]) >> 20
    filesystem = subprocess.run(["findmnt", "--noheadings", "--output", "FSTYPE,OPTIONS", "--target", world.scratch],
                                capture_output=True, text=True, check=False).stdout.strip()
    return {"cores": os.cpu_count(), "cpu": models[0] if models else platform.machine(), "memory_gib": memory,
            "kernel": platform.release(), "filesystem": filesystem,
            "load_at_start": round(os.getloadavg()[0], 2)}


def commit():
    done = subprocess.run(["git", "-C", REPOSITORY, "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip()


def print_table(rows):
    cells = [COLUMNS] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    for number, line in enumerate(cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
    for row in rows:
        for note in row.notes:
            print(f"  {row.name}: {note}")


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--dir", default="/tmp")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(name for name in NAMES if name not in ONLY_BY_NAME))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--peer", metavar="NAME=HOST:PORT")
    parser.add_argument("--peer-fsync", default="not stated", metavar="TEXT")
    options = parser.parse_args()
    options.names = options.only.split(",")
    for name in options.names:
        if name not in NAMES:
            parser.error(f"--only takes {', '.join(NAMES)}, not {name}")
    options.rounds = options.rounds or (3 if options.quick else 7)
    return options


def main():
    options = parse()
    rows, failures = [], []
    with World(options) as world:
        about = machine(world)
        print(f"bench: {about['cores']} cores ({about['cpu']}), {about['memory_gib']} GiB, Linux {about['kernel']}, "
              f"{about['filesystem']}; load {about['load_at_start']}", flush=True)
        for name in options.names:
            print(f"bench: {name}, {options.rounds} rounds", flush=True)
            try:
                rows += NAMES[name](world)
            except Exception as error:  # the others are measured all the same
                failures.append({"name": name, "error": str(error)})
                print(f"bench: {name} FAILED: {error}", file=sys.stderr)
                traceback.print_exc()
        if failures:
            print("bench: the server's log ends:\n" + world.server.log_tail(), file=sys.stderr)
    print()
    print_table(rows)
    folder = os.path.join(REPOSITORY, "build", "bench")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as file:
        json.dump({"when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                   "commit": commit(), "machine": about, "quick": options.quick, "rounds": options.rounds,
                   "rows": [row.json() for row in rows], "failures": failures}, file, indent=2)
        file.write("\n")
    print("\nbench: written to build/bench/results.json")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
