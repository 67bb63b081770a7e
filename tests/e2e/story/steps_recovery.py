"""Steps of trouble: deletion and restore, kills, the audit, the end."""
import datetime
import os
import subprocess
import threading
import time

from harness import check, http_get, manifest, wait_for

MAKE_DIRECTORY = """
import os, random
os.makedirs("thesis/chapters", exist_ok=True)
for number in range(200):
    folder = "thesis" if number % 2 else "thesis/chapters"
    path = f"{folder}/file-{number}.dat"
    with open(path, "wb") as file:
        file.write(os.urandom(random.randrange(0, 50_000)))
    os.chmod(path, 0o600 if number % 3 else 0o755)
    os.utime(path, ns=(1_500_000_000_000_000_000 + number, 1_600_000_000_123_456_789 + number))
os.utime("thesis/chapters", ns=(1_650_000_000_000_000_000, 1_650_000_000_000_000_000))
print(sum(len(files) for _, _, files in os.walk("thesis")))
"""


def delete_and_restore(world):
    server, person = world.server, world.person
    check(world.run_in_tool(MAKE_DIRECTORY).strip() == "200", "the files were not made")
    server.wait_uploaded("alice")
    # A directory's own time settles a little later than its files.
    before = manifest(os.path.join(server.home("alice"), "thesis"))
    s3 = server.s3(world.keys["alice"])
    wait_for("the directory's time to be saved", lambda: s3.head_object(
        Bucket="homes", Key="alice/thesis/chapters/")["Metadata"].get("mtime") == "1650000000", 20)
    server.wait_uploaded("alice")
    moment = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    time.sleep(0.01)  # the clock must move past the moment that is restored

    world.run_in_tool("import shutil; shutil.rmtree('thesis'); print(os.path.exists('thesis'))")
    wait_for("the deletion to be saved", lambda: s3.list_objects_v2(
        Bucket="homes", Prefix="alice/thesis/")["KeyCount"] == 0, 30)
    person.go(server.web_url + "/deleted")
    person.wait_text("deleted-row-thesis", "200")
    world.saw("the console lists: " + " ".join(person.text("deleted-row-thesis").split()))

    dry = server.cli("restore", "home:alice/thesis/", "--at", moment, "--dry-run")
    check("dry run" in dry and not os.path.exists(os.path.join(server.home("alice"), "thesis")), "a dry run restored")
    printed = server.cli("restore", "home:alice/thesis/", "--at", moment)
    roots = [line.split()[-1] for line in printed.splitlines() if " root " in line]
    check(len(roots) == 2 and roots[0] == roots[1], f"the roots differ: {roots}")
    begun = time.monotonic()

    def equal():
        root = os.path.join(server.home("alice"), "thesis")
        return os.path.isdir(root) and manifest(root) == before
    wait_for("every byte, mode and time to be back in the running tool", equal, 30, 0.2)
    world.saw(f"restored with root {roots[0]}; {len(before)} entries equal in bytes, modes and times after "
              f"{time.monotonic() - begun:.1f} s")


def survive(world):
    server, person = world.server, world.person
    state = lambda: next(row for row in server.cli_json("tool", "list") if row["user"] == "alice")

    # Stopped and started from the console: the home is there.
    marker = world.run_in_tool("open('marker.txt','w').write('still here'); print(1)")
    check(marker.strip() == "1", "the marker was not written")
    person.go(server.web_url + "/tools")
    person.click("tool-stop-jupyter")
    person.wait_text("tool-state-jupyter", "stopped", 60)
    person.click("tool-start-jupyter")
    person.wait_text("tool-state-jupyter", "ready", 60)
    seen = subprocess.run(["podman", "exec", world.container("alice"), "cat", "/home/alice/marker.txt"],
                          capture_output=True, text=True)
    check(seen.stdout == "still here", f"the home is not there: {seen.stderr}")
    world.saw("stopped and started: the home is there")

    # Killed by the container engine: the console says so and why.
    subprocess.run(["podman", "kill", world.container("alice")], check=True, capture_output=True)
    person.wait_text("tool-state-jupyter", "failed", 30)
    reason = person.text("tool-reason-jupyter")
    check("kill" in reason.lower() or "137" in reason, f"the reason is {reason!r}")
    world.saw(f"killed by the engine: the console says {reason!r}")
    person.lost_something()
    person.click("tool-restart-jupyter")

    def restarts():
        failed = "failed" in person.text("tool-state-jupyter")
        if failed and person.lost_something():  # the network of the killed one went, and our request with it
            person.click("tool-restart-jupyter")
        return not failed
    wait_for("the tool to be started again", restarts, 30)
    person.wait_text("tool-state-jupyter", "ready", 60)

    storm(world)
    check(state()["state"] in ("ready", "starting"), f"the tool is {state()}")


def storm(world):
    """Kills the server while 2,000 small files are being written, by S3 and in the home."""
    server = world.server
    acknowledged, lock = {}, threading.Lock()
    stop = threading.Event()

    def upload(worker):
        s3 = server.s3(world.keys["alice"])
        for number in range(worker, 2000, 8):
            if stop.is_set():
                return
            body = f"storm {number}".encode()
            try:
                answer = s3.put_object(Bucket="research", Key=f"storm/{number:04}", Body=body)
            except Exception:  # the server died: what was not acknowledged is not promised
                return
            with lock:
                acknowledged[f"storm/{number:04}"] = (body, answer["VersionId"])

    writer = subprocess.Popen(
        ["podman", "exec", world.container("alice"), "bash", "-c",
         "mkdir -p /home/alice/storm && for i in $(seq 2000); do echo home $i > /home/alice/storm/$i; done"])
    threads = [threading.Thread(target=upload, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    wait_for("some hundred acknowledged uploads", lambda: len(acknowledged) > 300, 60, 0.005)
    server.kill()
    stop.set()
    for thread in threads:
        thread.join()
    check(writer.wait(120) == 0, "writing to the home failed while the server was gone")
    count = len(acknowledged)
    check(count < 2000, "the kill came too late to mean anything")
    begun = time.monotonic()
    server.start()
    restarted = time.monotonic() - begun

    s3 = server.s3(world.keys["alice"])
    versions = {}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket="research", Prefix="storm/"):
        for row in page.get("Versions", []):
            versions.setdefault(row["Key"], []).append(row["VersionId"])
    for key, (body, version) in acknowledged.items():
        check(versions.get(key) == [version], f"{key}: acknowledged version {version}, there is {versions.get(key)}")
        check(s3.get_object(Bucket="research", Key=key)["Body"].read() == body, f"{key}: other bytes")
    world.saw(f"killed after {count} acknowledged uploads, serving again after {restarted:.1f} s: "
              "all are there, once each")

    wait_for("every file of the home to arrive", lambda: s3_count(s3) == 2000, 120, 0.5)
    server.wait_uploaded("alice", 120)
    doubled = {}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket="homes", Prefix="alice/storm/"):
        for row in page.get("Versions", []):
            if not row["Key"].endswith("/"):
                doubled[row["Key"]] = doubled.get(row["Key"], 0) + 1
    twice = [key for key, number in doubled.items() if number != 1]
    check(not twice, f"{len(twice)} files of the home have more than one version, such as {twice[:3]}")
    for number in (1, 777, 2000):
        body = s3.get_object(Bucket="homes", Key=f"alice/storm/{number}")["Body"].read()
        check(body == f"home {number}\n".encode(), f"home file {number} has other bytes")
    world.saw("all 2,000 files written to the home arrived, one version each; the tool never stopped")


def s3_count(s3):
    total = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="homes", Prefix="alice/storm/"):
        total += sum(1 for item in page.get("Contents", []) if not item["Key"].endswith("/"))
    return total


def audit(world):
    server = world.server
    verdict = server.cli("audit", "verify").strip()
    check("the chain holds" in verdict, verdict)
    world.saw(verdict)
    tail = server.cli("audit", "tail", "--lines", "10000")
    check("denied" in tail, "the audit shows no denial")
    for action in ("principal.create", "grant.add", "grant.remove", "tool.start"):
        events = server.cli_json("audit", "tail", "-n", "1", "--action", action)
        check([event["action"] for event in events] == [action], f"the audit does not show {action}")
    world.saw("audit tail shows:\n       " + "\n       ".join(tail.splitlines()[-4:]))
    status, _ = http_get(server.s3_url + "/research/women.csv")
    check(status == 403, f"an unsigned read answers {status}")


def clean_end(world):
    server = world.server
    world.person.close()
    world.person = None
    instance = server.instance_of(world.container("alice"))
    check(instance, "the tool's container has no label of its server")
    check(server.containers_of_instance(instance), "the label finds no container")
    end(server, instance)
    begun = time.monotonic()
    server.start()
    world.saw(f"mounts and containers gone; a second start takes {time.monotonic() - begun:.1f} s")
    # It has just begun to bring the tool up again: what the engine is making must go too.
    end(server, instance)
    world.saw("ended again while the tool was being started: nothing is left either")


def end(server, instance):
    code = server.stop(90)
    check(code == 0, f"Ctrl-C ended with {code}:\n{server.log_tail()}")
    with open("/proc/mounts", encoding="utf-8") as mounts:
        left = [line for line in mounts if server.data in line]
    check(not left, f"mounts are left: {left}")
    left = server.containers() + server.containers_of_instance(instance)
    check(not left, f"containers are left: {left}")
