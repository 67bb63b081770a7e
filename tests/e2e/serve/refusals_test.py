"""What cannot be served is refused with a sentence that says what to do, and changes nothing."""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "story"))

from botocore.exceptions import ClientError  # noqa: E402
from harness import Server, StepFailed, check, free_port  # noqa: E402

# A /dev without /dev/fuse, seen by what runs in it alone.
WITHOUT_FUSE = """
mount -t tmpfs none /mnt && for node in null zero random urandom; do touch /mnt/$node; mount --bind /dev/$node /mnt/$node; done
mkdir /mnt/shm /mnt/pts && mount --bind /dev/shm /mnt/shm && mount --move /mnt /dev && exec "$@"
"""


def serve(program, data, s3_port, web_port, wrap=()):
    return subprocess.run([*wrap, program, "serve", "--data", data, "--s3-listen", f"127.0.0.1:{s3_port}",
                           "--web-listen", f"127.0.0.1:{web_port}"], capture_output=True, text=True, timeout=60)


def snapshot(folder):
    return sorted((os.path.relpath(os.path.join(at, name), folder), os.path.getsize(os.path.join(at, name)))
                  for at, _, names in os.walk(folder) for name in names)


def refused(done, *words):
    text = done.stdout + done.stderr
    check(done.returncode not in (0, -6, -11), f"it ended with {done.returncode}: {text}")
    for word in words:
        check(word in text, f"\"{word}\" is not in: {text}")


def port_in_use(program, scratch):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    data = os.path.join(scratch, "ports")
    refused(serve(program, data, taken.getsockname()[1], free_port()), "in use", "choose another port")
    refused(serve(program, data, free_port(), taken.getsockname()[1]), "in use")
    check(not os.path.exists(data), "a data directory was laid out although a port is taken")
    refused(serve(program, data, free_port(), "http"), "HOST:PORT")
    check(not os.path.exists(data), "a data directory was laid out although an address is wrong")
    taken.close()


def data_of_another_version(program, scratch):
    data = os.path.join(scratch, "newer")
    os.makedirs(os.path.join(data, "store"))
    with open(os.path.join(data, "FORMAT"), "w", encoding="ascii") as file:
        file.write("holdfast data 999\n")
    before = snapshot(data)
    refused(serve(program, data, free_port(), free_port()), "999")
    check(snapshot(data) == before, "the directory of another version was changed")


def not_our_directory(program, scratch):
    data = os.path.join(scratch, "foreign")
    os.makedirs(data)
    with open(os.path.join(data, "thesis.txt"), "w", encoding="ascii") as file:
        file.write("mine")
    before = snapshot(data)
    refused(serve(program, data, free_port(), free_port()), data)
    check(snapshot(data) == before, "a foreign directory was changed")


def directory_in_use(program):
    server = Server(program)
    server.start()
    try:
        refused(serve(program, server.data, free_port(), free_port()), "is held by another holdfast")
        server.cli("user", "add", "alice")  # the one that serves goes on
        for arguments in (("user", "add", "Alice!"), ("bucket", "create", "Bad_Name"),
                          ("grant", "add", "nobody", "read", "research"), ("tool", "start", "nosuchtool", "--user", "alice"),
                          ("restore", "s3://nowhere/x", "--at", "-1h"), ("dance",)):
            done = subprocess.run([program, "--data", server.data, *arguments], capture_output=True, text=True,
                                  timeout=60)
            check(done.returncode != 0 and len(done.stderr.strip()) > 10,
                  f"{arguments}: {done.returncode} {done.stderr!r}")
        nowhere = server.data + "-nowhere"
        done = subprocess.run([program, "check", "--scrub", "--data", nowhere], capture_output=True, text=True,
                              timeout=60)
        check(done.returncode == 1 and "no such directory" in done.stderr, f"{done.returncode} {done.stderr!r}")
        check(not os.path.exists(nowhere), "a check laid a data directory out")
    finally:
        server.cleanup()
        os.unlink(server.log_path)


def no_default_key(program):
    """A new server has an administrator without a key: no pair works until one is made, not even a usual one."""
    server = Server(program)
    try:
        server.start()
        listed = subprocess.run([program, "--data", server.data, "--json", "key", "list", "admin"],
                                capture_output=True, text=True, timeout=60, check=True).stdout
        check(json.loads(listed) in ([], {"keys": []}), f"the administrator has a key: {listed}")
        for word in ("minioadmin", "rustfsadmin", "admin", "root", "holdfast", "test"):
            try:
                server.s3((word, word)).list_buckets()
            except ClientError as error:
                check(error.response["Error"]["Code"] == "InvalidAccessKeyId", f"{word}: {error}")
            else:
                raise StepFailed(f"{word} has signed in with itself")
        pair = server.keys_of("admin")
        check("homes" in [row["Name"] for row in server.s3(pair).list_buckets()["Buckets"]], "a made pair works")
    finally:
        server.cleanup()
        os.unlink(server.log_path)


def socket_served_by_another(program):
    """What is found out only when the store runs already: the end from there is orderly, every time."""
    server = Server(program)
    try:
        server.start()
        check(server.stop() == 0, "the first start ended badly")
        other = socket.socket(socket.AF_UNIX)
        other.bind(os.path.join(server.data, "run", "admin.sock"))
        other.listen()
        for _ in range(20):
            refused(serve(program, server.data, free_port(), free_port()), "admin.sock",
                    "another process serves it")
        other.close()
        server.start()
        check(server.stop() == 0, "the last start ended badly")
    finally:
        server.cleanup()
        os.unlink(server.log_path)


def no_fuse(program, scratch):
    wrap = ("unshare", "--mount", "--propagation", "private", "sh", "-c", WITHOUT_FUSE, "sh")
    home = os.path.join(scratch, "home")
    os.makedirs(home)
    done = subprocess.run(
        [*wrap, program, "mount", "--user", "alice", "--home", home, "--cache", os.path.join(scratch, "cache")],
        capture_output=True, text=True, timeout=60,
        env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
             "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    refused(done, "/dev/fuse", "holdfast sync")
    check(os.listdir(home) == [], "nothing is mounted")


def no_podman(program, scratch):
    hidden = os.path.join(scratch, "podman")
    with open(hidden, "w", encoding="ascii"):
        pass  # a file that cannot be run takes podman's place
    wrapper = os.path.join(scratch, "holdfast")
    with open(wrapper, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexec unshare --mount --propagation private sh -c '"
                   "for at in /usr/bin /usr/local/bin; do [ ! -e $at/podman ] || mount --bind \"$0\" $at/podman; done; "
                   f"exec \"$@\"' {hidden} {program} \"$@\"\n")
    os.chmod(wrapper, 0o755)
    server = Server(wrapper)
    try:
        server.start()
        check("podman is not installed" in server.log_tail(), server.log_tail())
        server.cli("user", "add", "alice")
        server.cli("bucket", "create", "research")  # everything else works
    finally:
        server.cleanup()
        os.unlink(server.log_path)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    program = os.path.abspath(arguments.parse_args().program)
    scratch = tempfile.mkdtemp(prefix="holdfast-refusals-", dir="/tmp")
    try:
        port_in_use(program, scratch)
        data_of_another_version(program, scratch)
        not_our_directory(program, scratch)
        directory_in_use(program)
        no_default_key(program)
        socket_served_by_another(program)
        no_fuse(program, scratch)
        no_podman(program, scratch)
        print("refusals: ok")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


main()
